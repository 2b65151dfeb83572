"""Series: numbers over the course of a training. Those that are recorded together share where their points lie."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from trainer.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AXES = ("epochs", "steps", "seconds")

_Key = TypeVar("_Key")


class _Places:
    """Where points lie: epochs done (a fraction within one), updates done, seconds trained."""

    def __init__(self, columns: Mapping[str, array[float]] | None = None) -> None:
        self.columns = columns or {axis: array("d") for axis in _AXES}

    def __len__(self) -> int:
        return len(self.columns["epochs"])

    def append(self, *place: float) -> None:
        for column, number in zip(self.columns.values(), place, strict=True):
            column.append(number)

    def until(self, epochs: float) -> int:
        """Return how many of them lie no later."""
        return sum(done <= epochs for done in self.columns["epochs"])

    def cut(self, count: int) -> None:
        for column in self.columns.values():
            del column[count:]

    def part(self, start: int, end: int) -> _Places:
        return _Places({axis: column[start:end] for axis, column in self.columns.items()})


class Series:
    """One number after the other, against epoch, step and seconds. `x` and `y` copy."""

    def __init__(self, places: _Places | None = None, start: int = 0) -> None:
        """Begin at one of the places, which others share; without them it is empty and stays so."""
        self._values = array("d")
        self._places = places or _Places()
        self._start = start
        self._is_alone = False

    def __len__(self) -> int:
        return len(self._values)

    def x(self, axis: str) -> NDArray[np.float64]:
        """Return the places on an axis: "epochs", "steps" or "seconds"."""
        return np.array(memoryview(self._places.columns[axis])[self._start : self._start + len(self)])

    @property
    def y(self) -> NDArray[np.float64]:
        """Return the values."""
        return np.array(self._values)

    @property
    def last(self) -> float:
        """Return the newest value."""
        return self._values[-1]

    def _append(self, place: tuple[float, ...], value: float) -> None:
        if self._is_alone:
            self._places.append(*place)
        self._values.append(value)

    def _part(self) -> None:
        """Have places of its own from now on."""
        if not self._is_alone:
            self._places = self._places.part(self._start, self._start + len(self))
            self._start, self._is_alone = 0, True

    def _cut(self, epochs: float, shared: int) -> None:
        """Forget the points after so many epochs, of which so many places are left to those that share them."""
        if self._is_alone:
            kept = self._places.until(epochs)
            self._places.cut(kept)
        else:
            kept = max(0, shared - self._start)
            self._start = min(self._start, shared)
        del self._values[kept:]


class Curves(dict[_Key, Series]):
    """Series by name, of one kind of records."""

    def __init__(self) -> None:
        super().__init__()
        self._places = _Places()

    def add(self, epochs: float, steps: float, seconds: float, values: Mapping[_Key, float]) -> None:
        """Add a point to each series that has a value, and begin those that are new.

        One that has none lies apart from the others from then on.

        Args:
            epochs: done, no fewer than at the last point.
            steps: updates done.
            seconds: trained.
            values: by the names of their series.
        """
        place = epochs, steps, seconds
        before = len(self._places)
        self._places.append(*place)
        for name, value in values.items():
            if name not in self:
                self[name] = Series(self._places, before)
            self[name]._append(place, value)
        if len(values) < len(self):
            for name in self.keys() - values.keys():
                self[name]._part()

    def cut(self, epochs: float) -> None:
        """Forget the points after so many epochs; they are the last."""
        shared = self._places.until(epochs)
        self._places.cut(shared)
        for series in self.values():
            series._cut(epochs, shared)
