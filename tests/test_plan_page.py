"""The plan page: what the form says, before it trains."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from screens import part, running, shown, until
from textual.pilot import Pilot
from textual.widget import Widget

from trainer.config import Config
from trainer.store import all_runs
from tui import outlook, page, plan_words
from tui.form_fields import widget_id
from tui.outlook import Outlook
from tui.pages import PAGES
from tui.plan_page import PlanPage
from tui.train_screen import TrainScreen

KEY = str(PAGES.index(PlanPage) + 1)
SHORT = Config().changed(
    {"name": "short", "data.source": "iris", "model.hidden": [8], "training.epochs": 3, "training.batch_size": 16}
)
LARGE = (160, 45)
LONG = SHORT.changed({"training.epochs": 1_000_000})


def words(pilot: Pilot[None], selector: str) -> list[list[str]]:
    """Return the words of each line that a panel shows."""
    return [found for line in part(pilot, selector).splitlines() if (found := line.strip(" │╭╮╰╯─").split())]


def text_of_model(pilot: Pilot[None]) -> str:
    return " ".join(word for line in words(pilot, "#plan-model") for word in line)


async def until_planned(pilot: Pilot[None], *lines: str) -> None:
    """Wait until the model panel shows these lines, whatever the space between their words."""
    await until(pilot, lambda: all(line.split() in words(pilot, "#plan-model") for line in lines))


async def type_into(pilot: Pilot[None], path: str, *keys: str) -> None:
    pilot.app.screen.query_one(f"#{widget_id(path)}").focus()
    await pilot.pause()
    await pilot.press("ctrl+u", "ctrl+k", *keys)


def memory(pilot: Pilot[None]) -> dict[str, str]:
    """Return what the memory panel tells, by its names."""
    rows = (re.split(r"\s{2,}", line.strip(" │")) for line in part(pilot, "MemoryPanel").splitlines()[1:-1])
    return {row[0]: row[1] for row in rows if len(row) == 2}


def keys_of(action: str) -> list[str]:
    return next(binding.key for binding in TrainScreen.BINDINGS if binding.action == action).split(",")  # type: ignore[union-attr]


async def test_the_page_shows_layers_examples_memory_and_learning_rate():
    async with running(SHORT.changed({"schedule.kind": "cosine"}), size=LARGE) as pilot:
        await pilot.press(KEY)
        await until_planned(pilot, "input 4", "hidden_1 8 40 72 dense relu", "output 3 27 51 dense", "total 67 123")
        await until_planned(pilot, "150 examples of 4 features (float64), 3 classes of 40 training examples.")
        await until(pilot, lambda: "120 examples train, 30 validate; 24 updates, 8 an epoch." in shown(pilot))
        await until(pilot, lambda: memory(pilot).get("optimizer") == "540 B")
        assert memory(pilot)["parameters"] == memory(pilot)["gradients"] == "268 B"
        assert memory(pilot)["as compiled"] == "ctrl+t tells"
        assert re.search("[⠁-⣿]", part(pilot, "#plan-rate")), "no curve was drawn"
        assert "1.0e-3┤" in part(pilot, "#plan-rate")


async def test_the_page_follows_the_form():
    async with running(SHORT, size=LARGE) as pilot:
        await pilot.press(KEY)
        await until_planned(pilot, "total 67 123")
        await type_into(pilot, "model.hidden", "5")
        await until_planned(pilot, "hidden_1 5 25 45 dense relu", "total 43 78")
        await type_into(pilot, "optimizer.learning_rate", "2")
        await until(pilot, lambda: "2.00┤" in part(pilot, "#plan-rate"))
        await type_into(pilot, "training.epochs", "9", "0")
        await until(pilot, lambda: "720 updates, 8 an epoch." in shown(pilot) and "80" in part(pilot, "#plan-rate"))
        await type_into(pilot, "training.replicas", "3")
        await until(pilot, lambda: "8 an epoch, in each of 3 runs." in shown(pilot))


async def test_another_preset_is_planned_too():
    async with running(SHORT, size=LARGE) as pilot:
        await pilot.press(KEY)
        await until_planned(pilot, "total 67 123")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "Open a preset" in shown(pilot))
        await pilot.press("enter")  # bad-initializer
        await until_planned(pilot, "input 8 x 8 x 1")


async def test_a_form_with_a_problem_has_no_plan_until_it_is_mended():
    async with running(SHORT, size=LARGE) as pilot:
        await pilot.press(KEY)
        await until_planned(pilot, "total 67 123")
        await type_into(pilot, "training.epochs", "0")
        await until(pilot, lambda: "! A field of the form has a problem" in part(pilot, "#plan-model"))
        assert "total" not in part(pilot, "#plan-model")
        assert "not known" in part(pilot, "MemoryPanel")
        assert "not known" in part(pilot, "#plan-rate")
        await type_into(pilot, "training.epochs", "4")
        await until(pilot, lambda: "32 updates" in part(pilot, "#plan-model") and "optimizer" in memory(pilot))


async def test_what_does_not_fit_the_data_is_told_beside_the_layers():
    async with running(SHORT.changed({"training.batch_size": 999}), size=LARGE) as pilot:
        await pilot.press(KEY)
        await until(pilot, lambda: "! training.batch_size must be at most the 120" in part(pilot, "#plan-model"))
        assert "total" in part(pilot, "#plan-model")
        assert "not known" in part(pilot, "MemoryPanel")


async def test_data_that_cannot_be_read_are_told_without_obeying_their_name(tmp_path: Path):
    table = {"data": {"source": "path", "path": "[bold]missing[/].csv", "target": "y"}}
    async with running(Config.parse(table), base=tmp_path, size=LARGE) as pilot:
        await pilot.press(KEY)
        await until(pilot, lambda: "data.path must name a file" in text_of_model(pilot))
        assert "[bold]missing[/].csv" in text_of_model(pilot)
        assert pilot.app.is_running


async def test_an_installation_that_is_broken_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "trainer.plan", None)
    async with running(SHORT, size=LARGE) as pilot:
        await pilot.press(KEY)
        await until(pilot, lambda: "! no plan can be made" in part(pilot, "#plan-model"))


# Compiling.


async def test_each_compile_key_tells_the_memory_and_trains_nothing():
    key, *_, other = keys_of("compile")
    # Of a structure that no other test compiles: programs are kept as long as the process lives.
    config = SHORT.changed({"model.hidden": [11, 3]})
    async with running(config, size=LARGE) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: re.fullmatch(r"[\d.]+ KiB", memory(pilot).get("as compiled", "")))
        await type_into(pilot, "optimizer.learning_rate", "2")
        await until(pilot, lambda: "2.00┤" in part(pilot, "#plan-rate"))
        assert memory(pilot)["as compiled"].endswith("KiB"), "a number that is data is not compiled in"
        await type_into(pilot, "model.hidden", "1", "2")
        await until(pilot, lambda: memory(pilot)["as compiled"] == "ctrl+t tells")
        await pilot.press("f3", other)
        await until(pilot, lambda: memory(pilot)["as compiled"].endswith("KiB"))
    assert all_runs(Path(os.environ["NN_TUI_RUNS"])) == []


async def test_a_run_that_has_compiled_what_the_form_says_tells_its_memory():
    async with running(SHORT.changed({"model.hidden": [13]}), size=LARGE) as pilot:
        await pilot.press(KEY)
        await until(pilot, lambda: memory(pilot).get("as compiled") == "ctrl+t tells")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: memory(pilot)["as compiled"].endswith("KiB"))


async def test_nothing_is_compiled_beside_a_run_under_way_nor_from_a_form_with_a_problem():
    async with running(LONG, size=LARGE) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "▶ running" in part(pilot, "#status"))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "A run is under way. f4 stops it, then ctrl+t compiles." in shown(pilot))
    async with running(SHORT, size=LARGE) as pilot:
        await type_into(pilot, "training.epochs", "0")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: "A field has a problem" in shown(pilot))


# What is not done.


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs of which somebody wanted to know what they mean."""
    seen: list[Config] = []
    outlooks = outlook.outlooks

    def noting(config: Config, *arguments: Any, **options: Any) -> Any:
        seen.append(config)
        return outlooks(config, *arguments, **options)

    monkeypatch.setattr(outlook, "outlooks", noting)
    return seen


