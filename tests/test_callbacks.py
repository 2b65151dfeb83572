import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trainer.callbacks import (
    UNBOUNDED,
    Action,
    Callback,
    Callbacks,
    EarlyStopping,
    EarlyStoppingSection,
    EpochEnd,
    ModelCheckpoint,
    ModelCheckpointSection,
    ReduceLearningRate,
    ReduceLROnPlateau,
    ReduceLROnPlateauSection,
    Save,
    Stop,
    Warn,
    build,
    is_better,
    metric_direction,
)
from trainer.problems import ConfigError

Values = Sequence[float | None]
NAN, INF = math.nan, math.inf


def early_stopping(**arguments: Any) -> EarlyStopping:
    return EarlyStopping(EarlyStoppingSection(**arguments))


def plateau(**arguments: Any) -> ReduceLROnPlateau:
    callback = ReduceLROnPlateau(ReduceLROnPlateauSection(**arguments))
    callback.on_learning_rate_set(0.1)
    return callback


def checkpoint(**arguments: Any) -> ModelCheckpoint:
    return ModelCheckpoint(ModelCheckpointSection(**arguments))


def epoch_end(epoch: int, value: float | None, rate: float = 0.1) -> EpochEnd:
    """Return the end of an epoch; None is an epoch without validation."""
    return EpochEnd(epoch, {"loss": 0.5} if value is None else {"loss": 0.5, "val_loss": value}, rate)


def played(callback: Callback, values: Values, first: int = 0, rate: float = 0.1) -> Iterator[tuple[int, Action]]:
    """Give the epochs to the callback one by one, each with the rate that the cuts before it left."""
    for epoch, value in enumerate(values, first):
        for action in callback.on_epoch_end(epoch_end(epoch, value, rate)):
            yield epoch, action
            if isinstance(action, ReduceLearningRate):
                rate = action.to


def epochs_of(kind: type[Action], callback: Callback, values: Values) -> list[int]:
    return [epoch for epoch, action in played(callback, values) if isinstance(action, kind)]


@pytest.mark.parametrize(
    ("arguments", "losses", "stops"),
    [
        ({"patience": 1}, [3, 2, 1, 0], []),
        ({"patience": 1}, [3, 2, 2], [2]),
        ({"patience": 0}, [3, 2, 2], [2]),
        ({"patience": 2}, [3, 4, 2, 4, 3], [4]),
        ({"patience": 2, "mode": "max"}, [1, 2, 3, 2, 1], [4]),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.75, 2.5], [2]),
        ({"patience": 3, "min_delta": 0.5}, [3, 2.75, 2.5, 2.25, 2.25, 2.25, 2.25], [6]),
        ({"patience": 2, "min_delta": -0.5}, [3, 2.75, 2.5], [2]),
        ({"patience": 1, "start_from_epoch": 2}, [0, 0, 5, 4, 4], [4]),
        ({"patience": 2, "baseline": 1.0}, [5, 4, 4], [2]),
        ({"patience": 2, "baseline": 1.0}, [5, 4, 3, 2, 2], [4]),
        ({"patience": 2, "baseline": 1.0}, [5, 0.5, 2, 2], [3]),
    ],
)
def test_early_stopping_table(arguments: dict[str, Any], losses: Values, stops: list[int]) -> None:
    assert epochs_of(Stop, early_stopping(**arguments), losses) == stops


def test_a_stop_names_the_best_and_what_was_waited() -> None:
    assert list(played(early_stopping(patience=2), [3, 1, 2, 2])) == [(3, Stop("val_loss", 1, 1, 2))]


@pytest.mark.parametrize(
    ("arguments", "losses", "cuts"),
    [
        ({"patience": 1}, [3, 2, 1, 0], []),
        ({"patience": 2}, [1] * 6, [2, 4]),
        ({"patience": 0}, [1] * 3, [1, 2]),
        ({"patience": 2, "cooldown": 1}, [1] * 6, [2, 4]),
        ({"patience": 2, "cooldown": 3}, [1] * 8, [2, 6]),
        ({"patience": 2}, [3, 2, 2, 1, 1, 1], [5]),
        ({"patience": 1, "cooldown": 3}, [3, 3, 2, 2, 2, 2], [1, 4]),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.75, 2.25, 2.0], [1, 3]),
        ({"patience": 1, "mode": "max"}, [1, 2, 2], [2]),
        ({"patience": 1, "min_lr": 0.05}, [1] * 4, [1]),
        ({"patience": 1, "min_lr": 0.1}, [1] * 4, []),
    ],
)
def test_reduce_lr_on_plateau_table(arguments: dict[str, Any], losses: Values, cuts: list[int]) -> None:
    assert epochs_of(ReduceLearningRate, plateau(**arguments), losses) == cuts


