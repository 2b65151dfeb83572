"""The batches of an epoch: the order of the examples, and those that an update is made on."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Num

from trainer import forward, keys
from trainer.shape import Shape
from trainer.state import Data, State


class Batch(NamedTuple):
    """The examples of an update; those of weight 0 only fill it up."""

    x: Num[Array, "batch features"]
    targets: Float[Array, "batch *context outputs"]
    weights: Float[Array, " batch"]


def order(shape: Shape, state: State) -> Int[Array, " order"]:
    """Return the epoch's order of the examples; the last batch is filled up from the start, with weight 0."""
    key = keys.key(state.seed, keys.ORDER, state.step // shape.steps_per_epoch)
    # The first round of `jax.random.permutation`. With many examples that sorts again, which takes as long as thirty
    # updates, lest two of them have the same number: one pair in four billion, which would keep its order.
    bits = jax.random.bits(jax.random.split(key)[1], (shape.n_train,))
    permutation = jnp.argsort(bits).astype(jnp.int32)
    length = shape.steps_per_epoch * shape.config.training.batch_size
    return permutation[jnp.arange(length) % shape.n_train]


def batch_at(shape: Shape, data: Data, state: State, start: Int[Array, ""]) -> Batch:
    """Return the batch that starts at this place of the epoch's order."""
    size = shape.config.training.batch_size
    rows = lax.dynamic_slice_in_dim(state.order, start, size)
    x, targets = data.x[rows], forward.as_targets(shape, data.y[rows])
    weights = (
        (start + jnp.arange(size) < shape.n_train).astype(jnp.float32) if shape.has_partial_batch else jnp.ones(size)
    )
    return Batch(x, targets, weights)
