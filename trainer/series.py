"""A series: one number over the course of a training."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from trainer.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Series:
    """One number after the other, against epoch, step and seconds. `x` and `y` copy; appending is cheap."""

    def __init__(self) -> None:
        self._columns = {name: array("d") for name in ("epochs", "steps", "seconds", "values")}

    def append(self, epochs: float, steps: float, seconds: float, value: float) -> None:
        """Add a point: epochs done (a fraction within one), updates done, seconds trained, value."""
        for column, number in zip(self._columns.values(), (epochs, steps, seconds, value), strict=True):
            column.append(number)

    def cut(self, epochs: float) -> None:
        """Forget the points after so many epochs; they are the last."""
        kept = sum(done <= epochs for done in self._columns["epochs"])
        for column in self._columns.values():
            del column[kept:]

    def __len__(self) -> int:
        return len(self._columns["values"])

    def x(self, axis: str) -> NDArray[np.float64]:
        """Return the places on an axis: "epochs", "steps" or "seconds"."""
        return np.array(self._columns[axis])

    @property
    def y(self) -> NDArray[np.float64]:
        """Return the values."""
        return np.array(self._columns["values"])

    @property
    def last(self) -> float:
        """Return the newest value."""
        return self._columns["values"][-1]
