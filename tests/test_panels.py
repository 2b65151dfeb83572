import fcntl
import math
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from screens import following, part, shown, until
from textual.pilot import Pilot
from textual.widget import Widget

from trainer.config import Config, dump
from trainer.events import (
    CheckpointSaved,
    Compiled,
    EarlyStopped,
    Epoch,
    Finished,
    HyperparameterSet,
    Insight,
    LearningRateReduced,
    Paused,
    Resumed,
    Spread,
    Started,
    Steps,
    Warned,
    WeightsRestored,
)
from trainer.log import Log
from trainer.run import Run
from trainer.status import Status
from tui.chart_frame import Mark
from tui.panels import EventLog, View, marks
from tui.run_view import RunView

WATCHED = Config().changed(
    {
        "training.epochs": 20, "callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 5,
        "callbacks.reduce_lr_on_plateau.enabled": True, "callbacks.reduce_lr_on_plateau.patience": 3,
        "callbacks.reduce_lr_on_plateau.monitor": "loss", "callbacks.model_checkpoint.enabled": True,
    }
)  # fmt: skip


class Scripted:
    """A run whose trainer is the test: it holds the lock and writes the records."""

    def __init__(self, path: Path, config: Config = WATCHED, steps_per_epoch: int = 10) -> None:
        self.path = path
        path.mkdir(parents=True)
        (path / "config.toml").write_text(dump(config))
        status = Status(name=config.name, epochs_planned=config.training.epochs, created=time.time())
        (path / "run.json").write_text(status.model_dump_json())
        self._lock = os.open(path / "lock", os.O_RDONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._log = Log(path / "events.jsonl")
        self._steps_per_epoch = steps_per_epoch
        self._epoch = 0
        self.tell(Compiled(what="advance", seconds=120.0))
        self.tell(Started(n_parameters=67, device="cpu, 2 cores", steps_per_epoch=steps_per_epoch))

    def tell(self, event: Any) -> None:
        self._log.append(event)

    def epoch(self, **metrics: float) -> None:
        self._epoch += 1
        stamps = {"epoch": self._epoch - 1, "step": self._steps_per_epoch * self._epoch, "elapsed": 2.0 * self._epoch}
        self.tell(Epoch(metrics={"learning_rate": 0.001, **metrics}, examples_per_second=12_345.0, **stamps))

    def close(self) -> None:
        self._log.close()
        os.close(self._lock)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Scripted]:
    made = Scripted(tmp_path / "runs" / "20261120-000000-scripted-0000")
    yield made
    made.close()


def callback_lines(pilot: Pilot[None]) -> list[str]:
    return [line.strip(" │") for line in part(pilot, "CallbackPanel").splitlines()[1:-1] if line.strip(" │")]


# Callbacks.


async def test_the_callback_panel_shows_patience_best_and_when_each_would_act(script: Scripted):
    for loss, val_loss in [(1.0, 1.0), (0.9, 0.5), (0.9, 0.6), (0.9, 0.7)]:
        script.epoch(loss=loss, val_loss=val_loss)
    async with following(script.path) as pilot:
        await until(pilot, lambda: "2/5" in part(pilot, "CallbackPanel"))
        assert callback_lines(pilot) == [
            "reduce_lr_on_plateau  ▰▰▱ 2/3",
            "loss best 0.9 @2, would cut @5",
            "early_stopping  ▰▰▱▱▱ 2/5",
            "val_loss best 0.5 @2, would stop @7",
            "model_checkpoint",
            "val_loss best 0.5 @2",
        ]


