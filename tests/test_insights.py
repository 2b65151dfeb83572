import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer import training
from trainer.config import Config
from trainer.events import Insight
from trainer.insights import Insights
from trainer.preparation import prepare


def said(losses: list[float], val_losses: list[float] | None = None, **settings: Any) -> list[tuple[int, str]]:
    """The epoch and the words of each insight over these epochs."""
    config = Config().changed({key.replace("__", "."): value for key, value in settings.items()})
    insights, found = Insights(config), []
    for epoch, loss in enumerate(losses):
        metrics = {"loss": loss, "learning_rate": 0.001}
        if val_losses is not None:
            metrics["val_loss"] = val_losses[epoch]
        found.extend((epoch, seen.message) for seen in insights.on_epoch_end(metrics, None, 0.001))
    return found


FALLING = [1.0 / (epoch + 1) for epoch in range(20)]


@pytest.mark.parametrize(
    ("losses", "val_losses", "settings", "expected"),
    [
        (FALLING, FALLING, {}, []),
        (FALLING, None, {}, []),
        ([2.3] * 9, [2.3] * 9, {"model__initializer": "zeros"}, [(2, 'model.initializer = "zeros" cannot learn')]),
        ([5.0] * 9, [5.0] * 9, {"model__initializer": "ones"}, [(2, 'model.initializer = "ones" cannot learn')]),
        (FALLING, FALLING, {"model__initializer": "ones"}, []),
        ([2.3] * 9, None, {"model__initializer": "zeros", "model__hidden": []}, [(4, "learning rate too low")]),
        ([2.3] * 9, [2.3] * 9, {}, [(4, "learning rate too low: the loss has hardly moved in 5 epochs (2.3 -> 2.3). "
         "Try one ten times as high (0.01).")]),
        ([1 - 0.005 * epoch for epoch in range(12)], None, {}, [(9, "learning rate too low")]),
        ([1.0, *[1.3, 0.9] * 5], None, {}, [(5, "learning rate too high")]),
        ([1.0, *[0.13, 0.1] * 9], None, {}, []),
        ([2.3, 2.3, 2.3, 2.3, 2.2], None, {}, []),
        ([1.0, 1.0, 1.0, 1.0, math.nan] + [1.0] * 9, None, {}, []),
        ([0.0] * 9, [0.0] * 9, {}, []),
        (FALLING[:14], [0.9, 0.5, *[0.6] * 9, 0.6, 0.7, 0.7], {}, [(11,
         "overfitting since epoch 2: val_loss rose 20% from 0.5")]),
        (FALLING[:10], [0.9, 0.5, *[0.9] * 8], {}, []),
        (FALLING[:14], [0.9, 0.5, *[0.54] * 12], {}, []),
        ([0.5] * 2 + [0.6] * 12, [0.9, 0.5, *[0.9] * 12], {}, []),
        ([0.5] * 2 + [0.495] * 12, [0.9, 0.5, *[0.9] * 12], {}, []),
        ([0.6] * 2 + [0.5] * 12, [0.9, 0.5, *[0.6] * 12], {}, []),
        (FALLING[:14], [0.9, 0.5, *[0.9, 0.52] * 6], {}, []),
        (FALLING[:14], [math.nan, 0.5, *[0.9] * 12], {}, [(11, "overfitting since epoch 2")]),
        (FALLING[:14], [0.9, 0.5, *[math.inf] * 12], {}, [(11, "overfitting since epoch 2")]),
        (FALLING[:14], [math.nan] * 14, {}, []),
        (FALLING[:14], [0.9, 0.0, *[0.5] * 12], {}, [(11, "overfitting since epoch 2")]),
    ],
)  # fmt: skip
def test_curves_are_told_by_what_they_show_once(
    losses: list[float], val_losses: list[float] | None, settings: dict[str, Any], expected: list[tuple[int, str]]
) -> None:
    found = said(losses, val_losses, **settings)
    assert [epoch for epoch, _ in found] == [epoch for epoch, _ in expected]
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert message.startswith(words)