@pytest.mark.parametrize(
    ("arguments", "losses", "saves"),
    [
        ({}, [3, 2, 2, 4, 1], [0, 1, 4]),
        ({"mode": "max"}, [3, 2, 2, 4, 1], [0, 3]),
        ({"save_best_only": False}, [3, 4, None, NAN], [0, 0, 1, 2, 3]),
        ({"initial_value_threshold": 2.0}, [3, 2, 1], [2]),
        ({"save_best_only": False, "save_freq": 10}, [3, 2, 1], []),
    ],
)
def test_model_checkpoint_table(arguments: dict[str, Any], losses: Values, saves: list[int]) -> None:
    assert epochs_of(Save, checkpoint(**arguments), losses) == saves


def test_a_save_of_each_epoch_says_which_ones_are_the_best() -> None:
    actions = [action for _, action in played(checkpoint(save_best_only=False), [3, 4, None])]
    each = [Save("epoch", "val_loss", value) for value in (3, 4, None)]
    assert actions == [Save("best", "val_loss", 3), *each]


def test_a_save_is_due_after_so_many_updates_and_counts_from_the_last_one() -> None:
    callback = checkpoint(save_best_only=False, save_freq=10)
    saved = [step for step in (4, 8, 12, 16, 20, 24, 34) if callback.on_updates(step)]
    assert saved == [12, 24, 34]
    assert [callback.updates_until_save(step) for step in (34, 40, 44, 50)] == [10, 4, 1, 1]
    assert checkpoint().updates_until_save(3) == UNBOUNDED


def test_save_freq_needs_every_checkpoint_to_be_wanted() -> None:
    with pytest.raises(ValueError, match="must be 0 while save_best_only is true, got 5"):
        ModelCheckpointSection(save_freq=5)


# What differs from Keras.

monitors = pytest.mark.parametrize("make", [early_stopping, plateau, checkpoint])


@monitors
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_non_finite_value_is_never_a_reference_and_leaves_an_event_each_time(
    make: Callable[..., Callback], value: float, mode: str
) -> None:
    callback = make(mode=mode)
    actions = [action for _, action in played(callback, [value, value])]
    assert [type(action) for action in actions] == [Warn, Warn]
    assert f"val_loss is {value}, which never counts as better" in str(actions[0])
    assert callback.progress().best is None  # type: ignore[union-attr]
    list(played(callback, [5.0, value], first=2))
    assert callback.progress().best == 5.0  # type: ignore[union-attr]


def test_non_finite_values_use_up_patience_and_a_later_finite_one_gives_it_back() -> None:
    assert epochs_of(Stop, early_stopping(patience=3), [NAN, NAN, 3, 2, 1, 1, 1, 1]) == [7]
    assert epochs_of(Stop, early_stopping(patience=2), [3, NAN, INF]) == [2]
    assert epochs_of(ReduceLearningRate, plateau(patience=2), [NAN, NAN, 3, NAN, INF]) == [1, 4]


def test_the_first_epoch_never_stops_a_run() -> None:
    assert epochs_of(Stop, early_stopping(patience=1), [NAN, 2.0, 2.0]) == [2]
    assert epochs_of(Stop, early_stopping(patience=1), [NAN, NAN]) == [1]


@monitors
def test_a_missing_metric_is_told_once_and_is_no_reason_for_anything(make: Callable[..., Callback]) -> None:
    callback = make()
    list(played(callback, [3.0]))
    message = f"callbacks.{callback.name}.monitor must be a metric of the run, got 'val_loss'. Metrics: loss."
    assert list(played(callback, [None] * 9, first=1)) == [(1, Warn(message))]


