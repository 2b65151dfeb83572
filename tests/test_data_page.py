"""The data page: what the examples are like, of the form and of a run, at every size and by keyboard alone."""

import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from screens import following, part, running, shown, until, until_shown
from textual.pilot import Pilot

from trainer.config import Config
from trainer.data import Moons
from trainer.data.loading import overview
from trainer.run import Run
from tui.data_page import DataPage
from tui.data_panels import ClassList, ColumnList, SampleList
from tui.form_fields import widget_id
from tui.line_list import LineList
from tui.pages import PAGES

KEY = str(PAGES.index(DataPage) + 1)
LARGE, LEAST = (160, 45), (80, 24)


@asynccontextmanager
async def opened(
    settings: dict[str, Any], size: tuple[int, int] = LARGE, key: str = KEY, base: Path | None = None
) -> AsyncIterator[Pilot[None]]:
    """Open the app and go to the page as a person would."""
    async with running(Config().changed(settings), size, base=base) as pilot:
        await pilot.press(key)
        await until_shown(pilot, "of the form")
        yield pilot


def panels(pilot: Pilot[None]) -> list[str]:
    """Return the titles of the panels that are seen."""
    seen = [panel for panel in pilot.app.screen.query(".of-data") if panel.region]
    return [re.split(r" [(·]", str(panel.border_title))[0] for panel in seen]


def head(pilot: Pilot[None]) -> str:
    """Return the lines above the panels as one, whatever the words that a line has room for."""
    return " ".join(part(pilot, "#data-head").split())


@pytest.mark.parametrize("key", [KEY, "d", "f12"])
async def test_a_key_opens_the_page_which_tells_of_the_form(key: str):
    async with opened({"data.source": "iris"}, key=key) as pilot:
        await until_shown(pilot, "150 examples of 4 features", "train 120 x 4 · validation 30 x 4 · test none")
        assert panels(pilot) == ["columns", "some training examples", "classes"]
        assert "setosa" in part(pilot, "ClassList")
        line = next(line for line in part(pilot, "ColumnList").splitlines() if "petal width" in line)
        told = overview(Config().changed({"data.source": "iris"}).data).columns[3]
        assert f"{told.deviation:.4g}" in line.split()
        assert "f12 Data" in shown(pilot)


CASES = [
    ({"data.source": "moons"}, ["columns", "classes", "some training examples"]),
    ({"data.source": "digits"}, ["columns", "classes", "some training examples"]),
    ({"data.source": "diabetes"}, ["columns", "some training examples"]),
]


@pytest.mark.parametrize(("settings", "expected"), CASES)
async def test_a_small_screen_shows_one_panel_after_the_other(settings: dict[str, Any], expected: list[str]):
    async with opened(settings, LEAST) as pilot:
        for place, title in enumerate([*expected, expected[0]]):
            await until(pilot, lambda title=title: panels(pilot) == [title])
            assert f"{place % len(expected) + 1}/{len(expected)} · m next" in shown(pilot)
            await pilot.press("m")


async def test_pictures_are_drawn_with_their_class():
    async with opened({"data.source": "digits"}) as pilot:
        await until_shown(pilot, "1,797 pictures of 8 x 8 x 1")
        assert all(f" {digit} " in part(pilot, "SamplePictures") for digit in range(10))
        assert not pilot.app.screen.query_one(SampleList).region


def wide(tmp_path: Path) -> dict[str, Any]:
    names = ",".join(f"n{n:03}" for n in range(200))
    rows = "".join(",".join(str(n * row) for n in range(200)) + f",class {row % 100:03}\n" for row in range(300))
    (tmp_path / "wide.csv").write_text(f"{names},y\n{rows}")
    return {"data.source": "path", "data.path": "wide.csv"}


async def test_many_columns_and_classes_are_scrolled_with_keys(tmp_path: Path):
    async with opened(wide(tmp_path), LEAST, base=tmp_path) as pilot:
        await until_shown(pilot, "columns (200)", "n000", "n012")
        await until(pilot, lambda: isinstance(pilot.app.screen.focused, ColumnList))
        await pilot.press("end")
        await until_shown(pilot, "n199", "column  type")
        assert "n000" not in shown(pilot)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(pilot.app.screen.focused, ClassList))
        await pilot.press("pagedown")
        await until_shown(pilot, "class 014")
        assert "class 000" not in shown(pilot)
        await pilot.press("m", "right")
        await until(pilot, lambda: pilot.app.screen.query_one(SampleList).scroll_x > 0)
        await pilot.press("1")
        await until(pilot, lambda: pilot.app.screen.focused is None)


async def test_what_was_missing_is_told_with_what_was_done(tmp_path: Path):
    rows = "".join(f"{'' if n % 4 == 0 else n},{['red', 'blue', ''][n % 3]},{'uv'[n % 2]}\n" for n in range(60))
    (tmp_path / "gaps.csv").write_text("n,colour,label\n" + rows)
    settings = {"data.source": "path", "data.path": "gaps.csv", "data.missing": "impute"}
    async with opened(settings, base=tmp_path) as pilot:
        await until_shown(pilot, "to know")
        lines = {line.split()[1]: line.split() for line in part(pilot, "ColumnList").splitlines()[1:-1]}
        assert lines["n"][2:4] == ["number", "15"]
        assert lines["colour"][2:5] == ["2", "categories", "20"]
        notes = " ".join(line.strip(" │") for line in part(pilot, "#data-notes").splitlines())
        assert "15 missing values are filled in by the median of the training part, in n" in notes


