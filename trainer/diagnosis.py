"""Diagnostics: what goes on inside of each layer, taken in the compiled loop.

At the end of an epoch they cost about as much as one update more, so that they are taken at epochs which lie further
and further apart: what happens inside of a network happens early or slowly. Which epochs those are depends on nothing
but their number.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from trainer.events import Distribution, Layer, Layers
from trainer.horizons import MOST_EPOCHS
from trainer.numbers import shortest
from trainer.state import Parameters

_LONGER: Final = (8, 16, 32, 64, 128, 256, 512)
"""Epochs from which on looks lie twice as far apart: four fall between an epoch and its double."""

EXAMPLES: Final = 128
"""Most examples whose way through the layers is looked at."""

FEWEST: Final = 16
"""Fewest of the validation part; fewer may well agree in what a unit gives, and make it seem dead."""

_BINS: Final = 16
_COUNTED: Final = 2048
"""Most values that are counted into bins, evenly taken from all."""

_SAME: Final = 1e-6
"""A unit whose outputs differ by less than this share of the largest gives the same for every example: it is dead."""

_NORMS: Final = ("gradient_norm", "weight_norm", "update_ratio")
_OUTPUTS: Final = ("mean", "std", "dead")
_HISTOGRAMS: Final = ("weights", "outputs")
_UNKNOWN: Final = np.full(1, np.nan, np.float32)
_LENGTH: Final = len(_NORMS) + len(_OUTPUTS) + len(_HISTOGRAMS) * (2 + _BINS)


def is_due(epoch: Any) -> Any:
    """Return whether an epoch, 0-based, is looked at; traced or not."""
    gap = 1 << sum((epoch >= start) * 1 for start in _LONGER)
    return epoch % gap == 0


MOST: Final = sum(bool(is_due(epoch)) for epoch in range(MOST_EPOCHS))
"""Most epochs of one call that are looked at: those of the first call."""


def looked(
    parameters: Parameters, gradient: Parameters, updates: Parameters, outputs: tuple[Array | None, ...]
) -> Float[Array, " diagnosis"]:
    """Return all numbers of a diagnosis in a row, as `read` takes them.

    Args:
        parameters: a tree for each layer.
        gradient: likewise.
        updates: what a step adds to the parameters, likewise.
        outputs: of each layer for the same examples; shape [examples, ..., units] each. None where they are not known.
    """
    numbers = [
        jnp.concatenate([_norms(*trees), _about(given)])
        for *trees, given in zip(parameters, gradient, updates, outputs, strict=True)
    ]
    values = [
        part
        for layer, given in zip(parameters, outputs, strict=True)
        for part in (_weights(layer), _UNKNOWN if given is None else given)
    ]
    histograms = _histograms(values).reshape(len(outputs), -1)
    return jnp.concatenate([jnp.stack(numbers), histograms], axis=1).ravel()


def length(names: tuple[str, ...]) -> int:
    """Return how many numbers a diagnosis of these layers has."""
    return len(names) * _LENGTH


def read(names: tuple[str, ...], vector: np.ndarray[Any, np.dtype[np.float32]]) -> Layers:
    """Return the record of what `looked` saw."""
    rows = vector.reshape(len(names), _LENGTH)
    return Layers(layers={name: _layer(row) for name, row in zip(names, rows, strict=True)})


def _layer(row: np.ndarray[Any, np.dtype[np.float32]]) -> Layer:
    plain = len(_NORMS) + len(_OUTPUTS)
    numbers: dict[str, Any] = dict(zip((*_NORMS, *_OUTPUTS), map(shortest, row[:plain]), strict=True))
    # A share of units is always a number, whatever the units are.
    if math.isnan(numbers["dead"]):
        numbers |= dict.fromkeys(_OUTPUTS)
    histograms = dict(zip(_HISTOGRAMS, row[plain:].reshape(len(_HISTOGRAMS), -1), strict=True))
    return Layer(**numbers, **{name: _distribution(values) for name, values in histograms.items()})


def _distribution(values: np.ndarray[Any, np.dtype[np.float32]]) -> Distribution | None:
    low, high, below = shortest(values[0]), shortest(values[1]), values[2:]
    if not np.isfinite(values).all():
        return None
    return Distribution(low=low, high=high, counts=np.diff(below, prepend=0).astype(int).tolist())


def _norms(layer: Any, gradient: Any, update: Any) -> Float[Array, " norms"]:
    weight = optax.tree.norm(layer)
    return jnp.stack([optax.tree.norm(gradient), weight, optax.tree.norm(update) / jnp.maximum(weight, 1e-12)])


def _weights(layer: Any) -> Array:
    leaves = jax.tree.leaves(layer)
    return jnp.concatenate([leaf.ravel() for leaf in leaves if leaf.ndim > 1] or [leaf.ravel() for leaf in leaves])


def _about(outputs: Float[Array, "examples *rest units"] | None) -> Float[Array, " numbers"]:
    if outputs is None:
        return jnp.full(len(_OUTPUTS), jnp.nan)
    each = outputs.reshape(-1, outputs.shape[-1])
    low, high = each.min(axis=0), each.max(axis=0)
    dead = high - low <= _SAME * jnp.maximum(jnp.abs(low), jnp.abs(high))
    return jnp.stack([each.mean(), each.std(), dead.mean()])


def _histograms(values: Sequence[Any]) -> Float[Array, "arrays low_high_counts"]:
    """Return lowest and highest value of each array, and how many of some lie below the upper end of each equal bin.

    All arrays go through one operation: compiled one by one they take a second more.
    """
    flat = [array.ravel() for array in values]
    some = [array[:: -(-array.size // _COUNTED)] for array in flat]
    longest = max(array.size for array in some)
    padded = jnp.stack([jnp.pad(array, (0, longest - array.size), constant_values=jnp.inf) for array in some])
    bounds = jnp.stack([jnp.stack([array.min(), array.max()]) for array in flat])
    low, high = bounds[:, :1], bounds[:, 1:]
    ends = low + (high - low) * jnp.arange(1, _BINS) / _BINS
    below = (padded[:, None, :] < ends[:, :, None]).sum(axis=2).astype(padded.dtype)
    return jnp.concatenate([bounds, below, jnp.array([[array.size] for array in some], padded.dtype)], axis=1)