def test_the_true_best_is_kept_where_min_delta_hides_it_from_patience() -> None:
    ((epoch, action),) = played(early_stopping(patience=3, min_delta=1.0), [10, 9.5, 9.2, 9.3])
    assert (epoch, action) == (3, Stop("val_loss", 9.2, 2, 3))


def test_the_true_best_counts_from_start_from_epoch_on() -> None:
    callback = early_stopping(start_from_epoch=2)
    list(played(callback, [1, 2, 5, 4]))
    where = callback.progress()
    assert where is not None
    assert (where.best, where.best_epoch) == (4, 3)


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), max_size=30), st.integers(0, 4))
def test_a_cooldown_of_one_equals_none(values: list[float], patience: int) -> None:
    without, one = (plateau(patience=patience, cooldown=cooldown) for cooldown in (0, 1))
    assert list(played(without, values)) == list(played(one, values))


def test_a_worse_model_never_replaces_a_better_one_after_a_resume() -> None:
    before, after = checkpoint(), checkpoint()
    list(played(before, [3, 1, 2]))
    after.restore(json.loads(json.dumps(before.state())))
    assert [epoch for epoch, _ in played(after, [2, 1, 0.5], first=3)] == [5]


def test_a_cut_says_from_where_to_where_in_single_precision() -> None:
    cuts = [action for _, action in played(plateau(patience=1, factor=0.1, min_lr=0.005), [1] * 5)]
    tenth, floor = float(np.float32(float(np.float32(0.1)) * 0.1)), float(np.float32(0.005))
    assert cuts == [
        ReduceLearningRate(0.1, tenth, "val_loss", 1, 1),
        ReduceLearningRate(tenth, floor, "val_loss", 1, 1),
    ]


def test_the_order_is_fixed_and_only_enabled_callbacks_are_built() -> None:
    enabled = {name: {"enabled": True} for name in ("model_checkpoint", "early_stopping", "reduce_lr_on_plateau")}
    built = build(Callbacks.model_validate(enabled))
    assert [callback.name for callback in built] == ["reduce_lr_on_plateau", "early_stopping", "model_checkpoint"]
    assert [callback.name for callback in build(Callbacks())] == ["model_checkpoint"]


def test_every_metric_of_unknown_direction_is_refused_at_once() -> None:
    unknown = {"enabled": True, "monitor": "val_charm"}
    section = Callbacks.model_validate({"early_stopping": unknown, "model_checkpoint": unknown})
    with pytest.raises(ConfigError) as caught:
        build(section)
    assert [problem.key for problem in caught.value.problems] == [
        "callbacks.early_stopping.mode",
        "callbacks.model_checkpoint.mode",
    ]


def test_auto_knows_which_end_of_a_metric_is_better() -> None:
    assert (metric_direction("val_loss"), metric_direction("accuracy"), metric_direction("x")) == ("min", "max", None)
    assert epochs_of(Save, checkpoint(monitor="loss", save_best_only=True), [1, 2]) == [0]
    assert is_better(2.0, 1.0, "max")
    assert not is_better(1.0, 1.0, "max")
    assert not is_better(NAN, None, "min")


# What holds for every callback, whatever it is given.

value = st.sampled_from([None, NAN, INF, 0.0, 1.0, 1.0 + 1e-5, 1.5, 2.0, 3.0])
values = st.builds(lambda nans, values: [NAN] * nans + values, st.integers(0, 5), st.lists(value, max_size=20))
watched = {"mode": st.sampled_from(["auto", "max"]), "patience": st.integers(0, 5)}
min_delta = st.sampled_from([0.0, 1e-4, 0.5])
stopping = st.fixed_dictionaries(
    {
        **watched,
        "min_delta": min_delta,
        "baseline": st.sampled_from([None, 0.5, 1.0, 2.0]),
        "start_from_epoch": st.integers(0, 8),
    }
).map(lambda arguments: partial(early_stopping, **arguments))
cutting = st.fixed_dictionaries(
    {
        **watched,
        "min_delta": min_delta,
        "cooldown": st.integers(0, 5),
        "min_lr": st.sampled_from([0.0, 0.01, 0.05, 0.1]),
    }
).map(lambda arguments: partial(plateau, **arguments))
saving = st.fixed_dictionaries(
    {"save_best_only": st.booleans(), "initial_value_threshold": st.sampled_from([None, 1.0])}
).map(lambda arguments: partial(checkpoint, **arguments))
makers: st.SearchStrategy[Callable[[], Callback]] = stopping | cutting | saving
thorough = settings(max_examples=500, deadline=None)


