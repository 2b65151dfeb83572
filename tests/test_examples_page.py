"""The page of examples, on real short runs, at the smallest and at a large size."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from screens import following, shown, until, until_shown
from textual.pilot import Pilot

from trainer import picture_file
from trainer.config import Config
from trainer.run import Run
from tui.app import NnTui
from tui.confusion_panel import ConfusionPanel
from tui.examples_page import ExamplesPage
from tui.form import Form
from tui.pages import PAGES
from tui.picture import Picture
from tui.picture_words import headline

SMALL = {"model.hidden": [8], "training.batch_size": 32, "training.epochs": 5, "optimizer.learning_rate": 0.02}
LARGE, LEAST = (160, 45), (80, 24)
KEY = str(PAGES.index(ExamplesPage) + 1)


@asynccontextmanager
async def showing(directory: Path, size: tuple[int, int] = LARGE) -> AsyncIterator[Pilot[None]]:
    """Open the app, bring a run onto the panels and go to the page as a person would."""
    async with following(directory, size) as pilot:
        await pilot.press(KEY)
        await pilot.pause()
        yield pilot


def titles(pilot: Pilot[None]) -> list[str]:
    return [str(panel.border_title) for panel in pilot.app.screen.query(Picture) if panel.region]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"data.source": "digits"}, ["confusion", "worst examples"]),
        ({"data.source": "iris"}, ["confusion", "worst examples"]),
        ({"data.source": "diabetes"}, ["predicted against true", "worst examples"]),
        ({"data.source": "moons"}, ["decision boundary", "confusion", "worst examples"]),
    ],
)
async def test_what_the_runs_data_have_is_shown_together_or_one_by_one(
    trained: Callable[..., Run], settings: dict[str, Any], expected: list[str]
):
    run = trained({**SMALL, **settings})
    async with showing(run.directory) as pilot:
        await until_shown(pilot, "weights of epoch 5 · ", " validation examples", *expected)
        assert [title.split(":")[0] for title in titles(pilot)] == expected
        assert "m next" not in shown(pilot)
    async with showing(run.directory, LEAST) as pilot:
        for place, words in enumerate([*expected, expected[0]]):
            await until_shown(pilot, words, f"{place % len(expected) + 1}/{len(expected)} · m next")
            assert len(titles(pilot)) == 1
            await pilot.press("m")


async def test_a_run_of_another_task_has_its_own_panels(trained: Callable[..., Run]):
    runs = [trained({**SMALL, "data.source": source}) for source in ("digits", "diabetes")]
    async with showing(runs[0].directory, LEAST) as pilot:
        await until(pilot, lambda: titles(pilot) and "confusion" in titles(pilot)[0])
        pilot.app.screen.show_run(runs[1].directory)
        await until(pilot, lambda: titles(pilot) == ["predicted against true"])
        await pilot.press("m")
        await until(pilot, lambda: titles(pilot) == ["worst examples"])


async def test_a_resize_shows_all_or_one(trained: Callable[..., Run]):
    run = trained({**SMALL, "data.source": "moons"})
    async with showing(run.directory, LEAST) as pilot:
        await until_shown(pilot, "1/3 · m next")
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: len(titles(pilot)) == 3 and "m next" not in shown(pilot))
        await pilot.resize_terminal(80, 45)
        await until(pilot, lambda: len({panel.region.x for panel in pilot.app.screen.query(Picture)} - {0}) <= 1)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: len(titles(pilot)) == 1)


async def test_the_numbers_on_the_page_are_those_of_the_file(trained: Callable[..., Run]):
    run = trained({**SMALL, "data.source": "iris"})
    pictures = picture_file.read(run.directory)
    async with showing(run.directory) as pilot:
        wrong = pictures.examples - pictures.right
        await until_shown(pilot, f"{wrong} wrong ({wrong / 30:.1%})", "setosa", "recall")
        panel = pilot.app.screen.query_one(ConfusionPanel)
        rows = [strip.text for strip in panel._strips]
        for index, row in enumerate(pictures.confusion):
            assert rows[2 + 3 * index].split()[1:4] == [str(count) if count else "·" for count in row]


async def test_a_live_run_moves_the_boundary_until_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("trainer.looking._LEAST_SECONDS", 0.05)
    config = Config().changed({**SMALL, "data.source": "spirals", "training.epochs": 100_000})
    app = NnTui(lambda: config, None, tmp_path)
    app.animation_level = "none"
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: app.train_screen.query(Form))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.train_screen.run_view.followed)
        await pilot.press("ctrl+n")
        await until_shown(pilot, "▶ running", "decision boundary", "weights of ")
        panel = pilot.app.screen.query_one("BoundaryPanel", Picture)
        seen = [strip.text for strip in panel._strips], panel.cells_painted
        await until(pilot, lambda: panel.cells_painted > seen[1])
        app.train_screen.host.cancel()
        directory = app.train_screen.host.directory
        await until(pilot, lambda: not app.train_screen.host.is_busy)
        assert directory is not None
        last = picture_file.read(directory)
        await until_shown(pilot, "■ stopped", headline(last).split(" · ")[0])


async def test_nothing_is_read_or_painted_where_nothing_has_changed(
    trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
):
    run = trained({**SMALL, "data.source": "digits"})
    reads, read = [], picture_file.read
    monkeypatch.setattr(picture_file, "read", lambda directory: reads.append(directory) or read(directory))
    app = NnTui(Config, None, run.directory.parent)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: app.train_screen.query(Form))
        app.train_screen.show_run(run.directory)
        await pilot.pause()
        assert reads == [], "the page is not seen"
        await pilot.press(KEY)
        await until_shown(pilot, "weights of epoch 5")
        assert len(reads) == 1
        painted = {panel: panel.cells_painted for panel in app.screen.query(Picture)}
        for _ in range(2):
            await pilot.press("1", KEY)
            await pilot.pause()
        assert len(reads) == 1, "the same file"
        assert painted == {panel: panel.cells_painted for panel in app.screen.query(Picture)}
        path = run.directory / picture_file.NAME
        os.utime(path, ns=(time.time_ns(), time.time_ns()))
        await pilot.press("1", KEY)
        await until(pilot, lambda: len(reads) == 2)


@pytest.mark.parametrize("size", [LEAST, LARGE])
@pytest.mark.parametrize("content", ["", "[]", '{"epoch": "\\u001b[2J"}', '{"worst":' + "[" * 50_000, "x" * 300_000])
async def test_a_file_of_somebody_else_is_one_line_and_the_app_lives(
    trained: Callable[..., Run], content: str, size: tuple[int, int]
):
    run = trained({**SMALL, "data.source": "iris"})
    path = run.directory / picture_file.NAME
    good = path.read_text()
    path.write_text(content)
    async with showing(run.directory, size) as pilot:
        await until_shown(pilot, "! pictures.json ")
        assert titles(pilot) == []
        assert "\x1b" not in shown(pilot)
        path.write_text(good)
        await pilot.press("1", KEY)
        await until_shown(pilot, "confusion")
        assert "!" not in shown(pilot).splitlines()[3]


async def test_a_run_without_pictures_says_so(trained: Callable[..., Run]):
    run = trained({**SMALL, "data.source": "iris", "training.epochs": 1})
    (run.directory / picture_file.NAME).unlink()
    async with showing(run.directory) as pilot:
        await until_shown(pilot, "no look at the model was taken of this run")
        assert titles(pilot) == []


async def test_a_name_with_markup_or_escape_codes_is_shown_as_it_is(trained: Callable[..., Run], tmp_path: Path):
    rows = "".join(f"{i % 7},{i % 5},{'[b]red[/]' if i % 2 else chr(27) + ']0;x'}\n" for i in range(120))
    (tmp_path / "evil.csv").write_text("[@click=app.exit]a,b[/],label\n" + rows)
    run = trained({**SMALL, "data.source": "path", "data.path": str(tmp_path / "evil.csv")})
    async with showing(run.directory) as pilot:
        await until_shown(pilot, "[b]red[/]", r"\x1b]0;x", "[@click=app.exit]a")
        assert "\x1b" not in shown(pilot)


@pytest.mark.parametrize("theme", ["textual-light", "gruvbox", "ansi-dark"])
async def test_a_change_of_theme_paints_in_its_colours(trained: Callable[..., Run], theme: str):
    run = trained({**SMALL, "data.source": "moons"})
    async with showing(run.directory) as pilot:
        await until_shown(pilot, "decision boundary")
        panel = pilot.app.screen.query_one("BoundaryPanel", Picture)
        before = panel._strips
        pilot.app.theme = theme
        await until(pilot, lambda: panel._strips != before)
        assert [len(strip.text) for strip in panel._strips] == [len(strip.text) for strip in before]
        assert "●" in shown(pilot)


async def test_without_colour_classes_still_differ(trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    run = trained({**SMALL, "data.source": "moons", "training.epochs": 20})
    async with showing(run.directory) as pilot:
        await until_shown(pilot, "decision boundary", "░", "●", "○")
