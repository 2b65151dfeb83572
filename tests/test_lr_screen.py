"""The learning-rate finder on the screen."""

import asyncio
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screens import running, shown, until
from textual.pilot import Pilot

from trainer import lr_finder
from trainer.config import Config
from trainer.lr_finder import Found
from trainer.store import all_runs
from tui.form_fields import widget_id
from tui.lr_screen import LearningRateFinder, curve, verdict
from tui.train_screen import TrainScreen

SHORT = Config().changed(
    {"name": "short", "data.source": "iris", "model.hidden": [8], "training.epochs": 3, "training.batch_size": 16}
)
LONG = SHORT.changed({"training.epochs": 1_000_000})
RATE = "optimizer.learning_rate"


def dialog_text(pilot: Pilot[None]) -> str:
    """Return the words of the dialog in one line, wherever they are wrapped."""
    region = pilot.app.screen.query_one(".box").region
    lines = shown(pilot).splitlines()[region.y : region.bottom]
    return " ".join(" ".join(line[region.x : region.right].strip(" │") for line in lines).split())


async def until_open(pilot: Pilot[None], *words: str) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, LearningRateFinder))
    await until(pilot, lambda: all(word in dialog_text(pilot) for word in words))


async def until_closed(pilot: Pilot[None]) -> None:
    await until(pilot, lambda: pilot.app.screen is pilot.app.train_screen)  # type: ignore[attr-defined]


def in_form(pilot: Pilot[None]) -> str:
    return pilot.app.train_screen.query_one(f"#{widget_id(RATE)}").value  # type: ignore[attr-defined, no-any-return]


def keys_of(owner: type[Any], action: str) -> list[str]:
    return next(binding.key for binding in owner.BINDINGS if binding.action == action).split(",")  # type: ignore[no-any-return]


@pytest.mark.parametrize("key", keys_of(TrainScreen, "find_rate"))
async def test_the_key_tries_rates_and_enter_puts_the_suggestion_into_the_form(key: str):
    async with running(SHORT) as pilot:
        await pilot.press(key)
        await until_open(pilot, "enter puts ", "is the smallest rate that comes within 5% of that fall")
        text = dialog_text(pilot)
        suggested = re.search(r"enter puts (\S+) into the form", text)
        assert suggested is not None
        assert f"◆ {suggested[1]}: after 200 updates the loss is lowest" in text
        # The chart is drawn again when the words have taken their room.
        await until(pilot, lambda: re.search("[⠁-⣿].* 1e-6 1e-5 1e-4 1e-3 0.01 0.1 1 10 ", dialog_text(pilot)))
        await pilot.press("enter")
        await until_closed(pilot)
        await until(pilot, lambda: float(in_form(pilot)) == float(suggested[1]))
        config = pilot.app.train_screen.form_side.form.config  # type: ignore[attr-defined]
        assert config == SHORT.changed({RATE: float(suggested[1])})
        await until(pilot, lambda: re.search(r"learning_rate ~ +● ", shown(pilot)))
        assert "short ●" in shown(pilot)
    assert all_runs(Path(os.environ["NN_TUI_RUNS"])) == []


@pytest.mark.parametrize("key", keys_of(LearningRateFinder, "dismiss(None)"))
async def test_the_close_keys_leave_the_form_as_it_is(key: str):
    async with running(SHORT) as pilot:
        await pilot.press("l")
        await until_open(pilot, "enter puts ")
        await pilot.press(key)
        await until_closed(pilot)
        assert in_form(pilot) == "0.001"
        assert "●" not in shown(pilot).splitlines()[0]


@pytest.mark.parametrize("key", keys_of(LearningRateFinder, "dismiss(None)"))
async def test_a_search_under_way_is_left_at_once_and_ends(key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lr_finder, "UPDATES", 1_000_000_000)
    async with running(SHORT) as pilot:
        await pilot.press("l")
        await until_open(pilot, "48 copies train side by side: update", "of 1000000000")
        await pilot.press("enter")  # nothing to take yet
        assert isinstance(pilot.app.screen, LearningRateFinder)
        await pilot.press(key)
        await until_closed(pilot)
        await until(pilot, lambda: not searches())
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "all epochs done" in shown(pilot))


async def test_a_long_search_shows_its_curve_and_time_left_and_enter_ends_it_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch,
):
    """A search whose second half never comes: from a quarter on, what there is is enough."""
    monkeypatch.setattr("trainer.call_size._SECONDS", 0.0)
    monkeypatch.setattr(lr_finder, "UPDATES", 400)
    goes_on = threading.Event()
    advance = lr_finder._Copies.advance
    made = 0

    def slow(copies: Any, wanted: int) -> Any:
        nonlocal made
        if made in (50, 150):
            goes_on.wait()
            goes_on.clear()
        made += 1
        return advance(copies, wanted)

    monkeypatch.setattr(lr_finder._Copies, "advance", slow)
    async with running(SHORT) as pilot:
        try:
            await pilot.press("l")
            await until_open(pilot, "update 50 of 400, ", " s left")
            await until(pilot, lambda: re.search("[⠁-⣿].* 1e-6 ", dialog_text(pilot)))
            await until_open(pilot, "enter ends it early from update 100 on escape closes")
            await pilot.press("enter")  # too early
            goes_on.set()
            await until_open(pilot, "update 150 of 400, ", "enter ends the search with what there is")
            await pilot.press("enter")
            await until_open(pilot, "the search ends after the updates under way")
            goes_on.set()
            await until_open(pilot, "after 151 updates the loss is lowest", "enter puts ")
            await pilot.press("enter")
            await until_closed(pilot)
            assert in_form(pilot) != "0.001"
        finally:
            goes_on.set()