def names_said(losses: list[float], rates: list[float] | None = None, first_epoch: int = 0, **more: Any) -> list[str]:
    """The names of the insights over these epochs; `more` are further metrics of each."""
    insights, found = Insights(Config(), first_epoch=first_epoch), []
    for epoch, loss in enumerate(losses):
        metrics = {"loss": loss, "learning_rate": rates[epoch] if rates else 0.001, **more}
        found += [(seen.name, epoch) for seen in insights.on_epoch_end(metrics)]
    return [f"{name} at {epoch}" for name, epoch in found]


def test_a_rate_is_too_low_only_where_there_is_something_left_to_learn() -> None:
    flat = [2.3] * 9
    assert names_said(flat) == ["learning_rate_too_low at 4"]
    assert names_said(flat, first_epoch=20) == [], "a fork of a run that had learned"
    assert names_said(flat, accuracy=0.9) == names_said(flat, r2=0.7) == []
    assert names_said([1 - 0.002 * (1 - 0.7**epoch) - 0.02 * (1 - 0.5**epoch) for epoch in range(12)]) == [], "slows"


def test_no_rate_is_too_low_while_it_rises() -> None:
    rises = [1e-3 * min(1, epoch / 7) for epoch in range(20)]
    assert names_said([2.3] * 14, rates=rises) == ["learning_rate_too_low at 11"]
    assert names_said([2.3] * 7 + FALLING, rates=[*rises, *[1e-3] * 7]) == []


RISING = [0.9, 0.5, *[0.9 + 0.01 * epoch for epoch in range(16)]]
LEVEL = [1.0, 0.6, *[0.4, 0.45] * 14]


@pytest.mark.parametrize("shift", [-40.0, -0.2, 0.0, 3.0])
@pytest.mark.parametrize(
    ("losses", "val_losses", "r2", "expected"),
    [
        (FALLING, FALLING, 0.8, []),
        (FALLING[:18], RISING, 0.8, ["overfitting at 11"]),
        (FALLING[:18], [0.9, 0.5, *[0.52, 0.51] * 8], 0.8, []),
        ([1.0, *[0.4] * 17], RISING, 0.8, []),
        (LEVEL, None, 0.8, ["plateau at 17"]),
        (LEVEL, LEVEL, 0.1, ["underfitting at 17"]),
        (LEVEL, [loss + 0.3 for loss in LEVEL], 0.1, []),
        ([1.0, *[1.3, 0.9] * 5], None, 0.8, ["learning_rate_too_high at 5"]),
        ([1.0, *[0.13, 0.1] * 6], None, 0.8, []),
    ],
)  # fmt: skip
def test_a_loss_that_may_lie_below_0_is_measured_by_its_fall(
    losses: list[float], val_losses: list[float] | None, r2: float, expected: list[str], shift: float
) -> None:
    insights, found = Insights(Config().changed({"loss.kind": "poisson", "training.epochs": 60})), []
    for epoch, loss in enumerate(losses):
        metrics = {"loss": loss + shift, "r2": r2} | ({"val_loss": val_losses[epoch] + shift} if val_losses else {})
        found += [f"{seen.name} at {epoch}" for seen in insights.on_epoch_end(metrics)]
    assert found == expected


@pytest.mark.parametrize(("base", "named"), [(0.004, " (0.0004)."), (math.nan, ".")])
def test_advice_names_the_base_rate_which_the_field_holds(base: float, named: str) -> None:
    insights, found = Insights(Config()), []
    for loss in [1.0, *[1.3, 0.9] * 5]:
        found += [seen.message for seen in insights.on_epoch_end({"loss": loss, "learning_rate": 0.03}, None, base)]
    assert [message.partition("Try one ")[2] for message in found] == [f"ten times lower{named}"]


