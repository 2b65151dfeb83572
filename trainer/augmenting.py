"""The maths of augmentation: what is drawn for each example of a batch, and what becomes of the example by that.

Drawing and doing are apart. A transformation that no member of a population wants is neither drawn nor done.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from trainer.augmentation import Augmentation
from trainer.batches import Batch
from trainer.config import Config
from trainer.models import Noise
from trainer.shape import Shape

_RATIOS: Final = (3 / 4, 4 / 3)
"""Width over height of a crop. Source: Szegedy et al. 2015."""

Pictures = Float[Array, "batch rows columns channels"]


class Moves(NamedTuple):
    """What part of each picture is shown, and where.

    Attributes:
        share: of rows and columns that is kept; shape [batch, 2].
        start: first row and column of that part, in pixels; shape [batch, 2].
        flipped: whether it is mirrored left to right; shape [batch].
        shift: pixels down and to the right that it moves then; shape [batch, 2].
    """

    share: Float[Array, "batch 2"]
    start: Float[Array, "batch 2"]
    flipped: Bool[Array, " batch"]
    shift: Float[Array, "batch 2"]


class Mix(NamedTuple):
    """Which share of each example stays, and with which other of the batch it is mixed."""

    share: Float[Array, " batch"]
    partner: Int[Array, " batch"]


def augmented(shape: Shape, config: Config, batch: Batch, noise: Noise) -> Batch:
    """Return the batch as the network is given it; `noise` is the randomness of the update."""
    asked, (x, targets) = config.augmentation, (batch.x, batch.targets)
    key_of_moves, key_of_cutout, key_of_noise, key_of_mix = jax.random.split(noise.key(), 4)

    def wanted(is_wanted: Any, change: Callable[[Any], Any], given: Any) -> Any:
        return lax.cond(noise.is_wanted(jnp.asarray(is_wanted)), change, lambda given: given, given)

    if shape.inputs.image_shape is not None:
        moves = (asked.shift > 0) | (asked.flip > 0) | (asked.crop < 1)
        pictures = x.reshape(-1, *shape.inputs.image_shape)
        pictures = wanted(moves, lambda them: moved(them, draw_moves(key_of_moves, asked, them)), pictures)
        pictures = wanted(
            asked.cutout > 0, lambda them: cut_out(them, draw_centres(key_of_cutout, them), asked.cutout), pictures
        )
        x = pictures.reshape(x.shape)
    x = wanted(asked.noise > 0, lambda x: x + asked.noise * jax.random.normal(key_of_noise, x.shape), x)
    x, targets = wanted(asked.mixup > 0, lambda both: mixed(both, draw_mix(key_of_mix, asked, len(x))), (x, targets))
    return batch._replace(x=x, targets=targets)


def to_measure(shape: Shape, config: Config, targets: Float[Array, "batch outputs"]) -> Float[Array, "batch outputs"]:
    """Return what metrics compare with: of mixed classes the one with the larger share."""
    if not config.augmentation.enabled or shape.task != "classification":
        return targets
    return jax.nn.one_hot(targets.argmax(axis=-1), shape.n_outputs)


def draw_moves(key: PRNGKeyArray, asked: Augmentation, pictures: Pictures) -> Moves:
    """Return what is drawn for shift, flip and crop."""
    n, size = len(pictures), jnp.array(pictures.shape[1:3], jnp.float32)
    of_area, of_ratio, of_start, of_flip, of_shift = jax.random.split(key, 5)
    area = jax.random.uniform(of_area, (n,), minval=asked.crop, maxval=1.0)
    low, high = (jnp.log(ratio) for ratio in _RATIOS)
    ratio = jnp.exp(jax.random.uniform(of_ratio, (n,), minval=low, maxval=high))
    sides = jnp.sqrt(jnp.stack([area / ratio, area * ratio], axis=1))
    share = jnp.where(asked.crop < 1, jnp.minimum(sides, 1.0), 1.0)
    start = jax.random.uniform(of_start, (n, 2)) * (1 - share) * size
    flipped = jax.random.uniform(of_flip, (n,)) < asked.flip
    steps = jnp.floor(jax.random.uniform(of_shift, (n, 2)) * (2 * asked.shift + 1))
    return Moves(share, start, flipped, steps - asked.shift)


def moved(pictures: Pictures, moves: Moves) -> Pictures:
    """Return the part of each picture stretched over all of it, then mirrored, then shifted."""
    rows = _along(1, pictures, moves, jnp.zeros_like(moves.flipped))
    return _along(2, rows, moves, moves.flipped)


def _along(axis: int, pictures: Pictures, moves: Moves, flipped: Bool[Array, " batch"]) -> Pictures:
    """Return the pictures moved along rows or columns: between two pixels, in proportion to how near each is."""
    size, which = pictures.shape[axis], axis - 1
    share, start, shift = (each[:, which, None] for each in (moves.share, moves.start, moves.shift))
    place = jnp.arange(size) - shift
    is_inside = (place >= 0) & (place < size)
    place = jnp.where(flipped[:, None], size - 1 - place, place)
    source = jnp.clip(start + (place + 0.5) * share - 0.5, 0, size - 1)
    lower = jnp.floor(source).astype(jnp.int32)
    beside = [1, 1, 1]
    beside[which] = size

    def spread(values: Array) -> Array:
        return values.reshape(-1, *beside)

    below, above = (
        jnp.take_along_axis(pictures, spread(each), axis) for each in (lower, jnp.minimum(lower + 1, size - 1))
    )
    return jnp.where(spread(is_inside), below + spread(source - lower) * (above - below), 0.0)


def draw_centres(key: PRNGKeyArray, pictures: Pictures) -> Int[Array, "batch 2"]:
    """Return the pixel around which each picture is cut out."""
    return jax.random.randint(key, (len(pictures), 2), 0, jnp.array(pictures.shape[1:3]))


def cut_out(pictures: Pictures, centres: Int[Array, "batch 2"], side: Any) -> Pictures:
    """Return the pictures with a square of zeros, as far as it lies within them."""
    first = centres - jnp.floor(side / 2)
    rows, columns = (
        (jnp.arange(size) >= start[:, None]) & (jnp.arange(size) < start[:, None] + side)
        for size, start in zip(pictures.shape[1:3], first.T, strict=True)
    )
    return jnp.where((rows[:, :, None] & columns[:, None, :])[..., None], 0.0, pictures)


def draw_mix(key: PRNGKeyArray, asked: Augmentation, n: int) -> Mix:
    """Return what is drawn for mixup, for each example by itself."""
    of_share, of_partner = jax.random.split(key)
    alpha = jnp.where(asked.mixup > 0, asked.mixup, 1.0)
    share = jax.random.beta(of_share, alpha, alpha, (n,))
    return Mix(jnp.where(asked.mixup > 0, share, 1.0), jax.random.permutation(of_partner, n))


def mixed(arrays: Any, mix: Mix) -> Any:
    """Return arrays of the batch, each example mixed with its partner."""
    share = mix.share[:, None]
    return jax.tree.map(lambda array: share * array + (1 - share) * array[mix.partner], arrays)
