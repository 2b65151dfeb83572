"""What a network for text writes: token after token, each drawn by the probabilities that the network gives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, UInt, UInt32

from trainer import forward, keys, numbers, placement
from trainer.picture_file import TEMPERATURE, WRITTEN
from trainer.shape import Shape
from trainer.state import Blocks, Parameters
from trainer.subject import prompt_length


def make_sample(shape: Shape) -> Callable[..., Int[Array, "samples tokens"]]:
    """Return the function that has a member go on writing after the first tokens of each example.

    Its arguments are those of the function that `look.make_look` returns.
    """

    def sample(
        parameters: Parameters,
        member: Int[Array, ""],
        vector: Float[Array, " numbers"],
        examples: Blocks,
        moment: UInt32[Array, "2"],
    ) -> Int[Array, "samples tokens"]:
        config = numbers.unpack(shape.config, vector)
        its = placement.member(shape, parameters, member)
        key = keys.key(moment[0], keys.SAMPLES, moment[1])

        def write(count: Int[Array, ""], seen: UInt[Array, "samples context"]) -> tuple[Array, Array]:
            outputs = forward.outputs_of(shape, config, its, seen, None)
            last = jnp.minimum(count, seen.shape[1]) - 1
            drawn = jax.random.categorical(jax.random.fold_in(key, count), outputs[:, last] / TEMPERATURE)
            return _followed_by(seen, drawn.astype(seen.dtype), count), drawn

        seen = examples.x.reshape(-1, examples.x.shape[-1])
        begin = prompt_length(seen.shape[1])
        return lax.scan(lambda seen, count: write(count, seen), seen, jnp.arange(begin, begin + WRITTEN))[1].T

    return sample


def _followed_by(
    seen: UInt[Array, "samples context"], drawn: UInt[Array, " samples"], count: Int[Array, ""]
) -> UInt[Array, "samples context"]:
    """Return what the network sees with a token more; once it is full, without the first one.

    What lies after it does not matter, since a network for text looks back only.
    """
    context = seen.shape[1]
    seen = jnp.where(count < context, seen, jnp.roll(seen, -1, axis=1))
    return lax.dynamic_update_slice_in_dim(seen, drawn[:, None], jnp.minimum(count, context - 1), axis=1)