async def test_no_plan_is_made_that_nobody_sees(looked_at: list[Config]):
    async with running(SHORT, size=LARGE) as pilot:
        await type_into(pilot, "model.hidden", "5")
        await pilot.pause(2 * page._REST_SECONDS)
        assert looked_at == []
        await pilot.press("escape", KEY)
        await until_planned(pilot, "total 43 78")
        assert [config.model.hidden for config in looked_at] == [(5,)]


async def test_letters_that_are_typed_fast_make_one_plan(looked_at: list[Config], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page, "_REST_SECONDS", 3.0)
    async with running(SHORT, size=LARGE) as pilot:
        await pilot.press(KEY)
        await until_planned(pilot, "total 67 123")
        looked_at.clear()
        await type_into(pilot, "model.hidden", "1", "2", "3")
        await until_planned(pilot, "hidden_1 123 615 1,107 dense relu")
        assert [config.model.hidden for config in looked_at] == [(123,)]


async def test_nothing_is_repainted_while_nothing_changes(monkeypatch: pytest.MonkeyPatch):
    async with running(SHORT, size=LARGE) as pilot:
        await pilot.press(KEY)
        await until(pilot, lambda: "optimizer" in memory(pilot))
        asked: list[Widget] = []
        refresh = Widget.refresh

        def noting(widget: Widget, *regions: Any, **options: Any) -> Any:
            asked.append(widget)
            return refresh(widget, *regions, **options)

        await pilot.pause()
        monkeypatch.setattr(Widget, "refresh", noting)
        await pilot.pause(0.5)
        assert asked == []