async def test_quitting_ends_a_search_under_way(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lr_finder, "UPDATES", 1_000_000_000)
    async with running(SHORT) as pilot:
        await pilot.press("l")
        await until_open(pilot, "48 copies train side by side")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: pilot.app._exit)
    deadline = time.monotonic() + 60
    while searches():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def searches() -> int:
    """Count the searches under way in this process."""
    count = 0
    for frame in sys._current_frames().values():
        while frame is not None:
            count += frame.f_code is lr_finder.find.__code__
            frame = frame.f_back  # type: ignore[assignment]
    return count


async def test_a_network_that_no_rate_teaches_gets_no_suggestion_and_enter_takes_nothing():
    async with running(SHORT.changed({"model.initializer": "zeros"})) as pilot:
        before = in_form(pilot)
        await pilot.press("l")
        await until_open(pilot, "No suggestion: no rate lowers the loss (1.09")
        assert "enter" not in dialog_text(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, LearningRateFinder)
        await pilot.press("escape")
        await until_closed(pilot)
        assert in_form(pilot) == before


async def test_what_is_wrong_with_the_data_stands_in_the_dialog(tmp_path: Path):
    table = {"data": {"source": "path", "path": "[bold]missing[/].csv", "target": "y"}}
    async with running(Config.parse(table), base=tmp_path) as pilot:
        await pilot.press("l")
        await until_open(pilot, "no rate was tried", "data.path must name a file", "[bold]missing[/].csv")
        await pilot.press("escape")
        await until_closed(pilot)


async def test_a_search_that_fails_is_a_line_and_the_app_lives(monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("the device [/] caught \x1b]0;fire\x07")

    monkeypatch.setattr(lr_finder, "find", fail)
    async with running(SHORT) as pilot:
        await pilot.press("l")
        await until_open(pilot, r"! the rates could not be tried: the device [/] caught \x1b]0;fire\x07")
        await pilot.press("escape")
        await until_closed(pilot)


async def test_no_rates_are_tried_beside_a_run_under_way():
    async with running(LONG) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "▶ running" in shown(pilot))
        await pilot.press("l")
        await until(pilot, lambda: "A run is under way." in shown(pilot))
        assert pilot.app.screen is pilot.app.train_screen  # type: ignore[attr-defined]


async def test_no_rates_are_tried_while_a_field_has_a_problem():
    async with running(SHORT) as pilot:
        pilot.app.screen.query_one("#training-epochs").focus()
        await pilot.press("ctrl+u", "ctrl+k", "0", "ctrl+l")
        await until(pilot, lambda: "A field has a problem" in shown(pilot))
        assert pilot.app.screen is pilot.app.train_screen  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_curve_reason_and_keys_have_room_in_every_usual_size(size: tuple[int, int]):
    async with running(SHORT, size=size) as pilot:
        await pilot.press("l")
        await until_open(pilot, "training loss against the rate", "enter puts ", "escape leaves the form alone")
        await until(pilot, lambda: re.search("[⠁-⣿].* 1e-6 ", dialog_text(pilot)))


async def test_losses_below_0_are_drawn_too(tmp_path: Path):
    """A Poisson loss is lower than 0 where counts are large: an axis of logarithms would leave it out."""
    config = SHORT.changed({**counts(tmp_path), "model.hidden": []})
    async with running(config) as pilot:
        await pilot.press("l")
        await until_open(pilot, "enter puts ")
        assert "the loss is lowest, -" in dialog_text(pilot)
        await until(pilot, lambda: re.search(r"-\d+┤[^│]*[⠁-⣿].* 1e-6 ", dialog_text(pilot)))


def counts(folder: Path) -> dict[str, Any]:
    """Return the settings of a model of counts about 20."""
    lines = [f"{x / 100},{20 + x % 7}" for x in range(100)]
    (folder / "counts.csv").write_text("\n".join(["x,count", *lines]))
    return {
        "data.source": "path",
        "data.path": str(folder / "counts.csv"),
        "data.target": "count",
        "data.task": "regression",
        "data.standardize_target": False,
        "loss.kind": "poisson",
    }


def found(losses: list[float], suggestion: float | None = 1e-2) -> Found:
    rates = 10.0 ** np.arange(-3.0, -3.0 + len(losses))
    return Found(rates, np.array(losses), 200, suggestion, "because.")


@pytest.mark.parametrize(
    ("losses", "drawn"),
    [
        ([2.0, 0.5, 1e30, np.inf, np.nan], [2.0, 0.5, 5.0, np.nan, np.nan]),
        ([-2.0, -3.5, -2.5, 1e30, np.nan], [-2.0, -3.5, -2.5, 1.0, np.nan]),
        ([-2.0, -2.0, -1.0, 1e30], [-2.0, -2.0, -1.0, 2.0]),
        ([np.inf, np.nan], [np.nan, np.nan]),
    ],
)
def test_losses_that_are_none_are_gaps_and_absurd_ones_are_drawn_above_the_first_by_twice_the_fall(
    losses: list[float], drawn: list[float]
):
    np.testing.assert_equal(curve(np.array(losses)), drawn)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([2.0, 0.5, 1.0], "◆ 0.01: because."),
        ([2.0, 0.5, np.inf], "◆ 0.01: because. Where the curve is missing, the loss was no number."),
        ([2.0, 0.5, 99.0], "◆ 0.01: because. Losses above 5 are drawn there."),
        ([-2.0, -3.5, 99.0], "◆ 0.01: because. Losses above 1 are drawn there."),
    ],
)
def test_the_verdict_says_how_the_picture_is_to_be_read(losses: list[float], words: str):
    assert verdict(found(losses)) == words


def test_a_verdict_without_suggestion_says_why():
    assert verdict(found([2.0, 2.0], None)) == "No suggestion: because."
