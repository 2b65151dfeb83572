"""Missing values: refused, left out with their example, or filled in; and told in any case."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trainer.data.refusal import DataFile, refused
from trainer.data.section import Missing, Table
from trainer.data.split import Rows
from trainer.text import clipped, quoted

_SHOWN = 3


@dataclass(slots=True)
class Gaps:
    """Collects where values are missing, column by column.

    Attributes:
        size: number of examples.
        rows: whether an example misses a value, shape [size].
    """

    size: int
    rows: NDArray[np.bool_] = field(init=False)
    _columns: list[tuple[str, int, int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.rows = np.zeros(self.size, np.bool_)

    def add(self, name: str, missing: NDArray[np.bool_]) -> None:
        """Note the missing values of a column, shape [size]."""
        if missing.any():
            self._columns.append((name, int(missing.sum()), int(missing.argmax())))
            self.rows |= missing

    def settle(self, missing: Missing, file: DataFile, place: Callable[[int], tuple[str, int]]) -> tuple[str, ...]:
        """Return the warning that examples are left out, if any are.

        Args:
            missing: what to do; where values are filled in, only those of the target were noted.
            file: whose examples they are.
            place: gives an example's place in words, and its line, for its row.

        Raises:
            ConfigError: values are missing and no example may be left out, or none would be left.
        """
        if not self._columns:
            return ()
        dropped = int(self.rows.sum())
        if missing == "error":
            raise self._refused(file, place)
        if dropped == self.size:
            empty = next((name for name, count, _ in self._columns if count == self.size), None)
            what = (
                "Fill them."
                if empty is None
                else f"Column {quoted(empty)} is empty: fill it, or name it in data.ignore."
            )
            raise file.refused(f"must hold examples without missing values, got none. {what}")
        what = "a value" if missing == "drop" else "the target"
        return (file.told(f"{dropped} of {self.size} examples are left out: they miss {what}"),)

    def _refused(self, file: DataFile, place: Callable[[int], tuple[str, int]]) -> Exception:
        name, count, row = self._columns[0]
        words, line = place(row)
        more = len(self._columns) - 1
        others = f", and more in {more} other column{'s' if more > 1 else ''}" if more else ""
        return file.refused(
            f"must hold no missing values, got {count} in column {quoted(name)}, the first in {words}{others}."
            ' Set data.missing = "drop" to leave those examples out, or "impute" to fill the values in.',
            line=line,
        )


def fill_values(table: Table, train: Rows) -> NDArray[np.float64] | None:
    """Return what to fill in for each feature, its median in the training part; None where no value is missing.

    NaN for features of which none is missing. Arguments and exceptions as for `imputed`.
    """
    if table.x.dtype.kind != "f" or not np.isnan(table.x.min()):
        return None
    medians = np.full(table.x.shape[1], np.nan)
    for column in np.flatnonzero(np.isnan(table.x).any(axis=0)):
        known = table.x[train, column][~np.isnan(table.x[train, column])]
        if not known.size:
            name = quoted(table.feature_names[column])
            raise refused(
                f"must have values to fill in from, got none in column {name}. Name that column in data.ignore.",
                "data.missing",
            )
        medians[column] = np.median(known)
    return medians


def imputed(table: Table, train: Rows) -> Table:
    """Return the table with every missing number as the median of its column in the training part, and a warning.

    Args:
        table: any.
        train: rows of the training part.

    Raises:
        ConfigError: a column has no value in the training part.
    """
    medians = fill_values(table, train)
    if medians is None:
        return table
    gaps = np.isnan(table.x)
    x = table.x.copy()
    for column in np.flatnonzero(gaps.any(axis=0)):
        x[gaps[:, column], column] = medians[column]
    count = int(gaps.sum())
    names = listed([table.feature_names[column] for column in np.flatnonzero(gaps.any(axis=0))])
    warning = f"{count} missing values are filled in by the median of the training part, in {names}"
    return replace(table, x=x, warnings=(*table.warnings, warning))


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(clipped(name, 40) for name in names[:_SHOWN]) + more
