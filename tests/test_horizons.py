"""The device counts the callbacks' horizons down; it may end a call too soon, never too late."""

import math
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import devices, horizons
from trainer.callbacks import (
    Action,
    Callback,
    EarlyStopping,
    EarlyStoppingSection,
    EpochEnd,
    ReduceLearningRate,
    ReduceLROnPlateau,
    ReduceLROnPlateauSection,
    Warn,
)
from trainer.horizons import MOST_EPOCHS
from trainer.numbers import shortest

devices.prepare_jax()

NAMES = ("loss", "val_loss")
ONE = np.float32(1)
ULP = float(np.spacing(ONE))

after = jax.jit(horizons.after)


def early_stopping(**arguments: object) -> Callback:
    return EarlyStopping(EarlyStoppingSection.model_validate(arguments))


def plateau(**arguments: object) -> Callback:
    callback = ReduceLROnPlateau(ReduceLROnPlateauSection.model_validate(arguments))
    callback.on_learning_rate_set(0.1)
    return callback


def on_device(callbacks: Sequence[Callback], values: Sequence[float]) -> int:
    """Return how many epochs of these a call makes."""
    told = horizons.unpack(jnp.asarray(horizons.pack(callbacks, NAMES)))
    for done, value in enumerate(values):
        if not horizons.are_open(told):
            return done
        told = after(told, jnp.array([0.5, value], jnp.float32))
    return len(values)


def calls(callbacks: Sequence[Callback], values: Sequence[float]) -> Iterator[tuple[range, list[tuple[int, Action]]]]:
    """Yield the epochs of each call and what was done in them; the host sees them only after the call."""
    rate, first = 0.1, 0
    while first < len(values):
        epochs = range(first, first + on_device(callbacks, values[first:]))
        assert epochs
        ends = [EpochEnd(epoch, {"loss": 0.5, "val_loss": shortest(values[epoch])}, rate) for epoch in epochs]
        actions = [
            (end.epoch, action) for end in ends for callback in callbacks for action in callback.on_epoch_end(end)
        ]
        yield epochs, actions
        rate = next((action.to for _, action in actions if isinstance(action, ReduceLearningRate)), rate)
        first = epochs.stop


near = st.integers(-12, 12).map(lambda ulps: 1 + ulps * ULP)
value = st.sampled_from([0.0, -1.0, 1e-40, 1.5, 2.0, 3.0, math.nan, math.inf, -math.inf, 1e38, 0.5, 0.9999, 0.9998])
values = st.lists(near | value | st.floats(-4, 4, width=32), max_size=24)
watched = {
    "mode": st.sampled_from(["auto", "max"]),
    "patience": st.integers(0, 4),
    "min_delta": st.sampled_from([0.0, 1e-7, 1e-4, 0.5, -0.5]),
    "monitor": st.sampled_from(["val_loss", "val_loss", "loss", "there_is_none"]),
}
stopping = st.fixed_dictionaries(
    {**watched, "baseline": st.sampled_from([None, None, 1.0]), "start_from_epoch": st.integers(0, 6)}
).filter(lambda arguments: arguments["monitor"] != "there_is_none" or arguments["mode"] != "auto")
cutting = st.fixed_dictionaries(
    {**watched, "cooldown": st.integers(0, 4), "min_lr": st.sampled_from([0.0, 0.05, 0.1])}
).filter(lambda arguments: arguments["monitor"] != "there_is_none" or arguments["mode"] != "auto")


@settings(max_examples=400, deadline=None)
@given(st.none() | cutting, st.none() | stopping, values)
def test_nothing_is_done_before_the_last_epoch_of_a_call(
    cut: dict[str, object] | None, stop: dict[str, object] | None, values: list[float]
) -> None:
    made = [plateau(**cut)] if cut else []
    made += [early_stopping(**stop)] if stop else []
    for epochs, actions in calls(made, values):
        for epoch, action in actions:
            assert epoch == epochs[-1] or isinstance(action, Warn)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("make", [early_stopping, plateau])
def test_improvement_makes_a_call_longer_than_the_patience(make: Callable[..., Callback], mode: str) -> None:
    callback = make(patience=2, mode=mode, min_delta=0.01)
    sign = 1 if mode == "min" else -1
    falling = [sign * (5 - 0.1 * epoch) for epoch in range(MOST_EPOCHS + 1)]
    callback.on_epoch_end(EpochEnd(0, {"val_loss": falling[0]}, 0.1))
    assert callback.horizon == 2
    assert on_device([callback], falling[1:]) == MOST_EPOCHS
    # Slower than min_delta: the best of a flat metric ends the call where the patience ends.
    assert on_device([callback], [falling[0] - sign * 0.001 * epoch for epoch in range(1, MOST_EPOCHS)]) == 2


def test_the_shortest_horizon_bounds_the_call() -> None:
    short, long = early_stopping(patience=3), early_stopping(patience=9)
    for callback in (short, long):
        callback.on_epoch_end(EpochEnd(0, {"val_loss": 1.0}, 0.1))
    assert on_device([short, long], [2.0] * MOST_EPOCHS) == 3
    assert on_device([long], [2.0] * MOST_EPOCHS) == 9
    assert on_device([long], [2.0, 0.5, *[2.0] * MOST_EPOCHS]) == 11
    assert on_device([], [2.0] * MOST_EPOCHS * 2) == MOST_EPOCHS


@pytest.mark.parametrize("ulps", [-2, -1, 1, 2])
def test_a_change_that_rounding_could_make_is_for_the_host_to_judge(ulps: int) -> None:
    callback = early_stopping(patience=9)
    callback.on_epoch_end(EpochEnd(0, {"val_loss": 1.0}, 0.1))
    assert on_device([callback], [1 + ulps * ULP] * MOST_EPOCHS) == 1
    assert on_device([callback], [1.0] * MOST_EPOCHS) == 9


def test_improvement_above_the_baseline_gives_nothing_back() -> None:
    callback = early_stopping(patience=4, baseline=0.5)
    callback.on_epoch_end(EpochEnd(0, {"val_loss": 5.0}, 0.1))
    assert on_device([callback], [4.0 - 0.1 * epoch for epoch in range(MOST_EPOCHS)]) == callback.horizon == 3
