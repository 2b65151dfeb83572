"""Examples with a missing value: refused, or left out, and told either way."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainer.data.refusal import DataFile
from trainer.text import quoted


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

    def settle(self, drop: bool, file: DataFile, place: Callable[[int], tuple[str, int]]) -> tuple[str, ...]:
        """Return the warning that examples are left out, if any are.

        Args:
            drop: whether examples may be left out.
            file: whose examples they are.
            place: gives an example's place in words, and its line, for its row.

        Raises:
            ConfigError: values are missing and no example may be left out, or none would be left.
        """
        if not self._columns:
            return ()
        dropped = int(self.rows.sum())
        if drop and dropped < self.size:
            return (f"{dropped} of {self.size} examples are left out: they miss a value",)
        name, count, row = self._columns[0]
        words, line = place(row)
        if drop:
            raise file.refused("must hold examples without missing values, got none. Fill them.")
        more = len(self._columns) - 1
        others = f", and more in {more} other column{'s' if more > 1 else ''}" if more else ""
        raise file.refused(
            f"must hold no missing values, got {count} in column {quoted(name)}, the first in {words}{others}."
            ' Fill them, or set data.missing = "drop" to leave those examples out.',
            line=line,
        )
