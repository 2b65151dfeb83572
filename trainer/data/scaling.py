"""Offset and scale of each column, fitted on the training part alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data import aligned
from trainer.data.section import Standardize

Floats = NDArray[np.float64]

LARGEST = 1e38
"""Largest value that is taken, either way: the difference of two is still a 32-bit float."""

_LEAST = float(np.finfo(np.float32).tiny)
"""Smallest scale: one that float32 cannot hold would come back as a division by zero."""

BLOCK = 4096
"""Examples at a time: their double precision would not fit into memory where they themselves just do."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """standardized = (raw - offset) / scale, a column each.

    Attributes:
        offset: shape [columns].
        scale: greater than 0, shape [columns].
        constant: whether a column holds one value only, so that its scale is 1, shape [columns].
    """

    offset: Floats
    scale: Floats
    constant: NDArray[np.bool_]

    @property
    def changes_nothing(self) -> bool:
        """Return whether the columns stay as they are."""
        return not self.offset.any() and bool((self.scale == 1).all())

    def apply(self, raw: NDArray[Any]) -> NDArray[np.float32]:
        """Return the columns standardized, shape [examples, columns]; infinite where 32 bits are too few."""
        scaled = aligned.empty(raw.shape, np.float32)
        with np.errstate(over="ignore"):
            if self.changes_nothing:
                scaled[...] = raw
                return scaled
            for start in range(0, len(raw), BLOCK):
                rows = slice(start, start + BLOCK)
                scaled[rows] = (raw[rows] - self.offset) / self.scale
        return scaled


UNSCALED = Scaling(np.zeros(1), np.ones(1), np.zeros(1, np.bool_))
"""That of a target which is a class or a token."""

OF_TOKENS = Scaling(np.zeros(0), np.ones(0), np.zeros(0, np.bool_))
"""That of features which are tokens: none of them is scaled."""


def fit(raw: NDArray[Any], kind: Standardize) -> Scaling:
    """Return the scaling that gives these columns zero mean and unit variance, or the range 0 to 1, or changes nothing.

    Args:
        raw: the training part, finite, shape [examples, columns], at least one example.
        kind: `minmax_all` has one scale for all columns together; `none` still tells which columns are constant.
    """
    low, high = raw.min(axis=0).astype(np.float64), raw.max(axis=0).astype(np.float64)
    return fitted(low, high, lambda unit: _mean_and_deviation(raw, unit), kind)


def fitted(low: Floats, high: Floats, moments: Callable[[Floats], tuple[Floats, Floats]], kind: Standardize) -> Scaling:
    """Return the scaling of columns of which this is known.

    Args:
        low: least value of each, shape [columns].
        high: greatest, likewise.
        moments: mean and standard deviation of each, asked for where they are needed; squares of values in its
            argument, a number of their size for each column, stay in range.
        kind: as for `fit`.
    """
    spread = high - low
    # Below, the digits that differ are rounding of the value, not of what was measured.
    constant = spread <= 8 * np.finfo(np.float64).eps * np.maximum(abs(low), abs(high))
    zero, one = np.zeros(len(low)), np.ones(len(low))
    if kind == "none":
        return Scaling(zero, one, constant)
    if kind == "minmax_all":
        whole = high.max() - low.min()
        return Scaling(zero + low.min(), one * whole if whole >= _LEAST else one, constant)
    offset, scale = (low, spread) if kind == "minmax" else moments(np.where(constant, 1, spread))
    constant |= scale < _LEAST
    # Not the mean, which may miss the one value by a rounding.
    return Scaling(np.where(constant, low, offset), np.where(constant, one, scale), constant)


def _mean_and_deviation(raw: NDArray[Any], unit: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation a column; in units of the spread, so that squares stay in range."""
    mean, deviation = np.empty_like(unit), np.empty_like(unit)
    for column in range(raw.shape[1]):
        values = raw[:, column].astype(np.float64) / unit[column]
        mean[column], deviation[column] = values.mean() * unit[column], values.std() * unit[column]
    return mean, deviation