async def test_the_callback_panel_follows_each_record_and_foretells_nothing_after_the_end(script: Scripted):
    async with following(script.path) as pilot:
        await until(pilot, lambda: "no best yet" in part(pilot, "CallbackPanel"))
        script.epoch(loss=1.0, val_loss=0.5)
        await until(pilot, lambda: "val_loss best 0.5 @1, would stop @6" in part(pilot, "CallbackPanel"))
        script.epoch(loss=0.9, val_loss=0.4)
        await until(pilot, lambda: "val_loss best 0.4 @2, would stop @7" in part(pilot, "CallbackPanel"))
        script.epoch(loss=0.8, val_loss=math.nan)
        await until(pilot, lambda: "1/5" in part(pilot, "CallbackPanel"))
        script.tell(Finished(reason="stopped", message="over", step=30, elapsed=6.0))
        await until(pilot, lambda: "would" not in part(pilot, "CallbackPanel"))
        assert "best 0.4 @2" in part(pilot, "CallbackPanel")


async def test_a_long_patience_is_drawn_in_ten_squares(tmp_path: Path):
    config = WATCHED.changed(
        {"callbacks.early_stopping.patience": 100, "callbacks.reduce_lr_on_plateau.enabled": False}
    )
    script = Scripted(tmp_path / "runs" / "long", config)
    script.epoch(loss=1.0, val_loss=0.5)
    for _ in range(40):
        script.epoch(loss=1.0, val_loss=0.5)
    async with following(script.path) as pilot:
        await until(pilot, lambda: "early_stopping  ▰▰▰▰▱▱▱▱▱▱ 40/100" in part(pilot, "CallbackPanel"))
    script.close()


async def test_without_callbacks_the_panel_says_so(tmp_path: Path):
    off = {
        f"callbacks.{name}.enabled": False for name in ("early_stopping", "reduce_lr_on_plateau", "model_checkpoint")
    }
    script = Scripted(tmp_path / "runs" / "none", WATCHED.changed(off))
    async with following(script.path) as pilot:
        await until(pilot, lambda: callback_lines(pilot) == ["none enabled"])
    script.close()


# Curves and marks.


def scripted_run() -> Run:
    run = Run(Path("run"), config=WATCHED)
    cut = {"from_": 0.01, "to": 0.005, "monitor": "loss", "best": 0.5, "wait": 3}
    run.apply_all(
        [
            Started(n_parameters=1, device="cpu", steps_per_epoch=10),
            LearningRateReduced(epoch=3, step=40, elapsed=8.0, **cut),
            HyperparameterSet(
                epoch=4, step=45, elapsed=9.0, key="optimizer.learning_rate", from_=0.005, to=0.1, by="me"
            ),
            EarlyStopped(epoch=6, step=70, elapsed=14.0, monitor="loss", best=0.5, best_epoch=1, wait=5),
            WeightsRestored(epoch=1, step=20, elapsed=14.0, reason="early_stopping", monitor="loss", value=0.5),
            Insight(epoch=6, step=70, elapsed=14.0, message="not a mark"),
            Finished(reason="early_stopped", epoch=7, step=70, elapsed=14.0),
        ]
    )
    return run


@pytest.mark.parametrize(
    ("axis", "places"),
    [("epochs", [4.0, 4.5, 7.0, 2.0]), ("steps", [40, 45, 70, 20]), ("seconds", [8.0, 9.0, 14.0, 14.0])],
)
def test_each_event_that_changed_the_training_is_marked_where_it_happened(axis: str, places: list[float]):
    found = marks(scripted_run(), View(axis=axis))
    assert found == [Mark(place, glyph) for place, glyph in zip(places, "▼✎■↺", strict=True)]


async def test_curves_and_marks_are_drawn_as_the_records_come(script: Scripted):
    async with following(script.path) as pilot:
        for loss in (1.0, 0.8, 0.6):
            script.epoch(loss=loss, val_loss=loss + 0.1, accuracy=0.5, val_accuracy=0.4)
        await until(pilot, lambda: re.search(r"loss 0\.60* .*val_loss 0\.70*", part(pilot, "LossPanel")))
        await until(pilot, lambda: "─ accuracy" in part(pilot, "MetricPanel"))
        assert re.search("[⠁-⣿]", part(pilot, "LossPanel"))
        assert "▼" not in shown(pilot)
        cut = {"from_": 0.001, "to": 0.0005, "monitor": "loss", "best": 0.6, "wait": 3}
        script.tell(LearningRateReduced(epoch=1, step=20, elapsed=4.0, **cut))
        for panel in ("LossPanel", "MetricPanel", "RatePanel"):
            await until(pilot, lambda panel=panel: "▼" in part(pilot, panel))
        await until(pilot, lambda: "▼ epoch 2: learning rate 0.001 → 0.0005" in part(pilot, "EventLog"))


