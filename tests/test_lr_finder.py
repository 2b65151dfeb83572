import math
import threading

import numpy as np
import pytest

import presets
from trainer import devices
from trainer.call_size import updates_with_room
from trainer.config import Config
from trainer.horizons import MOST_EPOCHS
from trainer.lr_finder import Cancelled, Progress, find, judged
from trainer.preparation import Prepared, prepare
from trainer.problems import ConfigError

devices.prepare_jax()

RATES = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0])


@pytest.mark.parametrize(
    ("losses", "suggestion", "words"),
    [
        ([2.0, 1.5, 0.5, 1.0, 3.0], 1e-2, "lowest, 0.5, at 0.01; 0.01 is the smallest rate"),
        ([2.0, 0.55, 0.5, 1.0, 3.0], 1e-3, "lowest, 0.5, at 0.01; 0.001 is the smallest rate"),
        ([2.0, 1.5, 0.5, 1.0, math.nan], 1e-2, "and from 1 on training makes it worse."),
        ([2.0, 1.5, 0.5, 2.5, math.inf], 1e-2, "and from 0.1 on training makes it worse."),
        ([2.0, 1.9, 1.5, 1.0, 0.5], 1.0, "within 5% of that fall."),
        ([2.0, 2.0, 1.99, 2.0, 3.0], None, "no rate lowers the loss (2) in 200 updates."),
        ([-2.0, -2.5, -4.0, -1.0, 9.0], 1e-2, "lowest, -4, at 0.01; 0.01 is the smallest rate"),
        ([0.5, 0.4, -4.0, -4.1, math.nan], 1e-2, "lowest, -4.1, at 0.1; 0.01 is the smallest rate"),
        ([math.nan] * 5, None, "the loss is no number at any of these rates."),
        ([math.inf, 2.0, 1.0, 2.0, 2.0], 1e-2, "0.01 is the smallest rate"),
    ],
)
def test_the_suggestion_is_the_smallest_rate_that_falls_nearly_as_far_as_any(
    losses: list[float], suggestion: float | None, words: str
) -> None:
    found, reason = judged(RATES, np.array(losses), 200)
    assert found == suggestion
    assert words in reason


def test_the_finder_suggests_a_rate_that_learns_and_sees_those_that_do_not() -> None:
    prepared = prepare(presets.load("iris-first"))
    found = find(prepared, 1e-6, 1e3, count=19, updates=120)
    assert (found.rates[0], found.rates[-1], len(found.rates)) == (1e-6, 1e3, 19)
    assert found.suggestion is not None
    assert 1e-3 < found.suggestion < 0.5
    best = found.losses[found.rates.tolist().index(found.suggestion)]
    assert best < 0.3 * found.losses[0]
    assert not found.losses[-1] < found.losses[0]


def test_a_network_that_cannot_learn_gets_no_suggestion() -> None:
    found = find(prepare(presets.load("bad-initializer")), count=4, updates=40)
    assert found.suggestion is None
    assert "no rate lowers the loss (2.30" in found.reason


def test_a_finder_of_many_epochs_measures_the_last_updates_of_all_its_calls() -> None:
    """One update an epoch, more epochs than a call has room for; at a rate of nearly 0 the loss stays what it was."""
    prepared = prepare(Config().changed({"data.source": "iris", "training.batch_size": 120, "model.hidden": []}))
    found = find(prepared, 1e-12, 1e-11, count=2, updates=600)
    short = find(prepared, 1e-12, 1e-11, count=2, updates=4)
    np.testing.assert_allclose(found.losses, short.losses, rtol=1e-4)


