"""The same epochs stop, cut and save as in Keras, whose own callbacks are played beside ours on scripted metrics."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.callbacks import (
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
)

# Importing Keras takes seconds, so one worker does it for all.
pytestmark = [
    pytest.mark.xdist_group("keras"),
    pytest.mark.filterwarnings("ignore:.*which is not available:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    # To Keras a metric beyond single precision is infinite.
    pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning"),
]
many = settings(max_examples=400, deadline=None)


# A coarse grid gives ties and differences of exactly min_delta; its last bits, in either precision, give near misses.
grid = st.builds(lambda steps, unit: steps * unit, st.integers(-6, 6), st.sampled_from([1.0, 0.1, 1e-4]))
near = st.builds(lambda value, ulps: float(np.float32(1 + value) * (1 + ulps * 2.0**-24)), grid, st.integers(-3, 3))
value = st.one_of(grid, near, st.floats(allow_nan=False, allow_infinity=False), st.floats(-2e-38, 2e-38))
runs = st.tuples(value, st.integers(1, 4)).map(lambda run: [run[0]] * run[1])
sequence = st.lists(runs, min_size=1, max_size=12).map(lambda plateaus: [value for run in plateaus for value in run])
sequence_with_gaps = st.lists(st.one_of(runs, st.just([None])), min_size=1, max_size=12).map(
    lambda plateaus: [value for run in plateaus for value in run]
)
watched = {"monitor": st.just("val_loss"), "mode": st.sampled_from(["auto", "min", "max"])}
min_delta = st.sampled_from([0.0, 1e-4, -1e-4, 0.1, 1.0, 1e-9])


def logs(value: float | None) -> dict[str, float]:
    return {"loss": 0.5} if value is None else {"loss": 0.5, "val_loss": value}


def our_epochs(callback: Any, values: list[float | None], action: type) -> list[int]:
    ends = (EpochEnd(epoch, logs(value), 0.1) for epoch, value in enumerate(values))
    return [end.epoch for end in ends if any(isinstance(found, action) for found in callback.on_epoch_end(end))]


@many
@given(
    values=sequence_with_gaps,
    arguments=st.fixed_dictionaries(
        {
            **watched,
            "patience": st.integers(0, 5),
            "min_delta": min_delta,
            "baseline": st.none() | grid | near,
            "start_from_epoch": st.integers(0, 6),
        }
    ),
)
def test_early_stopping_stops_at_the_epochs_of_keras(
    keras: Any, values: list[float | None], arguments: dict[str, Any]
) -> None:
    theirs, model, stops = keras.callbacks.EarlyStopping(**arguments), SimpleNamespace(), []
    theirs.set_model(model)
    theirs.on_train_begin()
    for epoch, value in enumerate(values):
        model.stop_training = False
        theirs.on_epoch_end(epoch, logs(value))
        if model.stop_training:
            stops.append(epoch)
    ours = EarlyStopping(EarlyStoppingSection(**arguments))
    assert our_epochs(ours, values, Stop) == stops


def keras_cuts(theirs: Any, optimizer: Any, values: list[float | None]) -> list[tuple[int, float, float]]:
    theirs.set_model(SimpleNamespace(optimizer=optimizer))
    theirs.on_train_begin()
    cuts = []
    for epoch, value in enumerate(values):
        before = float(optimizer.learning_rate)
        optimizer.changes = 0
        theirs.on_epoch_end(epoch, logs(value))
        if optimizer.changes:
            cuts.append((epoch, before, float(optimizer.learning_rate)))
    return cuts


def our_cuts(ours: ReduceLROnPlateau, rate: float, values: list[float | None]) -> list[tuple[int, float, float]]:
    cuts = []
    for epoch, value in enumerate(values):
        for action in ours.on_epoch_end(EpochEnd(epoch, logs(value), rate)):
            if isinstance(action, ReduceLearningRate):
                assert action.from_ == rate
                cuts.append((epoch, float(np.float32(action.from_)), action.to))
                rate = action.to
    return cuts


@many
@given(
    values=sequence_with_gaps,
    rate=st.sampled_from([1.0, 0.1, 0.05, 3e-4, 1e-7]) | st.floats(1e-6, 10),
    arguments=st.fixed_dictionaries(
        {
            **watched,
            "patience": st.integers(0, 4),
            "min_delta": min_delta,
            "cooldown": st.integers(0, 4),
            "factor": st.sampled_from([0.1, 0.5, 0.9, 1 - 2.0**-25]) | st.floats(0.01, 0.99),
            "min_lr": st.sampled_from([0.0, 1e-7, 3e-4, 0.05, 0.1]) | st.floats(0, 0.2),
        }
    ),
)
def test_the_learning_rate_is_cut_at_the_epochs_of_keras_and_to_the_same_bits(
    keras: Any, values: list[float | None], rate: float, arguments: dict[str, Any]
) -> None:
    class Optimizer(keras.optimizers.SGD):  # type: ignore[misc]
        def __setattr__(self, name: str, value: Any) -> None:
            if name == "learning_rate":
                self.changes += 1
            super().__setattr__(name, value)

    theirs = keras_cuts(keras.callbacks.ReduceLROnPlateau(**arguments), Optimizer(rate), values)
    assert our_cuts(ReduceLROnPlateau(ReduceLROnPlateauSection(**arguments)), rate, values) == theirs


class Model:
    """Notes that it was saved, and forgets it when asked."""

    def __init__(self) -> None:
        self.saved = False

    def save_weights(self, path: str, overwrite: bool) -> None:
        self.saved = True

    def was_saved(self) -> bool:
        saved, self.saved = self.saved, False
        return saved


def keras_saves(theirs: Any, values: list[float]) -> list[int]:
    model, saves = Model(), []
    theirs.set_model(model)
    theirs.on_train_begin()
    for epoch, value in enumerate(values):
        theirs.on_epoch_begin(epoch)
        theirs.on_epoch_end(epoch, logs(value))
        if model.was_saved():
            saves.append(epoch)
    return saves


@many
@given(
    values=sequence,
    arguments=st.fixed_dictionaries(
        {**watched, "save_best_only": st.booleans(), "initial_value_threshold": st.none() | grid | near}
    ),
)
def test_checkpoints_are_saved_at_the_epochs_of_keras(
    keras: Any, values: list[float], arguments: dict[str, Any]
) -> None:
    theirs = keras.callbacks.ModelCheckpoint("model.weights.h5", save_weights_only=True, **arguments)
    ours = ModelCheckpoint(ModelCheckpointSection(**arguments))
    assert our_epochs(ours, list(values), Save) == keras_saves(theirs, values)


@many
@given(epochs=st.integers(1, 6), batches=st.integers(1, 9), per_call=st.integers(1, 4), save_freq=st.integers(1, 12))
def test_checkpoints_are_saved_at_the_updates_of_keras(
    keras: Any, epochs: int, batches: int, per_call: int, save_freq: int
) -> None:
    theirs = keras.callbacks.ModelCheckpoint("model.weights.h5", save_weights_only=True, save_freq=save_freq)
    ours = ModelCheckpoint(ModelCheckpointSection(save_best_only=False, save_freq=save_freq))
    model = Model()
    theirs.set_model(model)
    for epoch in range(epochs):
        theirs.on_epoch_begin(epoch)
        for batch in [*range(per_call - 1, batches - 1, per_call), batches - 1]:
            theirs.on_train_batch_end(batch, logs(None))
            assert bool(ours.on_updates(epoch * batches + batch + 1)) == model.was_saved()