async def test_it_follows_the_form_and_tells_what_cannot_be_read():
    async with opened({"data.source": "moons"}) as pilot:
        await until_shown(pilot, "1,000 examples of 2 features")
        pilot.app.screen.query_one(f"#{widget_id('data.size')}").focus()
        await pilot.press("ctrl+u", *"500", "tab")
        await until_shown(pilot, "500 examples of 2 features")
        pilot.app.screen.query_one(f"#{widget_id('data.size')}").focus()
        await pilot.press("ctrl+u", *"5", "tab")
        await until_shown(pilot, "! A field of the data has a problem")
        assert panels(pilot) == []


async def test_a_file_that_is_not_there_is_a_line(tmp_path: Path):
    settings = {"data.source": "path", "data.path": "none.csv"}
    async with running(Config().changed(settings), base=tmp_path) as pilot:
        await pilot.press(KEY)
        await until(pilot, lambda: "data.path must name a file" in head(pilot))
        assert panels(pilot) == []


async def test_a_run_brings_its_data_and_the_form_its_own(trained: Callable[..., Run]):
    run = trained({"data.source": "moons", "data.size": 300, "model.hidden": [4], "training.epochs": 1})
    async with following(run.directory) as pilot:
        await pilot.press(KEY)
        await until_shown(pilot, "300 examples of 2 features", f"of the run {run.directory.name}, as they are now")
        pilot.app.screen.query_one(f"#{widget_id('data.validation_split')}").focus()
        await pilot.press("ctrl+u", *"0.5", "tab")
        await until_shown(pilot, "1,797 pictures of 8 x 8 x 1", "of the form")


async def test_the_screen_waits_for_no_data(monkeypatch: pytest.MonkeyPatch):
    """Whatever time the reading takes, keys are answered meanwhile."""
    may_go_on, read = threading.Event(), Moons.read

    def reads_slowly(self: Moons, file_base: Path | None) -> Any:
        assert threading.current_thread() is not threading.main_thread()
        may_go_on.wait(30)
        return read(self, file_base)

    monkeypatch.setattr(Moons, "read", reads_slowly)
    async with running(Config().changed({"data.source": "moons", "data.seed": 4321}), LARGE) as pilot:
        await pilot.press(KEY)
        await until_shown(pilot, "reading the examples")
        await pilot.press("1")
        await until_shown(pilot, "learning rate")
        await pilot.press(KEY)
        may_go_on.set()
        await until_shown(pilot, "1,000 examples of 2 features")


@pytest.mark.parametrize("size", [LARGE, LEAST])
async def test_no_part_of_a_number_is_shown(tmp_path: Path, size: tuple[int, int]):
    columns = [f"a column of amounts {n}" for n in range(3)]
    rows = "".join(f"{n * 10_007.5 - 3e6},{n * 1.7e9},{n:05},{n * 1011.5}\n" for n in range(300))
    (tmp_path / "amounts.csv").write_text(f"{','.join(columns)},price\n{rows}")
    settings = {"data.source": "path", "data.path": "amounts.csv"}
    async with opened(settings, size, base=tmp_path) as pilot:
        await until_shown(pilot, "columns (3)", "← → for more")
        for name in ("ColumnList", "SampleList"):
            await until(pilot, lambda name=name: pilot.app.screen.query_one(name).region)
            panel = pilot.app.screen.query_one(name, LineList)
            whole = {word for line in panel._lines for word in line.plain.split()} | {"…"}
            panel.focus()
            seen = set()
            for _ in range(12):
                seen |= {word for line in part(pilot, name).splitlines()[1:-2] for word in line[1:-1].split()}
                await pilot.press("right")
            assert "…" in seen <= whole
            assert panel.scroll_x
            assert all(f"│ a column of amounts {n}  " in part(pilot, name) for n in range(3))
            await pilot.press("m")


@pytest.mark.parametrize("size", [LARGE, LEAST])
async def test_beside_a_refusal_stands_what_is_missing_in_each_column(tmp_path: Path, size: tuple[int, int]):
    rows = "".join(f"{'' if n % 4 == 0 else n},{n % 5},{['red', 'blue', ''][n % 3]},{'uv'[n % 2]}\n" for n in range(60))
    (tmp_path / "gaps.csv").write_text("n,m,colour,label\n" + rows)
    settings = {"data.source": "path", "data.path": "gaps.csv"}
    async with running(Config().changed(settings), size, base=tmp_path) as pilot:
        await pilot.press(KEY)
        await until_shown(pilot, "of the form", "columns (3)")
        assert "must hold no missing values, got 15 in column 'n'" in head(pilot)
        assert 'the ranges are those with data.missing = "impute"' in head(pilot)
        lines = {line.split()[1]: line.split() for line in part(pilot, "ColumnList").splitlines()[1:-1]}
        assert (lines["n"][3], lines["m"][3], lines["colour"][4]) == ("15", "–", "20")