async def test_what_is_told_on_another_page_or_at_another_width_is_wrapped_where_it_is_shown(script: Scripted):
    words = "the disk is nearly full, and whatever is told here goes over several lines of a narrow panel"
    async with following(script.path, size=(160, 45)) as pilot:
        await until(pilot, lambda: "training" in part(pilot, "EventLog"))
        await pilot.press("2")
        script.tell(Warned(message=words, step=10, elapsed=1.0))
        told = pilot.app.screen.query(EventLog).first()._told
        await until(pilot, lambda: any("disk" in str(line) for line, _ in told))
        await pilot.press("1")
        await until(pilot, lambda: words in part(pilot, "EventLog"))
        await pilot.resize_terminal(80, 24)
        await pilot.press("1")
        await until(pilot, lambda: "a narrow panel" in part(pilot, "EventLog"))
        assert words not in part(pilot, "EventLog")
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: words in part(pilot, "EventLog"))


async def test_where_there_is_little_room_events_that_matter_stay_and_a_page_has_all(script: Scripted):
    async with following(script.path, size=(80, 24)) as pilot:
        script.tell(Insight(name="plateau", message="it stands still", step=10, elapsed=1.0))
        for step in range(20, 120, 10):
            saved = {"path": "x", "reason": "best", "monitor": "loss", "value": 0.5}
            script.tell(CheckpointSaved(step=step, elapsed=2.0, **saved))
        script.epoch(loss=0.25)
        await until(pilot, lambda: "it stands still" in part(pilot, "CurvesPage EventLog"))
        await until(pilot, lambda: "0.25" in part(pilot, "LossPanel"))
        assert "checkpoint saved" not in shown(pilot)
        await pilot.press("6")
        await until(pilot, lambda: shown(pilot).count("checkpoint saved") == 10)
        for step in range(120, 520, 10):
            script.tell(CheckpointSaved(step=step, elapsed=2.0, **saved))
        await until(pilot, lambda: "it stands still" not in shown(pilot))
        await pilot.press("home")
        await until(pilot, lambda: "it stands still" in shown(pilot))


async def test_each_page_has_a_chart_of_its_own_where_there_is_room_for_one(script: Scripted):
    async with following(script.path, size=(80, 24)) as pilot:
        script.epoch(loss=0.5, val_loss=0.6, accuracy=0.5, val_accuracy=0.4)
        await until(pilot, lambda: "─ loss" in shown(pilot))
        await pilot.press("3", "m", "1")
        await until(pilot, lambda: "─ loss" in shown(pilot))
        await pilot.press("t")
        await until(pilot, lambda: "─ accuracy" in shown(pilot))
        await pilot.press("m")
        await until(pilot, lambda: "─ accuracy" not in shown(pilot))


async def test_updates_within_the_first_epoch_are_drawn(script: Scripted):
    spread = Spread(mean=0.5, min=0.5, max=0.5, last=0.5)
    for step in (1, 2, 3):
        script.tell(Steps(metrics={"loss": spread}, step=step, elapsed=0.1 * step))
    async with following(script.path) as pilot:
        await until(pilot, lambda: "waiting for the first epoch" not in part(pilot, "LossPanel"))
        assert "loss 0.5" in part(pilot, "LossPanel")
        assert "waiting for the first epoch" in part(pilot, "RatePanel")


