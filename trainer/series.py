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
        """Begin at one of the places; without them it is empty and stays so."""
        self._values = array("d")
        self._places = places or _Places()
        self._start = start

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


class Curves(dict[_Key, Series]):
    """Series by name, of one kind of records."""

    def __init__(self) -> None:
        super().__init__()
        self._places = _Places()
        self._alone: set[_Key] = set()

    def add(self, epochs: float, steps: float, seconds: float, values: Mapping[_Key, float]) -> None:
        """Add a point to each series that has a value, and begin those that are new.

        One that has none lies apart from the others from then on.

        Args:
            epochs: done, no fewer than at the last point.
            steps: updates done.
            seconds: trained.
            values: by the names of their series.
        """
        before = len(self._places)
        self._places.append(epochs, steps, seconds)
        for name, value in values.items():
            series = self.get(name)
            if series is None:
                series = self[name] = Series(self._places, before)
            elif name in self._alone:
                series._places.append(epochs, steps, seconds)
            series._values.append(value)
        if len(values) < len(self):
            for name in self.keys() - values.keys() - self._alone:
                self._part(name)

    def cut(self, epochs: float) -> None:
        """Forget the points after so many epochs; they are the last."""
        shared = self._places.until(epochs)
        self._places.cut(shared)
        for name, series in self.items():
            kept = series._places.until(epochs) if name in self._alone else max(0, shared - series._start)
            if name in self._alone:
                series._places.cut(kept)
            else:
                series._start = min(series._start, shared)
            del series._values[kept:]

    def _part(self, name: _Key) -> None:
        series = self[name]
        series._places = self._places.part(series._start, series._start + len(series))
        series._start = 0
        self._alone.add(name)
