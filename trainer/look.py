"""A look at the model at work: what it makes of examples, in one device call, with little to bring back."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt32

from trainer import forward, losses, numbers, placement
from trainer.picture_file import MOST_OUTPUTS
from trainer.pictures import Seen
from trainer.sampling import make_sample
from trainer.shape import Shape
from trainer.state import Blocks, Parameters


def make_look(shape: Shape) -> Callable[..., Array]:
    """Return the function that says what a member makes of each example; `read_look` reads it.

    It takes the parameters of all members and which one is meant, its numbers, the blocks of examples, and what random
    numbers are a function of: the run's seed and its updates so far. Of a text it says what the network writes.
    """
    if shape.task == "language_modeling":
        return make_sample(shape)

    def look(
        parameters: Parameters,
        member: Int[Array, ""],
        vector: Float[Array, " numbers"],
        examples: Blocks,
        moment: UInt32[Array, "2"],  # noqa: ARG001
    ) -> Float[Array, "blocks size columns"]:
        config = numbers.unpack(shape.config, vector)
        its = placement.member(shape, parameters, member)
        loss = losses.resolve(config.loss, shape.task)

        def columns(block: Blocks) -> Float[Array, "size columns"]:
            outputs = forward.outputs_of(shape, config, its, block.x, None)
            per_example = loss.per_example(outputs, forward.as_targets(shape, block.y))
            if shape.task == "regression":
                return jnp.concatenate([per_example[:, None], loss.predictions(outputs)[:, :MOST_OUTPUTS]], axis=1)
            shares = loss.probabilities(outputs)
            predicted = outputs.argmax(axis=-1)
            picked = (_picked(shares, classes) for classes in (block.y, predicted))
            return jnp.stack([per_example, predicted.astype(jnp.float32), *picked], axis=1)

        return lax.map(columns, examples)

    return look


def read_look(shape: Shape, told: Any, count: int) -> Seen:
    """Return what the model makes of the first so many examples, from what `make_look`'s function returned."""
    columns = np.asarray(told).reshape(-1, told.shape[-1])[:count]
    if shape.task == "regression":
        return Seen(columns[:, 0], columns[:, 1:], None, None)
    return Seen(columns[:, 0], columns[:, 1].astype(np.int64), columns[:, 2], columns[:, 3])


def _picked(shares: Float[Array, "size classes"], classes: Int[Array, " size"]) -> Float[Array, " size"]:
    return jnp.take_along_axis(shares, classes[:, None], axis=1)[:, 0]