async def test_a_regression_shows_mean_absolute_error(script: Scripted):
    script.epoch(loss=4.0, mae=2.0, val_loss=5.0, val_mae=2.5)
    async with following(script.path) as pilot:
        await until(pilot, lambda: "─ mae" in part(pilot, "MetricPanel"))
        assert "val_mae" in part(pilot, "MetricPanel")


async def test_a_key_goes_through_the_metrics_of_the_run(script: Scripted):
    averaged = {"ema_val_loss": 1.2, "ema_val_accuracy": 0.3, "ema_val_f1": 0.1}
    script.epoch(loss=1.0, accuracy=0.5, f1=0.25, val_loss=1.1, val_accuracy=0.4, val_f1=0.2, grad_norm=3.0, **averaged)
    async with following(script.path) as pilot:
        for title, place in [("accuracy", "1/2"), ("f1", "2/2"), ("accuracy", "1/2")]:
            await until(pilot, lambda title=title: f"─ {title} ─" in part(pilot, "MetricPanel"))
            assert f"{place} · t next" in part(pilot, "MetricPanel")
            assert f" val_{title[0]}" in part(pilot, "MetricPanel"), "a narrow legend shortens names"
            assert " ema_v" in part(pilot, "MetricPanel")
            await pilot.press("t")


async def test_a_metric_that_is_named_like_markup_is_shown_as_it_is(script: Scripted):
    names = ("[/]", "[bold]b", "a b[/")
    script.epoch(**{"loss": 1.0, **dict.fromkeys(names, 0.5)})
    async with following(script.path) as pilot:
        for title in names:
            await until(pilot, lambda title=title: f"─ {title} ─" in part(pilot, "MetricPanel"))
            await pilot.press("t")


async def test_a_run_of_one_metric_offers_no_other(script: Scripted):
    script.epoch(loss=1.0, accuracy=0.5, val_loss=1.1, val_accuracy=0.4)
    async with following(script.path) as pilot:
        await until(pilot, lambda: "─ accuracy" in part(pilot, "MetricPanel"))
        assert "next" not in part(pilot, "MetricPanel")


# The status line.


async def test_the_status_line_tells_state_place_bar_and_time_left_without_compiling(script: Scripted):
    for _ in range(5):
        script.epoch(loss=0.5, val_loss=0.75)
    async with following(script.path) as pilot:
        await until(pilot, lambda: "epoch 5/20" in part(pilot, "#status"))
        first, second = part(pilot, "#status").splitlines()
        assert re.search(r"▶ running untitled  epoch 5/20  step 50  ━+─+  25% 30 s left", first)
        assert first.count("━") * 3 == first.count("─")
        words = ("12.3k examples/s", "cpu, 2 cores", "best val_loss 0.75 @1", "gap +0.25", "trained 10 s")
        assert all(word in second for word in words)


async def test_the_first_epoch_has_a_speed_before_its_end(script: Scripted):
    async with following(script.path) as pilot:
        await until(pilot, lambda: "cpu, 2 cores" in part(pilot, "#status"))
        assert "examples/s" not in part(pilot, "#status"), "nothing is known before the first update"
        spread = Spread(mean=1.0, min=1.0, max=1.0, last=1.0)
        script.tell(Steps(metrics={"loss": spread}, step=5, elapsed=0.5))
        batch = WATCHED.training.batch_size
        await until(pilot, lambda: f" {10 * batch} examples/s" in part(pilot, "#status"))


async def test_the_status_line_tells_what_compiling_took(script: Scripted):
    async with following(script.path, size=(220, 45)) as pilot:
        await until(pilot, lambda: "compiled in 2:00" in part(pilot, "#status"))
        assert "left" not in part(pilot, "#status"), "nothing is known before the first update"


