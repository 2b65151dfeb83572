"""Surveying arrays that stay in their files: one pass, chunk by chunk, finds all that must be known before training."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.data.chunks import Chunks
from trainer.data.scaling import LARGEST, Floats
from trainer.data.split import Rows
from trainer.data.stored import Stored
from trainer.text import quoted

_WIDE: Final = 1024
"""Values of a row from which NumPy is fast down the columns; rows of less are laid side by side."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What some rows say of their columns.

    Attributes:
        count: of the rows.
        low, high, mean: of each column.
        squares: sum of the squared distances from the mean.
    """

    count: int
    low: Floats
    high: Floats
    mean: Floats
    squares: Floats

    @property
    def deviation(self) -> Floats:
        """Return the standard deviation of each column."""
        return np.sqrt(self.squares / self.count)

    def merged(self, other: "Moments") -> "Moments":
        """Return what both say together. Source: Chan, Golub and LeVeque 1979, equation 2.1b."""
        count, apart = self.count + other.count, other.mean - self.mean
        return Moments(
            count,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart**2 * (self.count * (other.count / count)),
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """What a pass over an array found: of the training part, and of all rows together."""

    train: Moments
    all: Moments


def columns_of(
    array: Stored, names: tuple[str, ...], key: str, chunks: Chunks, trains: Rows, take: Callable[[Any], object]
) -> Columns:
    """Read a whole array once.

    Args:
        array: of real numbers.
        names: of its columns, for messages.
        key: the setting to blame.
        chunks: of the examples.
        trains: which of them train.
        take: is given the bytes of all rows, in order.

    Raises:
        ConfigError: a value is missing or out of range, or the file is another by now.
    """
    is_train = np.isin(np.arange(len(chunks)), trains)
    found: dict[bool, Moments] = {}
    # To add up takes as long as to hash, and both leave the interpreter free: a core for each.
    with ThreadPoolExecutor(1, thread_name_prefix="survey") as pool:
        for chunk, rows in chunks.of_array(array):
            moments = pool.submit(moments_of, rows)
            take(np.ascontiguousarray(rows).data)
            now, part = moments.result(), bool(is_train[chunk])
            _require_sound(now, rows, chunks.bounds(chunk)[0], array, names, key)
            found[part] = found[part].merged(now) if part in found else now
    train = found[True]
    return Columns(train, train.merged(found[False]) if False in found else train)


def moments_of(rows: NDArray[Any]) -> Moments:
    """Return what these rows, shape [rows, columns], say of their columns."""
    with np.errstate(all="ignore"):  # values that are no numbers are found by whoever looks at the bounds
        return _moments_of(rows)


def _moments_of(rows: NDArray[Any]) -> Moments:
    n_columns = rows.shape[1]
    beside = max(1, min(_WIDE // n_columns, len(rows)))
    whole = len(rows) // beside * beside
    wide = rows[:whole].reshape(-1, beside * n_columns)
    values = wide.astype(np.float64)
    mean = _folded(values.mean(axis=0), n_columns).mean(axis=0)
    values -= np.tile(mean, beside)
    found = Moments(
        whole,
        _folded(wide.min(axis=0), n_columns).min(axis=0).astype(np.float64),
        _folded(wide.max(axis=0), n_columns).max(axis=0).astype(np.float64),
        mean,
        _folded(np.einsum("ij,ij->j", values, values), n_columns).sum(axis=0),
    )
    return found.merged(_moments_of(rows[whole:])) if whole < len(rows) else found


def _folded(row: NDArray[Any], n_columns: int) -> NDArray[Any]:
    return row.reshape(-1, n_columns)


def _require_sound(
    moments: Moments, rows: NDArray[Any], start: int, array: Stored, names: tuple[str, ...], key: str
) -> None:
    bad = ~((np.abs(moments.low) <= LARGEST) & (np.abs(moments.high) <= LARGEST))
    if not bad.any():
        return
    column = int(bad.argmax())
    values = rows[:, column]
    if np.isnan(values).any():
        place = 1 + start + int(np.isnan(values).argmax())
        raise array.file.refused(
            f"must hold no missing values where it streams, got one in column {quoted(names[column])}, row {place}."
            " Fill them in.",
            key="data.missing",
        )
    row = int((~(np.abs(values) <= LARGEST)).argmax())
    raise array.file.refused(
        f"must hold finite numbers below {LARGEST}, got {values[row]} in row {start + row + 1}. Correct it.", key=key
    )
