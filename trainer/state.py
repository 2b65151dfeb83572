"""The arrays of a training: the examples, and all that changes from update to update."""

from typing import Any, Final, NamedTuple

import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt32

Parameters = Any
"""A tree of float arrays, as the model's `init` returns it."""

NEVER: Final = np.int32(-1)
"""In the place of an epoch or an update: none yet."""

_EVALUATED_AT_ONCE: Final = 2048


class Data(NamedTuple):
    """The examples on the device. Classes are indices; validation is padded to whole blocks by examples of weight 0."""

    x: Float[Array, "train features"]
    y: Int[Array, " train"] | Float[Array, "train outputs"]
    validation: "Blocks"
    target_scale: Float[Array, " outputs"]
    target_mean: Float[Array, " outputs"]


class Blocks(NamedTuple):
    """Examples to evaluate on, in blocks of one size."""

    x: Float[Array, "blocks size features"]
    y: Int[Array, "blocks size"] | Float[Array, "blocks size outputs"]
    weights: Float[Array, "blocks size"]


class Slot(NamedTuple):
    """The best weights by one `Watch`, with their value and epoch; epoch -1 means none yet."""

    parameters: Parameters
    value: Float[Array, ""]
    epoch: Int[Array, ""]


class Trouble(NamedTuple):
    """The first update with a loss that is no number (-1: none), and the rate and gradient norm one update before."""

    step: Int[Array, ""]
    learning_rate: Float[Array, ""]
    grad_norm: Float[Array, ""]


class State(NamedTuple):
    """All that changes while training.

    Attributes:
        step: updates done.
        order: examples of the epoch in progress, in order; shape [steps per epoch x batch size].
        sums: what the metrics of the epoch in progress have summed up.
        grad_norms: sum of the gradient norms of the epoch in progress.
        slots: best weights, one for each watch.
    """

    parameters: Parameters
    optimizer: optax.OptState
    seed: UInt32[Array, ""]
    step: Int[Array, ""]
    order: Int[Array, " order"]
    sums: Float[Array, " sums"]
    grad_norms: Float[Array, ""]
    slots: tuple[Slot, ...]
    trouble: Trouble


def blocks(x: np.ndarray[Any, np.dtype[Any]], y: np.ndarray[Any, np.dtype[Any]]) -> Blocks:
    """Return examples cut into blocks of one size; the last one is filled up with examples of weight 0."""
    size = max(1, min(len(x), _EVALUATED_AT_ONCE))
    n_blocks = -(-len(x) // size)
    pad = n_blocks * size - len(x)

    def cut(array: np.ndarray[Any, np.dtype[Any]]) -> Any:
        padded = np.concatenate([array, np.zeros((pad, *array.shape[1:]), array.dtype)])
        return padded.reshape(n_blocks, size, *array.shape[1:])

    return Blocks(cut(x), cut(y), cut(np.ones(len(x), np.float32)))
