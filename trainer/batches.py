"""The batches of an epoch: the order of the examples, and those that an update is made on.

Where examples stream, the order is that of the buffer on the device: the place in the epoch says which one it is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Num

from trainer import forward, keys, shuffling
from trainer.shape import Shape
from trainer.state import Blocks, Data, State


class Batch(NamedTuple):
    """The examples of an update; those of weight 0 only fill it up."""

    x: Num[Array, "batch features"]
    targets: Float[Array, "batch *context outputs"]
    weights: Float[Array, " batch"]


def examples_at(shape: Shape, data: Data, rows: Int[Array, " some"]) -> tuple[Array, Array]:
    """Return features and targets of some examples, as trained on."""
    x, y = data.x[rows], data.y[rows]
    if shape.most_train:
        return as_seen(data, x, y)
    return (_scaled(data, x), y) if shape.buffer else (x, y)


def as_seen(data: Data, x: Array, y: Array) -> tuple[Array, Array]:
    """Return features and targets as a fold trains on them, from those that all folds share."""
    fold = data.own.fold
    x, y = ((held - change.offset) / change.scale if change else held for held, change in ((x, fold.x), (y, fold.y)))
    return x if isinstance(fold.fill, tuple) else jnp.where(jnp.isnan(x), fold.fill, x), y


def _scaled(data: Data, x: Num[Array, "some features"]) -> Float[Array, "some features"]:
    """Return features as trained on, from those that a buffer holds as the file has them."""
    x = x.astype(jnp.float32)
    if not data.x_scaling:
        return x
    offset, scale = data.x_scaling
    # Divided once and not in each batch: a quotient takes several times as long as a product.
    return (x - offset) * (1 / scale)


def validation_of(shape: Shape, data: Data) -> tuple[Any, Callable[[Any], Blocks]]:
    """Return what to go through block by block to validate, and how a block of that becomes examples."""
    if not shape.most_train:
        return data.validation, lambda block: block
    fold = data.own.fold
    return (fold.validation, fold.weights), lambda block: Blocks(*examples_at(shape, data, block[0]), block[1])


def begins(shape: Shape, state: State) -> Bool[Array, ""]:
    """Return whether the next update is the first one on its examples: of the epoch, or of the buffer."""
    return _place(shape, state) == 0


def start_of(shape: Shape, state: State) -> Int[Array, ""]:
    """Return the place in the order at which the next update's batch starts."""
    return _place(shape, state) * shape.config.training.batch_size


def order(shape: Shape, data: Data, state: State) -> Int[Array, " order"]:
    """Return the order of the epoch's examples, or of the buffer's.

    The last batch is filled up from the start, with weight 0. With folds, whose training parts differ by one example at
    most, those of the smallest decide how many updates there are. A larger part has its last example in the last batch,
    or, where that is full, leaves it out of this epoch.
    """
    if shape.buffer:
        return _order_of_buffer(shape, state)
    key = keys.key(state.seed, keys.ORDER, state.step // shape.steps_per_epoch)
    n_train = data.own.fold.n_train if shape.most_train else shape.n_train
    length = shape.steps_per_epoch * shape.config.training.batch_size
    return shuffling.order(key, jnp.arange(length) % n_train, n_train)


def batch_at(shape: Shape, data: Data, state: State, start: Int[Array, ""]) -> Batch:
    """Return the batch that starts at this place of the epoch's order."""
    size = shape.config.training.batch_size
    rows = lax.dynamic_slice_in_dim(state.order, start, size)
    count = _count(shape, state)
    if shape.most_train:
        rows, count = data.own.fold.train[rows], data.own.fold.n_train
    x, y = examples_at(shape, data, rows)
    targets = forward.as_targets(shape, y)
    is_one = start + jnp.arange(size) < count
    weights = is_one.astype(jnp.float32) if shape.has_partial_batch else jnp.ones(size)
    return Batch(x, targets, weights)


def _place(shape: Shape, state: State) -> Int[Array, ""]:
    """Return how many updates were made on the examples: of the epoch, or of the buffer."""
    place = state.step % shape.steps_per_epoch
    return place % shape.steps_per_buffer if shape.buffer else place


def _order_of_buffer(shape: Shape, state: State) -> Int[Array, " order"]:
    """Return the order within the buffer in progress, whose last places may hold no examples.

    The key is that of a whole epoch where one buffer is all of it, and then the order is the same too.
    """
    place = state.step % shape.steps_per_epoch // shape.steps_per_buffer
    number = state.step // shape.steps_per_epoch * shape.buffers_per_epoch + place
    count = _count(shape, state)
    return shuffling.order(keys.key(state.seed, keys.ORDER, number), jnp.arange(shape.buffer) % count, count)


def _count(shape: Shape, state: State) -> Int[Array, ""] | int:
    """Return how many examples there are in an epoch, or in the buffer in progress."""
    if not shape.buffer:
        return shape.n_train
    place = state.step % shape.steps_per_epoch // shape.steps_per_buffer
    return jnp.minimum(shape.buffer, shape.n_train - place * shape.buffer)
