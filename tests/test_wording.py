import math
from typing import Any, get_args

import pytest

from trainer.commands import Stop
from trainer.events import (
    CheckpointSaved,
    Commanded,
    Compiled,
    Diverged,
    EarlyStopped,
    Epoch,
    Event,
    Finished,
    HyperparameterSet,
    Insight,
    Layers,
    LearningRateReduced,
    Paused,
    Reopened,
    Replayed,
    Resumed,
    SavedAgain,
    Spread,
    Started,
    Steps,
    Unsaved,
    Warned,
    WeightsRestored,
)
from trainer.events import (
    Tested as LookedAtTest,
)
from trainer.status import Shown
from tui.happenings import GLYPHS, happening
from tui.wording import STATE_GLYPHS, age, count, duration, metrics_line, number, size


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"), (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "-∞"), (0.0, "0"), (1.0, "1"),
        (0.123456, "0.1235"),
        (1e-3, "0.001"), (123456.0, "1.235e+05"), (-2.5e-7, "-2.5e-07"),
    ],
)  # fmt: skip
def test_a_number_has_four_digits_or_a_word_of_its_own(value: float | None, words: str):
    assert number(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"), (950, "950"), (9999, "9999"), (9999.6, "10k"), (12_345, "12.3k"), (999_499, "999k"), (999_600, "1M"),
        (4_560_000, "4.56M"), (999.6e6, "1G"), (7.2e9, "7.2G"), (-12_345, "-12.3k"),
    ],
)  # fmt: skip
def test_a_count_is_short(value: float, words: str):
    assert count(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"), (0.42, "0.42 s"), (9.9, "9.9 s"), (12.3, "12 s"), (59.4, "59 s"), (59.6, "1:00"), (185.0, "3:05"),
        (3599.6, "1:00:00"), (7807.0, "2:10:07"),
    ],
)  # fmt: skip
def test_a_duration_reads_like_a_clock(seconds: float, words: str):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5.0, "now"),
        (0.0, "now"),
        (59.0, "now"),
        (60.0, "1 min"),
        (7199.0, "1 h"),
        (86_400.0, "1 d"),
        (400_000.0, "4 d"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, words: str):
    assert age(1000.0, 1000.0 + seconds) == words


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0 B"), (1000, "1000 B"), (1023.9, "1 KiB"), (1536, "1.5 KiB"), (104_488, "102 KiB"), (1 << 20, "1 MiB"),
        (1_272_792, "1.21 MiB"), (1000 << 20, "1,000 MiB"), (5 << 40, "5,120 GiB"),
    ],
)  # fmt: skip
def test_an_amount_of_memory_has_three_digits(n_bytes: float, words: str):
    assert size(n_bytes) == words


def test_a_line_of_metrics_leaves_out_what_is_rarely_asked_for():
    metrics = {"loss": 0.5, "val_loss": math.nan, "learning_rate": 0.1, "grad_norm": 3.0}
    assert metrics_line(metrics) == "loss 0.5  val_loss NaN"


def test_every_state_has_a_glyph_of_one_cell():
    assert set(get_args(get_args(Shown)[0])) | {"crashed", "damaged"} == set(STATE_GLYPHS)
    assert all(len(glyph) == 1 for glyph in STATE_GLYPHS.values())


RATE_CUT: dict[str, Any] = {"from_": 0.01, "to": 0.001, "monitor": "val_loss", "best": 0.25, "wait": 3}
TOLD = [
    (Started(n_parameters=17226, device="cpu", steps_per_epoch=9), "training 17.2k parameters on cpu"),
    (
        Started(
            n_parameters=950, device="cpu", steps_per_epoch=9, resumed_from=20, differences=["jax: 1 before, 2 now"]
        ),
        "resumed after epoch 2 and 2 updates: training 950 parameters on cpu; compatible, not exact: jax: 1 before, "
        "2 now",
    ),
    (
        Started(n_parameters=950, device="cpu", steps_per_epoch=9, fork_of="a-run at epoch 3"),
        "fork of a-run at epoch 3: training 950 parameters on cpu",
    ),
    (Replayed(verified=12), "replay verified 12 epochs"),
    (
        Replayed(verified=3, differs_from=7),
        "replay differs from epoch 8: the run is compatible, not exact; 3 before it verified",
    ),
    (Commanded(commands=[Stop()], offset=9), "epoch 1: commands: stop"),
    (SavedAgain(what="records", message="3 lost"), "epoch 1: records saved again; 3 lost"),
    (Compiled(what="advance", seconds=1.234), "compiled advance in 1.23 s"),
    (
        LearningRateReduced(epoch=6, **RATE_CUT),
        "epoch 7: learning rate 0.01 → 0.001: val_loss no better than 0.25 for 3 epochs",
    ),
    (
        EarlyStopped(epoch=9, monitor="val_loss", best=0.2, best_epoch=4, wait=5),
        "epoch 10: stopped early: val_loss no better than 0.2 (epoch 5) for 5 epochs",
    ),
    (
        EarlyStopped(epoch=9, monitor="val_loss", best=None, best_epoch=None, wait=5),
        "epoch 10: stopped early: val_loss no better than – for 5 epochs",
    ),
    (
        CheckpointSaved(epoch=2, step=24, path="p", reason="best", monitor="val_loss", value=0.5),
        "epoch 3: checkpoint saved: best (val_loss 0.5)",
    ),
    (CheckpointSaved(epoch=2, step=24, path="p", reason="end"), "update 24: checkpoint saved: end"),
    (
        WeightsRestored(epoch=4, reason="early_stopping", monitor="val_loss", value=0.2),
        "epoch 5: best weights restored: val_loss 0.2",
    ),
    (
        HyperparameterSet(epoch=1, key="training.epochs", from_=3, to=5, by="the app"),
        "epoch 2: training.epochs 3 → 5, by the app",
    ),
    (Reopened(), "made ready to go on"),
    (Paused(message="paused by the app"), "paused by the app"),
    (Resumed(message="resumed by the app"), "resumed by the app"),
    (Diverged(message="no longer a number"), "no longer a number"),
    (Insight(epoch=4, message="overfitting"), "epoch 5: overfitting"),
    (Warned(message="a column is constant"), "epoch 1: a column is constant"),
    (LookedAtTest(metrics={"test_loss": 0.5}), "test: test_loss 0.5"),
    (Finished(reason="completed", message="all epochs done"), "finished: all epochs done"),
    (Finished(reason="failed"), "failed"),
    (Epoch(epoch=2, metrics={"loss": 0.5}, examples_per_second=1.0), "epoch 3: loss 0.5"),
    (Layers(layers={}, epoch=2), "epoch 3: looked into 0 layers, at most 0% of the units of one dead"),
    (Steps(metrics={"loss": Spread(mean=0.5, min=0.1, max=0.9, last=0.4)}), "epoch 1: loss 0.5"),
]


@pytest.mark.parametrize(("event", "words"), TOLD, ids=[type(event).__name__ for event, _ in TOLD])
def test_what_happened_is_told_in_one_line_with_its_reason(event: Any, words: str):
    assert happening(event) == words


def test_every_kind_of_event_has_words_and_all_but_measurements_a_glyph():
    kinds = set(get_args(get_args(Event)[0]))
    assert {type(event) for event, _ in TOLD} == kinds - {Unsaved}
    assert set(GLYPHS) == kinds - {Epoch, Steps, Layers, Commanded, Reopened}


def test_what_is_told_is_one_line_without_control_characters():
    told = happening(Warned(message="a\nb\x1b]0;x\x07\u202e"))
    assert told == r"epoch 1: a\nb\x1b]0;x\x07\u202e"
