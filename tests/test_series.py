"""Series that are recorded together are what each would be by itself."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trainer.series import Curves, Series

ADDS = st.tuples(st.integers(0, 2), st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False), max_size=3))
CUTS = st.integers(0, 9)


@given(st.lists(st.one_of(ADDS, CUTS), max_size=30))
def test_whatever_a_record_lacks_or_a_replay_takes_back_each_has_its_own_points(doings: list[Any]) -> None:
    curves: Curves[str] = Curves()
    plain: dict[str, list[tuple[float, ...]]] = {}
    epochs = 0
    for place, doing in enumerate(doings):
        if isinstance(doing, tuple):
            more, values = doing
            epochs += more
            curves.add(epochs, 10 * place, 0.5 * place, values)
            for name, value in values.items():
                plain.setdefault(name, []).append((epochs, 10 * place, 0.5 * place, value))
        else:
            epochs = min(epochs, doing)
            curves.cut(doing)
            plain = {name: [point for point in points if point[0] <= doing] for name, points in plain.items()}
    found = {
        name: [*zip(*(series.x(axis) for axis in ("epochs", "steps", "seconds")), series.y, strict=True)]
        for name, series in curves.items()
    }
    assert found == plain
    assert {name: len(series) for name, series in curves.items()} == {name: len(them) for name, them in plain.items()}


def test_what_a_series_gives_are_copies() -> None:
    curves: Curves[str] = Curves()
    for index in range(3):
        curves.add(index, 10 * index, 0.5 * index, {"loss": math.inf})
    curves["loss"].x("steps")[0] = 99
    curves.add(3, 30, 1.5, {"loss": 4.0})
    assert curves["loss"].x("steps").tolist() == [0, 10, 20, 30]
    assert (len(curves["loss"]), curves["loss"].last) == (4, 4.0)


def test_one_without_places_is_empty() -> None:
    assert (len(Series()), Series().x("epochs").tolist(), Series().y.tolist()) == (0, [], [])
