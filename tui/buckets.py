"""Reduce a long series to what a chart of a given width can show.

Borders are multiples of a power of two in x, so they nest: appending points either changes the last bucket only or,
when the series has outgrown the width, merges neighbours. The columns already on screen stay as they are.
"""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def bucket_width(first: float, last: float, columns: int) -> float:
    """Return the smallest power of two that cuts [first, last] into at most `columns` buckets, in units of x.

    Args:
        first: smallest x, finite.
        last: largest x, finite, not below `first`.
        columns: at least 2; a single bucket cannot hold a range with 0 inside.
    """
    if columns < 2:
        raise ValueError(f"columns must be at least 2, got {columns}.")
    if last <= first:
        return 1.0
    exponent = math.ceil(math.log2(last / columns - first / columns))
    while _bucket_count(first, last, exponent) > columns:
        exponent += 1
    return math.ldexp(1.0, exponent)


def reduce_series(x: NDArray[np.float64], y: NDArray[np.float64], columns: int) -> Points:
    """Return at most two points a bucket, the true minimum and maximum of y in the order they occurred.

    NaN and infinities are never a bound. A bucket that holds nothing else becomes one NaN point, which is a gap; points
    before and after a non-finite value in one bucket are closer than a column and stay joined.

    Args:
        x: ascending and finite.
        y: any float, same length as `x`.
        columns: width to fit, at least 2. Up to `2 * columns` points come back untouched.
    """
    if len(x) <= 2 * columns:
        return x, np.where(np.isfinite(y), y, np.nan)
    finite = np.isfinite(y)
    gapless = bool(finite.all())
    low, high = (y, y) if gapless else (np.where(finite, y, np.inf), np.where(finite, y, -np.inf))
    spans = list(itertools.pairwise(_bucket_starts(x, bucket_width(float(x[0]), float(x[-1]), columns)).tolist()))
    lowest = [start + int(low[start:stop].argmin()) for start, stop in spans]
    highest = [start + int(high[start:stop].argmax()) for start, stop in spans]
    kept = np.unique(lowest + highest)
    return x[kept], np.where(finite[kept], y[kept], np.nan)


def _bucket_count(first: float, last: float, exponent: int) -> int:
    return math.floor(math.ldexp(last, -exponent)) - math.floor(math.ldexp(first, -exponent)) + 1


def _bucket_starts(x: NDArray[np.float64], width: float) -> NDArray[np.int64]:
    """Return the index of the first point of every bucket that is not empty, ascending, then `n`."""
    first, last = math.floor(x[0] / width), math.floor(x[-1] / width)
    borders = np.arange(first, last + 2) * width
    return np.unique(np.searchsorted(x, borders))