def test_a_cause_that_is_over_silences_nothing() -> None:
    stuck, learns, stands = [2.3] * 9, [2.3 - 0.1 * epoch for epoch in range(12)], [1.2] * 20
    assert names_said(stuck + stands, accuracy=0.5) == ["learning_rate_too_low at 4", "underfitting at 24"]
    assert names_said(stuck + learns + stands, accuracy=0.5) == ["learning_rate_too_low at 4", "underfitting at 35"]
    assert names_said(stuck + [2.2] * 20, accuracy=0.5) == ["learning_rate_too_low at 4"]


number = st.sampled_from([0.0, 1e-300, 1.0, 2.0, 1e300, math.nan, math.inf, -1.0, -0.0]) | st.floats()


@given(rows=st.lists(st.tuples(number, number), max_size=14), initializer=st.sampled_from(["zeros", "he_normal"]))
def test_no_curve_makes_an_insight_fail_or_speak_twice(rows: list[tuple[float, float]], initializer: str) -> None:
    found = said([loss for loss, _ in rows], [validation for _, validation in rows], model__initializer=initializer)
    assert len({message[:14] for _, message in found}) == len(found)
    assert all(message.endswith(".") and "\n" not in message for _, message in found)


def test_an_insight_carries_its_name_and_the_numbers_it_rests_on() -> None:
    insights, seen = Insights(Config()), []
    for epoch in range(14):
        seen += insights.on_epoch_end({"loss": FALLING[epoch], "val_loss": [0.9, 0.5][epoch] if epoch < 2 else 0.8})
    assert [(found.name, found.evidence) for found in seen] == [
        ("overfitting", {"best_epoch": 1, "best_val_loss": 0.5, "val_loss": 0.8, "loss": FALLING[11]})
    ]


def test_classes_are_unbalanced_that_differ_tenfold_or_leave_little_to_say() -> None:
    for counts, speaks in (({"a": 99, "b": 10}, True), ({"a": 100, "b": 10, "c": 50}, True), ({"a": 80, "b": 20}, True),
                           ({"a": 79, "b": 21}, False), ({"a": 30, "b": 30, "c": 30}, False), ({}, False)):  # fmt: skip
        seen = list(Insights(Config(), counts).on_epoch_end({"loss": 1.0}))
        assert [found.name for found in seen] == ["label_imbalance"] * speaks, counts


# Real runs: each insight provoked, and the healthy ones silent.

IRIS = {"data.source": "iris", "training.batch_size": 16, "model.hidden": [16],
        "callbacks.early_stopping.enabled": False, "callbacks.reduce_lr_on_plateau.enabled": False}  # fmt: skip
SGD = {"optimizer.kind": "sgd"}
PROVOKED: list[tuple[str, dict[str, Any]]] = [
    ("constant_start", {"model.initializer": "zeros", "training.epochs": 6}),
    ("constant_predictor", {"model.hidden": [4, 4], "optimizer.learning_rate": 5.0, "training.epochs": 8}),
    ("dead_units", {**SGD, "model.hidden": [32, 32], "optimizer.learning_rate": 3.0, "training.epochs": 8}),
    ("vanishing_gradients", {"model.hidden": [16] * 8, "model.activation": "sigmoid", "training.epochs": 6}),
    ("exploding_gradients", {**SGD, "data.source": "diabetes", "model.hidden": [], "training.batch_size": 32,
                             "optimizer.learning_rate": 0.3, "training.epochs": 6}),
    ("learning_rate_too_high", {**SGD, "model.hidden": [32, 32], "model.activation": "tanh",
                                "optimizer.learning_rate": 3.0, "training.epochs": 60}),
    ("learning_rate_too_low", {"optimizer.learning_rate": 1e-6, "training.epochs": 30}),
    ("underfitting", {"data.source": "spirals", "model.hidden": [], "optimizer.learning_rate": 0.01,
                      "training.epochs": 30}),
    ("plateau", {"data.source": "moons", "model.hidden": [4], "optimizer.learning_rate": 0.05, "training.epochs": 40}),
    ("overfitting", {"data.source": "moons", "data.size": 60, "data.noise": 0.4, "model.hidden": [64, 64],
                     "optimizer.learning_rate": 0.01, "training.epochs": 120}),
]  # fmt: skip