def test_a_call_that_begins_within_an_epoch_ends_with_the_last_epoch_that_has_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two updates an epoch; the first call makes one, so that the others begin in the middle of an epoch."""
    monkeypatch.setattr("trainer.call_size._SECONDS", 60.0)
    prepared = prepare(Config().changed({"data.source": "iris", "training.batch_size": 60, "model.hidden": []}))
    told: list[int] = []
    found = find(prepared, 1e-12, 1e-11, count=2, updates=2000, tell=lambda progress: told.append(progress.updates))
    short = find(prepared, 1e-12, 1e-11, count=2, updates=8)
    assert told == [0, 1, 9, 73, 328, 584, 840, 1096, 1352, 1500, 1756]
    np.testing.assert_allclose(found.losses, short.losses, rtol=1e-4)


def test_updates_are_counted_that_a_call_made_and_not_those_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.call_size._SECONDS", 60.0)
    monkeypatch.setattr("trainer.lr_finder.updates_with_room", lambda *_: 1 << 20)
    prepared = prepare(Config().changed({"data.source": "iris", "training.batch_size": 60, "model.hidden": []}))
    told: list[int] = []
    find(prepared, 1e-12, 1e-11, count=2, updates=2000, tell=lambda progress: told.append(progress.updates))
    assert told[:6] == [0, 1, 9, 73, 328, 584]


@pytest.mark.parametrize("step", range(4))
def test_a_call_has_room_to_the_end_of_its_last_epoch(step: int) -> None:
    room = updates_with_room(step, 3)
    ends = [update for update in range(step + 1, step + room + 1) if update % 3 == 0]
    assert (len(ends), ends[-1]) == (MOST_EPOCHS, step + room)


def test_how_updates_are_grouped_into_calls_changes_nothing_and_each_call_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = prepare(Config().changed({"data.source": "iris", "training.batch_size": 16, "model.hidden": [4]}))
    one_by_one: list[int] = []
    few: list[int] = []
    monkeypatch.setattr("trainer.call_size._SECONDS", 0.0)
    slow = find(prepared, 1e-4, 1.0, count=3, updates=40, tell=lambda progress: one_by_one.append(progress.updates))
    monkeypatch.setattr("trainer.call_size._SECONDS", 60.0)
    fast = find(prepared, 1e-4, 1.0, count=3, updates=40, tell=lambda progress: few.append(progress.updates))
    np.testing.assert_allclose(slow.losses, fast.losses, rtol=1e-6)
    assert one_by_one == list(range(40))
    assert few == [0, 1, 9, 30], "each call may be eight times as long as the one before; the last ones are measured"


def test_a_finder_that_is_told_to_end_does_so_after_the_call_under_way() -> None:
    prepared = prepare(Config().changed({"data.source": "iris", "training.batch_size": 16, "model.hidden": [4]}))
    cancelled = threading.Event()
    told: list[int] = []

    def tell(progress: Progress) -> None:
        told.append(progress.updates)
        if progress.updates:
            cancelled.set()

    with pytest.raises(Cancelled):
        find(prepared, 1e-4, 1.0, count=3, updates=1_000_000, cancelled=cancelled, tell=tell)
    assert told == [0, 1]


def test_a_finder_that_is_told_it_is_enough_judges_by_what_it_has_from_a_quarter_of_the_updates_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainer.call_size._SECONDS", 0.0)
    prepared = prepare(presets.load("iris-first"))
    enough = threading.Event()
    enough.set()
    told: list[Progress] = []
    early = find(prepared, 1e-6, 1e3, count=19, updates=160, enough=enough, tell=told.append)
    assert [progress.updates for progress in told] == list(range(41))
    assert {progress.least for progress in told} == {40}
    whole = find(prepared, 1e-6, 1e3, count=19, updates=40)
    assert early.updates == 40
    np.testing.assert_array_equal(early.losses, whole.losses)
    np.testing.assert_array_equal(told[-1].losses, early.losses)
    assert (early.suggestion, early.reason) == (whole.suggestion, whole.reason)


def test_a_finder_tells_the_losses_so_far_and_the_time_left_once_a_few_updates_are_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainer.call_size._SECONDS", 0.0)
    prepared = prepare(Config().changed({"data.source": "iris", "training.batch_size": 16, "model.hidden": [4]}))
    told: list[Progress] = []
    found = find(prepared, 1e-4, 1.0, count=3, updates=40, tell=told.append)
    assert np.isnan(told[0].losses).all()
    assert all(np.isfinite(progress.losses).all() for progress in told[1:])
    np.testing.assert_array_equal(told[-1].rates, found.rates)
    left = [progress.seconds_left for progress in told]
    assert left[:3] == [None] * 3
    assert all(seconds is not None and 0 < seconds < 60 for seconds in left[3:])


def test_copies_that_no_memory_holds_are_refused_before_they_are_made() -> None:
    small = prepare(Config().changed({"data.source": "iris"}))
    large = Prepared(small.config.changed({"model.hidden": [40_000, 40_000]}), small.splits)
    with pytest.raises(ConfigError, match=r"must fit into memory: .* parameters of 48 networks"):
        find(large)


def test_a_range_that_is_none_is_refused() -> None:
    prepared = prepare(Config().changed({"data.source": "iris"}))
    for arguments in ((1.0, 1.0), (0.0, 1.0), (2.0, 1.0), (1e-3, 1.0, 1), (1e-3, 1.0, 5, 3)):
        with pytest.raises(ValueError, match="must ascend above 0"):
            find(prepared, *arguments)