# Looks.


@pytest.mark.parametrize("size", [(80, 24), (112, 28), (160, 45)])
async def test_the_page_shows_all_of_a_small_network_in_every_usual_size(size: tuple[int, int]):
    async with running(SHORT.changed({"model.hidden": [8, 8, 8]}), size=size) as pilot:
        await pilot.press(KEY)
        await until_planned(pilot, "input 4", "total 211 395")
        await until(pilot, lambda: "as compiled" in memory(pilot) and "epochs" in part(pilot, "#plan-rate"))
        assert "8 an epoch." in part(pilot, "#plan-model")


async def test_a_deep_network_scrolls_and_leaves_room_for_the_rest():
    async with running(SHORT.changed({"model.hidden": [4] * 60}), size=(80, 24)) as pilot:
        await pilot.press(KEY)
        await until_planned(pilot, "hidden_1 4 20 36 dense relu")
        await until(pilot, lambda: "as compiled" in memory(pilot))
        assert "total" not in part(pilot, "#plan-model")
        await pilot.press("tab")
        await until(pilot, lambda: pilot.app.focused is pilot.app.screen.query_one("#plan-model"))
        await pilot.press("end")
        await until(pilot, lambda: ["total", "1,215", "2,187"] in words(pilot, "#plan-model"))


def test_columns_stand_below_each_other():
    rows = [("a", "12345", "b"), ("long", "1", "word")]
    assert plan_words.aligned(rows, words=(0, 2)) == ["a     12345  b", "long      1  word"]
    assert plan_words.aligned(rows) == ["a     12345     b", "long      1  word"]


def test_a_course_tells_no_more_than_is_known():
    assert plan_words.course(Outlook(SHORT)) == ""
