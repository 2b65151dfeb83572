"""How far a call may go: each callback's horizon, counted down on the device, and renewed by the metric it watches.

A callback that waits for improvement cannot act for `patience` epochs after one. The device sees the metric and need
not ask the host each time. The host's decision is the one that counts, in its own arithmetic; so wherever rounding
might make the two differ, the call ends and the host is asked.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from trainer.callbacks import Callback, Callbacks

MOST_EPOCHS: Final = 128
"""Most epochs in one call: rows of the buffer for their metrics, and the horizon of who waits for nothing."""

_ROWS: Final = len(Callbacks.model_fields)
_SLACK: Final = 1e-6
"""Relative difference that counts as none: several units in the last place of a single-precision number."""
_TINY: Final = 1e-37
"""Absolute difference that counts as none: XLA takes smaller numbers for zero."""


class Horizons(NamedTuple):
    """One number of each for every callback there can be, of one member.

    Attributes:
        epochs: epochs left before the callback must be asked.
        column: place in a row of the metric that renews them.
        sign: 1 where lower is better, else -1.
        reference: the value to improve on, times the sign; not a number where nothing renews.
        min_delta: smallest change that is an improvement.
        renewed: epochs left after an improvement.
    """

    epochs: Float[Array, " callbacks"]
    column: Float[Array, " callbacks"]
    sign: Float[Array, " callbacks"]
    reference: Float[Array, " callbacks"]
    min_delta: Float[Array, " callbacks"]
    renewed: Float[Array, " callbacks"]


def pack(callbacks: Sequence[Callback], row_names: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the fields of `Horizons`, shape [fields, callbacks], as one array: an argument costs time.

    Args:
        callbacks: those that are on.
        row_names: names of the metrics in a row.
    """
    packed = _unbound()
    for index, callback in enumerate(callbacks):
        packed[0, index] = min(callback.horizon, MOST_EPOCHS)
        renewal = callback.renewal
        if renewal is not None and renewal.metric in row_names:
            sign = 1 if renewal.direction == "min" else -1
            packed[1:, index] = (
                row_names.index(renewal.metric), sign, sign * renewal.reference, renewal.min_delta,
                min(renewal.horizon, MOST_EPOCHS),
            )  # fmt: skip
    return packed


def unbound(members: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return what `pack` packs where no callback is on, for each of so many members."""
    return np.tile(_unbound(), (members, 1, 1))


def _unbound() -> np.ndarray[Any, np.dtype[np.float32]]:
    packed = np.zeros((len(Horizons._fields), _ROWS), np.float32)
    packed[0] = MOST_EPOCHS
    packed[3] = np.nan
    return packed


def unpack(packed: Float[Array, "fields callbacks"]) -> Horizons:
    """Return what `pack` packed."""
    return Horizons(*packed)


def after(horizons: Horizons, row: Float[Array, " metrics"]) -> Horizons:
    """Return the horizons after an epoch with these metrics."""
    value = horizons.sign * row[horizons.column.astype(jnp.int32)]
    gain = horizons.reference - (value + horizons.min_delta)
    doubt = _SLACK * (jnp.abs(horizons.reference) + jnp.abs(value) + horizons.min_delta) + _TINY
    improved = gain > doubt
    unsure = (jnp.abs(gain) <= doubt) & (value != horizons.reference)
    epochs = jnp.where(improved, horizons.renewed, horizons.epochs - 1)
    return horizons._replace(
        epochs=jnp.where(unsure, 0, epochs), reference=jnp.where(improved, value, horizons.reference)
    )


def are_open(horizons: Horizons) -> Bool[Array, ""]:
    """Return whether another epoch may begin before a callback is asked."""
    return (horizons.epochs >= 1).all()
