"""The batches of an epoch: the order of the examples, and those that an update is made on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Num

from trainer import forward, keys
from trainer.shape import Shape
from trainer.state import Blocks, Data, State


class Batch(NamedTuple):
    """The examples of an update; those of weight 0 only fill it up."""

    x: Num[Array, "batch features"]
    targets: Float[Array, "batch *context outputs"]
    weights: Float[Array, " batch"]


def examples_at(shape: Shape, data: Data, rows: Int[Array, " some"]) -> tuple[Array, Array]:
    """Return features and targets of some examples, as trained on."""
    return as_seen(data, data.x[rows], data.y[rows]) if shape.most_train else (data.x[rows], data.y[rows])


def as_seen(data: Data, x: Array, y: Array) -> tuple[Array, Array]:
    """Return features and targets as a fold trains on them, from those that all folds share."""
    fold = data.own.fold
    x, y = ((held - change.offset) / change.scale if change else held for held, change in ((x, fold.x), (y, fold.y)))
    return x if isinstance(fold.fill, tuple) else jnp.where(jnp.isnan(x), fold.fill, x), y


def validation_of(shape: Shape, data: Data) -> tuple[Any, Callable[[Any], Blocks]]:
    """Return what to go through block by block to validate, and how a block of that becomes examples."""
    if not shape.most_train:
        return data.validation, lambda block: block
    fold = data.own.fold
    return (fold.validation, fold.weights), lambda block: Blocks(*examples_at(shape, data, block[0]), block[1])


def order(shape: Shape, data: Data, state: State) -> Int[Array, " order"]:
    """Return the epoch's order of the examples; the last batch is filled up from the start, with weight 0.

    With folds, whose training parts differ by one example at most, those of the smallest decide how many updates there
    are. A larger part has its last example in the last batch, or, where that is full, leaves it out of this epoch.
    """
    key = keys.key(state.seed, keys.ORDER, state.step // shape.steps_per_epoch)
    # The first round of `jax.random.permutation`. With many examples that sorts again, which takes as long as thirty
    # updates, lest two of them have the same number: one pair in four billion, which would keep its order.
    n_train = shape.most_train or shape.n_train
    bits = jax.random.bits(jax.random.split(key)[1], (n_train,))
    if shape.most_train:  # the place that this fold may lack comes last
        bits = jnp.where(jnp.arange(n_train) < data.own.fold.n_train, bits, jnp.uint32(np.iinfo(np.uint32).max))
    permutation = jnp.argsort(bits).astype(jnp.int32)
    length = shape.steps_per_epoch * shape.config.training.batch_size
    return permutation[jnp.arange(length) % n_train]


def batch_at(shape: Shape, data: Data, state: State, start: Int[Array, ""]) -> Batch:
    """Return the batch that starts at this place of the epoch's order."""
    size = shape.config.training.batch_size
    rows = lax.dynamic_slice_in_dim(state.order, start, size)
    rows, n_train = (data.own.fold.train[rows], data.own.fold.n_train) if shape.most_train else (rows, shape.n_train)
    x, y = examples_at(shape, data, rows)
    targets = forward.as_targets(shape, y)
    is_one = start + jnp.arange(size) < n_train
    weights = is_one.astype(jnp.float32) if shape.has_partial_batch else jnp.ones(size)
    return Batch(x, targets, weights)