def rate_after(actions: Iterable[tuple[int, Action]]) -> float:
    return [0.1, *(action.to for _, action in actions if isinstance(action, ReduceLearningRate))][-1]


def played_in_blocks(callback: Callback, values: Values) -> Iterator[tuple[int, Action]]:
    """Run as many epochs at once as `horizon` allows, all at one rate, and only then act."""
    rate, epoch = 0.1, 0
    while epoch < len(values):
        assert callback.horizon >= 1
        block = values[epoch : epoch + callback.horizon]
        actions = [
            (index, action)
            for index, value in enumerate(block, epoch)
            for action in callback.on_epoch_end(epoch_end(index, value, rate))
        ]
        epoch += len(block)
        for index, action in actions:
            if isinstance(action, Stop | ReduceLearningRate):
                assert index == epoch - 1
            rate = action.to if isinstance(action, ReduceLearningRate) else rate
        yield from actions


@thorough
@given(makers, values)
def test_nothing_is_done_before_the_last_epoch_of_the_horizon(make: Callable[[], Callback], values: Values) -> None:
    in_blocks = list(played_in_blocks(make(), values))
    one_by_one = list(played(make(), values))
    assert repr(in_blocks) == repr(one_by_one)


@thorough
@given(stopping | cutting, values)
def test_the_horizon_is_no_shorter_than_it_must_be(make: Callable[[], Callback], values: Values) -> None:
    callback = make()
    rate = rate_after(played(callback, values))
    horizon = callback.horizon
    assume(horizon < UNBOUNDED)
    actions = played(callback, [NAN] * horizon, len(values), rate)
    acts = [epoch - len(values) + 1 for epoch, action in actions if not isinstance(action, Warn)]
    assert acts == [horizon]


@thorough
@given(makers, values, st.integers(0, 25))
def test_a_state_that_went_through_json_goes_on_alike(
    make: Callable[[], Callback], values: Values, epochs: int
) -> None:
    before, after = make(), make()
    rate = rate_after(played(before, values[:epochs]))
    after.restore(json.loads(json.dumps(before.state(), allow_nan=False)))
    assert (after.horizon, after.progress()) == (before.horizon, before.progress())
    goes_on = [list(played(callback, values[epochs:], epochs, rate)) for callback in (before, after)]
    assert repr(goes_on[0]) == repr(goes_on[1])
    assert before.state() == after.state()


@thorough
@given(makers, values)
def test_a_flat_metric_is_acted_on_at_the_epoch_that_progress_tells(
    make: Callable[[], Callback], values: Values
) -> None:
    callback = make()
    rate = rate_after(played(callback, values))
    told = callback.progress()
    assert told is not None
    seen = [value for value in values if value is not None and math.isfinite(value)]
    worst = -9.0 if callback.monitor.direction == "max" else 9.0  # type: ignore[attr-defined]
    flat = worst if told.best is None else seen[-1] if seen else told.best
    acts = [epoch for epoch, action in played(callback, [flat] * 25, len(values), rate) if not isinstance(action, Warn)]
    assert acts[:1] == ([] if told.acts_at_epoch is None else [told.acts_at_epoch])


@given(st.floats(0.0, 1.0), st.lists(st.just(1.0), min_size=2, max_size=5))
def test_a_rate_that_a_person_lifts_off_the_floor_is_cut_within_the_horizon(rate: float, flat: list[float]) -> None:
    callback = plateau(patience=2, min_lr=0.1)
    list(played(callback, flat, rate=0.1))
    assert callback.horizon == UNBOUNDED
    callback.on_learning_rate_set(rate)
    assert (callback.horizon == UNBOUNDED) == (np.float32(rate) <= np.float32(0.1))
    horizon = min(callback.horizon, 9)
    cuts = [epoch for epoch, _ in played(callback, [1.0] * horizon, len(flat), rate)]
    assert cuts == ([] if horizon == 9 else [len(flat) + horizon - 1])