async def test_the_state_follows_the_records(script: Scripted):
    async with following(script.path) as pilot:
        script.epoch(loss=0.5)
        await until(pilot, lambda: "▶ running" in part(pilot, "#status"))
        script.tell(Paused(message="paused by me", step=10, elapsed=2.0))
        await until(pilot, lambda: "‖ paused" in part(pilot, "#status"))
        await until(pilot, lambda: "‖ paused by me" in part(pilot, "EventLog"))
        script.tell(Resumed(message="resumed by me", step=10, elapsed=2.0))
        await until(pilot, lambda: "▶ running" in part(pilot, "#status"))
        script.tell(Finished(reason="early_stopped", message="stopped early", epoch=1, step=10, elapsed=2.0))
        await until(pilot, lambda: "✓ finished" in part(pilot, "#status"))
        assert "left" not in part(pilot, "#status")


async def test_a_trainer_that_is_gone_without_a_word_is_shown_as_crashed(script: Scripted):
    script.epoch(loss=0.5)
    async with following(script.path) as pilot:
        await until(pilot, lambda: "▶ running" in part(pilot, "#status"))
        fcntl.flock(script._lock, fcntl.LOCK_UN)
        await until(pilot, lambda: "? crashed" in part(pilot, "#status"))


async def test_a_run_without_records_or_config_is_shown_as_damaged(tmp_path: Path):
    script = Scripted(tmp_path / "runs" / "damaged")
    (script.path / "config.toml").write_text("= broken")
    async with following(script.path) as pilot:
        await until(pilot, lambda: "? damaged" in part(pilot, "#status"))
    script.close()


async def test_an_insight_stands_in_the_log_with_its_epoch(script: Scripted):
    async with following(script.path) as pilot:
        script.tell(Insight(epoch=6, step=70, message="overfitting since epoch 2: val_loss rose 20%"))
        await until(pilot, lambda: "✦ epoch 7: overfitting since epoch 2: val_loss rose 20%" in part(pilot, "EventLog"))


# What is not done.


@pytest.fixture
def repaints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The widgets that asked for a repaint, in order."""
    asked: list[str] = []
    refresh = Widget.refresh

    def noting(widget: Widget, *regions: Any, **options: Any) -> Any:
        asked.append(f"{type(widget).__name__} {regions}")
        return refresh(widget, *regions, **options)

    monkeypatch.setattr(Widget, "refresh", noting)
    return asked


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted: list[int] = []
    tick = RunView._tick
    monkeypatch.setattr("tui.run_view._TICK_SECONDS", 0.02)
    monkeypatch.setattr(RunView, "_tick", lambda screen: (counted.append(1), tick(screen))[1])
    return counted


async def test_nothing_is_repainted_while_nothing_changes(script: Scripted, repaints: list[str], ticks: list[int]):
    for _ in range(3):
        script.epoch(loss=0.5, val_loss=0.75, accuracy=0.5)
    async with following(script.path) as pilot:
        await until(pilot, lambda: "epoch 3/20" in part(pilot, "#status") and "loss 0.5" in part(pilot, "LossPanel"))
        seen = len(ticks)
        await until(pilot, lambda: len(ticks) > seen + 5)
        repaints.clear()
        seen = len(ticks)
        await until(pilot, lambda: len(ticks) > seen + 10)
        assert repaints == []
        script.epoch(loss=0.4, val_loss=0.75, accuracy=0.5)
        await until(pilot, lambda: "epoch 4/20" in part(pilot, "#status"))
        assert repaints


async def test_a_finished_run_is_looked_at_seldom(script: Scripted, monkeypatch: pytest.MonkeyPatch):
    script.epoch(loss=0.5)
    script.tell(Finished(reason="completed", message="over", epoch=1, step=10, elapsed=2.0))
    async with following(script.path) as pilot:
        await until(pilot, lambda: "over" in part(pilot, "EventLog"))
        view = pilot.app.train_screen.run_view
        await until(pilot, lambda: view._rests)
        looks, ticks = [], view._ticks
        monkeypatch.setattr(view.followed, "poll", lambda limit: looks.append(view._ticks) or [])
        await until(pilot, lambda: view._ticks > ticks + 20)
        assert 2 <= len(looks) <= 3