NOISY: dict[str, Any] = {"data.source": "moons", "data.noise": 1.0, "model.hidden": []}


def insights_of(tmp_path: Path, changes: dict[str, Any]) -> list[Insight]:
    prepared = prepare(Config().changed(changes))
    run = training.train(prepared, training.start(prepared, tmp_path))
    assert run.status.state in ("finished", "diverged"), run.status.message
    return [event for event in run.happenings if isinstance(event, Insight)]


@pytest.mark.parametrize(("name", "changes"), PROVOKED, ids=[name for name, _ in PROVOKED])
def test_a_real_run_provokes_the_insight(tmp_path: Path, name: str, changes: dict[str, Any]) -> None:
    seen = insights_of(tmp_path, IRIS | changes)
    assert name in [found.name for found in seen], seen
    (found,) = (found for found in seen if found.name == name)
    assert found.evidence
    assert re.search("Try |Use |Stop ", found.message), found.message


def test_a_real_run_with_a_schedule_is_advised_by_its_base_rate(tmp_path: Path) -> None:
    changes = {"schedule.kind": "cosine", "optimizer.learning_rate": 1e-6, "training.epochs": 30}
    (found,) = (it for it in insights_of(tmp_path, IRIS | changes) if it.name == "learning_rate_too_low")
    assert found.message.endswith("Try one ten times as high (1e-05).")


@pytest.mark.parametrize("rate", [1e-3, 1e-2, 3e-2])
def test_a_line_through_noisy_moons_underfits_at_any_rate(tmp_path: Path, rate: float) -> None:
    seen = insights_of(tmp_path, IRIS | NOISY | {"optimizer.learning_rate": rate, "training.epochs": 40})
    assert [found.name for found in seen] == ["underfitting"]


def test_a_healthy_run_whose_loss_is_below_0_does_not_overfit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 2))
    counts = random.poisson(np.exp(2.5 + features @ [0.5, -0.3]))
    rows = [f"{one:.3f},{two:.3f},{count}" for (one, two), count in zip(features, counts, strict=True)]
    (tmp_path / "counts.csv").write_text("\n".join(["one,two,count", *rows]))
    data = {"data.source": "path", "data.path": str(tmp_path / "counts.csv"), "data.target": "count",
            "data.task": "regression", "data.standardize_target": False, "loss.kind": "poisson"}  # fmt: skip
    rate = {"optimizer.learning_rate": 0.01, "training.epochs": 100}
    assert "overfitting" not in [found.name for found in insights_of(tmp_path / "runs", IRIS | data | rate)]


def test_unbalanced_labels_of_a_file_are_told_before_anything_else(tmp_path: Path) -> None:
    rows = [f"{index % 7},{index % 5},{'rare' if index % 20 == 0 else 'common'}" for index in range(200)]
    (tmp_path / "table.csv").write_text("\n".join(["one,two,label", *rows]))
    data = {"data.source": "path", "data.path": str(tmp_path / "table.csv"), "data.target": "label"}
    first, *_ = insights_of(tmp_path / "runs", IRIS | data | {"training.epochs": 2})
    assert (first.name, first.epoch, first.evidence["largest"]) == ("label_imbalance", 0, "common")


@pytest.mark.parametrize(
    "changes",
    [
        {"data.source": "digits", "model.hidden": [64], "training.batch_size": 64, "training.epochs": 30},
        {"optimizer.learning_rate": 0.01, "training.epochs": 40},
        {"data.source": "diabetes", "model.hidden": [16], "training.epochs": 40},
        {"data.source": "spirals", "model.hidden": [64, 64], "optimizer.learning_rate": 0.01, "training.epochs": 60},
        {"training.batch_size": 120, "training.epochs": 500},
    ],
    ids=["digits", "iris", "diabetes", "spirals", "few updates"],
)
def test_nothing_is_said_about_a_healthy_run(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert insights_of(tmp_path, IRIS | changes) == []
