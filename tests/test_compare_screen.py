import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from screens import part, shown, until, until_shown
from textual.app import App

from trainer.config import Config, dump
from trainer.events import Epoch, Finished, Reason, Started
from trainer.log import Log
from trainer.run import Run
from trainer.status import Status
from tui.cell_table import CellTable, cut_run
from tui.chart_widget import Chart
from tui.compare_screen import CompareScreen
from tui.run_table import RunTable


class Written:
    """A run whose records are written by a test."""

    def __init__(self, store: Path, name: str, settings: dict[str, Any], age: float) -> None:
        self.path = store / f"20261120-{86400 - age:06.0f}-{name}-0000"
        self.path.mkdir(parents=True)
        config = Config().changed(settings)
        (self.path / "config.toml").write_text(dump(config))
        (self.path / "lock").touch()
        self.run = Run(self.path, config, Status(name=name, created=time.time() - age, epochs_planned=9))
        self.log = Log(self.path / "events.jsonl")
        self.add(Started(n_parameters=1234, device="cpu", steps_per_epoch=10))

    def add(self, event: Any) -> None:
        self.run.apply(self.log.append(event))
        (self.path / "run.json").write_text(self.run.status.model_dump_json())

    def epoch(self, **metrics: float) -> None:
        done = self.run.status.epochs
        stamps = {"epoch": done, "step": 10 * (done + 1), "elapsed": 0.5 * (done + 1)}
        self.add(Epoch(metrics=metrics, examples_per_second=1000.0, **stamps))


class Store:
    """A folder of runs; `live` ones hold their lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Written] = []
        self.locks: list[int] = []

    def add(
        self, name: str, *losses: float, reason: Reason | None = "completed", live: bool = False, **settings: Any
    ) -> Written:
        dotted = {key.replace("__", "."): value for key, value in settings.items()}
        written = Written(self.folder, name, dotted, age=3600.0 - 60 * len(self.made))
        self.made.append(written)
        for loss in losses:
            written.epoch(loss=loss / 2, val_loss=loss, val_accuracy=1 - loss)
        if live:
            self.locks.append(os.open(written.path / "lock", os.O_RDONLY))
            fcntl.flock(self.locks[-1], fcntl.LOCK_EX)
        elif reason:
            written.add(Finished(reason=reason, step=written.run.status.steps, elapsed=written.run.status.seconds))
        return written


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "runs")
    yield made
    for written in made.made:
        written.log.close()
    for lock in made.locks:
        os.close(lock)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.compare_screen._TICK", 0.1)
    monkeypatch.setattr("tui.compare_screen._LISTING_INTERVAL", 0.2)


class CompareApp(App[None]):
    def __init__(self, store: Path, *marked: Path) -> None:
        super().__init__()
        self.compare = CompareScreen(store, marked)
        self.opened: list[Path] = []
        self.marked: list[tuple[Path, ...]] = []

    def on_mount(self) -> None:
        self.push_screen(self.compare)

    def on_run_table_opened(self, event: RunTable.Opened) -> None:
        self.opened.append(event.directory)

    def on_run_table_marked(self, event: RunTable.Marked) -> None:
        self.marked.append(event.directories)


def row_of(text: str, word: str) -> str:
    return next((line for line in text.splitlines() if word in line), "")


async def test_two_marked_runs_lie_over_each_other_and_are_compared(store: Store):
    """The legend names both, the rate that differs stands below, the better outcome has a star."""
    store.add("slow", 0.9, 0.8, optimizer__learning_rate=0.0005)
    store.add("fast", 0.7, 0.25, optimizer__learning_rate=0.02)
    app = CompareApp(store.folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "slow", "fast", "Mark runs with space")
        await pilot.press("space", "down", "space")
        await until_shown(pilot, "A fast", "B slow", "optimizer.learning_rate")
        legend = part(pilot, "Chart").splitlines()[0]
        assert "─A fast 0.25" in legend
        assert "─B slow 0.8" in legend
        best = row_of(part(pilot, "#comparison"), "best val_loss")
        assert best.split() == ["│", "best", "val_loss", "★", "0.25", "@2", "0.8", "@2", "│"]
        assert row_of(part(pilot, "#comparison"), "learning_rate").split()[2:4] == ["0.02", "0.0005"]
        assert "batch_size" not in part(pilot, "#comparison")
        assert app.marked == [(store.made[1].path,), (store.made[1].path, store.made[0].path)]


async def test_long_keys_leave_room_for_the_values_of_two_runs(store: Store):
    """Of a key the end is left, which tells the most; where there is room for it, it is whole."""
    key = "callbacks__reduce_lr_on_plateau__min_delta"
    for name, value in (("one", 0.125), ("two", 0.25)):
        store.add(name, 0.5, callbacks__reduce_lr_on_plateau__enabled=True, **{key: value})
    app = CompareApp(store.folder, *(run.path for run in store.made))
    async with app.run_test(size=(80, 45)) as pilot:
        await until_shown(pilot, "what differs")
        words = row_of(part(pilot, "#comparison"), "min_delta").split()
        assert (words[1][0], words[1][-18:], words[2:4]) == ("…", "_plateau.min_delta", ["0.125", "0.25"])
        await pilot.resize_terminal(110, 45)
        await until_shown(pilot, "callbacks.reduce_lr_on_plateau.min_delta")


@pytest.mark.parametrize("width", [80, 160])
async def test_the_comparison_gives_long_names_the_room_that_there_is(store: Store, width: int):
    key = "callbacks__reduce_lr_on_plateau__min_delta"
    for name, value in (("diabetes-replica", 0.125), ("diabetes-rerun-2", 0.25)):
        store.add(name, 0.5, callbacks__reduce_lr_on_plateau__enabled=True, **{key: value})
    app = CompareApp(store.folder, *(run.path for run in store.made))
    async with app.run_test(size=(width, 45)) as pilot:
        await until(pilot, lambda: "B diabetes-rerun-2" in part(pilot, "#comparison"))
        assert "A diabetes-replica " in part(pilot, "#comparison")


def test_a_name_that_is_cut_still_says_how_many_runs_it_stands_for():
    assert cut_run("diabetes-regression ×5", 13) == "diabetes-… ×5"
    assert cut_run("diabetes-regression #12", 13) == "diabetes… #12"
    assert cut_run("diabetes-regression", 13) == "diabetes-reg…"
    assert cut_run("iris ×5", 13) == "iris ×5"


async def test_a_mark_keeps_its_letter_when_an_earlier_one_goes(store: Store):
    for name in ("one", "two", "three"):
        store.add(name, 0.5)
    app = CompareApp(store.folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "three")
        await pilot.press("space", "down", "space", "up", "space")
        await until_shown(pilot, "B two")
        assert "● B" in row_of(part(pilot, "#runs"), "two")
        await pilot.press("down", "down", "space")
        await until_shown(pilot, "A one")
        await pilot.press("u")
        await until_shown(pilot, "Mark runs with space")
        assert "●" not in shown(pilot)


async def test_colours_of_table_legend_and_comparison_agree(store: Store):
    store.add("one", 0.5)
    app = CompareApp(store.folder, store.made[0].path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "─A one")
        parts = [part for strip in app.screen._compositor.render_strips() for part in strip]
        colors = {(part.style or Style()).color for part in parts if part.text.strip() in ("─A", "● A one")}
        assert len(colors) == 1
        app.theme = "textual-light"
        await until(pilot, lambda: app.compare._palette()[0].color not in colors)


async def test_a_live_run_moves(store: Store):
    live = store.add("live", 0.9, live=True)
    app = CompareApp(store.folder, live.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "▶ running", "─A live 0.9", "1/9")
        live.epoch(loss=0.1, val_loss=0.15)
        await until_shown(pilot, "─A live 0.15", "0.15 @2", "2/9")
        live.add(Finished(reason="completed"))
        await until_shown(pilot, "✓ finished")
        await until(pilot, lambda: "running" not in shown(pilot))


async def test_nothing_is_repainted_while_nothing_changes(store: Store):
    store.add("one", 0.5)
    app = CompareApp(store.folder, store.made[0].path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "─A one 0.5", "✓ finished")
        await pilot.pause(0.1)
        repainted: list[Any] = []
        for widget in (app.compare.query_one(Chart), *app.compare.query(CellTable)):
            refresh = widget.refresh

            def counted(*regions: Any, _widget: Any = widget, _refresh: Any = refresh, **options: Any) -> Any:
                repainted.append(_widget)
                return _refresh(*regions, **options)

            widget.refresh = counted  # type: ignore[method-assign]
        app.compare._look()
        app.compare._draw()
        await pilot.pause(0.7)
        assert repainted == []


async def test_only_the_cell_that_changed_is_repainted():
    class TableApp(App[None]):
        def compose(self) -> Any:
            yield RunTable()

    def at(epochs: int, name: str) -> Run:
        return Run(Path(name), status=Status(state="finished", name=name, created=1.0, epochs=epochs))

    async with TableApp().run_test(size=(80, 12)) as pilot:
        table = pilot.app.query_one(RunTable)
        table.show([at(1, "a"), at(2, "b")])
        await pilot.press("down")
        regions: list[Any] = []
        refresh = table.rows._refresh_region
        table.rows._refresh_region = lambda region: (regions.append(region), refresh(region))  # type: ignore
        table.show([at(1, "a"), at(3, "b")])
        await pilot.pause()
        assert [region.size for region in regions] == [(11, 1)]
        assert "3/0" in row_of(shown(pilot), "b ")
        table.show([at(1, "c"), at(1, "a"), at(3, "b")])
        await pilot.pause()
        assert table.rows.cursor_key == "b"


async def test_m_walks_through_the_metrics(store: Store):
    store.add("one", 0.5)
    app = CompareApp(store.folder, store.made[0].path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "val_loss over epochs", "2 of 3")
        await pilot.press("m")
        await until_shown(pilot, "val_accuracy over epochs", "3 of 3")
        await pilot.press("m")
        await until_shown(pilot, " loss over epochs", "─A one 0.25")
        await pilot.press("M")
        await until_shown(pilot, "val_accuracy over epochs")


async def test_y_and_x_change_the_axes(store: Store):
    store.add("one", 0.9, 0.1, 0.0)
    app = CompareApp(store.folder, store.made[0].path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "val_loss over epochs", "─A one 0")
        linear = part(pilot, "Chart")
        await pilot.press("y")
        await until_shown(pilot, "over epochs, log")
        assert part(pilot, "Chart") != linear
        await pilot.press("x")
        await until_shown(pilot, "val_loss over steps, log")
        assert "20" in part(pilot, "Chart").splitlines()[-1]
        await pilot.press("x", "y")
        await until_shown(pilot, "val_loss over seconds")
        assert "seconds" in part(pilot, "Chart")


async def test_the_cursor_begins_at_the_run_that_was_named(store: Store):
    for name in ("first", "second", "third"):
        store.add(name, 0.5)
    app = CompareApp(store.folder, store.made[1].path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "3 · 1 marked")
        await pilot.press("enter")
        await until(pilot, lambda: app.opened == [store.made[1].path])


async def test_slash_filters_by_name_id_and_state_and_escape_ends_that_first(store: Store):
    store.add("apple", 0.5)
    store.add("pear", 0.4, reason="stopped")
    app = CompareApp(store.folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "apple", "pear")
        await pilot.press("down", "space", "slash", *"STOP")
        await until(pilot, lambda: "apple" not in part(pilot, "#rows"))
        await until_shown(pilot, "1 of 2 · 1 marked", "■ stopped", "─A apple", "esc All runs")
        await pilot.press("enter", "escape")
        await until(pilot, lambda: "apple" in part(pilot, "#rows"))
        assert isinstance(app.screen, CompareScreen)
        await pilot.press("escape")
        assert not isinstance(app.screen, CompareScreen)


async def test_a_filter_that_nothing_matches_says_so(store: Store):
    store.add("apple", 0.5)
    app = CompareApp(store.folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "apple")
        await pilot.press("slash", *"kiwi")
        await until_shown(pilot, "0 of 1 · no name, id or state has this text in it · 0 marked")


async def test_replicas_are_one_row_with_their_mean_and_one_band(store: Store):
    lead, second = store.add("twins", 0.5, 0.2), store.add("twins", 0.7, 0.4)
    lead.run.status.group = second.run.status.group = lead.path.name
    lead.run.status.replica, second.run.status.replica = 1, 2
    lead.run.status.replicas = [second.path.name]
    for one in (lead, second):
        one.epoch(val_loss=0.3 if one is lead else 0.1)
    app = CompareApp(store.folder)
    async with app.run_test(size=(150, 40)) as pilot:
        await until_shown(pilot, "twins ×2", "val_loss 0.15 ± 0.071", "1 · 0 marked")
        await pilot.press("space")
        await until_shown(pilot, "─A twins ×2", "0.15 ± 0.071")
        assert "#2" not in part(pilot, "#rows")


async def test_o_sorts_by_age_best_value_and_name(store: Store):
    for name, loss in (("b", 0.2), ("c", 0.1), ("a", 0.3)):
        store.add(f"run-{name}", loss)
    store.add("run-none")
    app = CompareApp(store.folder)

    def order() -> list[str]:
        return [run.rpartition("-")[0].rpartition("-")[2] for run in app.compare.runs.rows._cells]

    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "run-a")
        assert order() == ["none", "a", "c", "b"]
        await pilot.press("o")
        assert order() == ["c", "b", "a", "none"]
        await until_shown(pilot, "best ★")
        await pilot.press("o")
        assert order() == ["a", "b", "c", "none"]


async def test_enter_opens_the_run_under_the_cursor(store: Store):
    store.add("one", 0.5)
    app = CompareApp(store.folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "one")
        await pilot.press("enter")
        await until(pilot, lambda: app.opened == [store.made[0].path])


async def test_a_ninth_mark_is_refused_with_a_reason(store: Store):
    for index in range(9):
        store.add(f"run-{index}", 0.5)
    app = CompareApp(store.folder)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "run-8")
        await pilot.press(*["space", "down"] * 9)
        await until_shown(pilot, "8 runs are marked")
        assert len(app.compare.runs.slots) == 8


async def test_too_many_runs_to_begin_with_are_refused_likewise(store: Store):
    paths = [store.add(f"run-{index}", 0.5).path for index in range(9)]
    app = CompareApp(store.folder, *paths)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until_shown(pilot, "8 runs are marked", "9 · 8 marked")


async def test_a_damaged_run_is_shown_as_such_beside_the_others(store: Store):
    store.add("whole", 0.5)
    damaged = store.add("broken", 0.4)
    (damaged.path / "config.toml").write_text("optimizer = [")
    app = CompareApp(store.folder, damaged.path, store.made[0].path, store.folder / "gone")
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "? damaged", "─B whole", "config.toml:1:")
        assert "─A" in part(pilot, "Chart")
        assert row_of(part(pilot, "#comparison"), "state").count("damaged") == 2


async def test_records_that_cannot_be_read_do_not_stop_the_others(store: Store):
    store.add("whole", 0.5)
    strange = store.add("strange", 0.5)
    (strange.path / "events.jsonl").unlink()
    (strange.path / "events.jsonl").mkdir()
    app = CompareApp(store.folder, strange.path, store.made[0].path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until_shown(pilot, "─B whole")
        await until(pilot, lambda: "damaged" in row_of(part(pilot, "#comparison"), "state"))


@pytest.mark.parametrize("name", ["[red]evil[/]", "[/]", "a\x1b]0;title\x07b", "[@click=app.quit]x", "$text"])
async def test_names_are_text_and_nothing_else(store: Store, name: str):
    written = store.add("plain", 0.5)
    written.run.status.name = name
    written.add(Finished(reason="completed"))
    app = CompareApp(store.folder, written.path)
    async with app.run_test(size=(120, 40)) as pilot:
        harmless = name.replace("\x1b", "\\x1b").replace("\x07", "\\x07")
        await until_shown(pilot, f"─A {harmless}", f"finished   {harmless}")
        assert "\x1b" not in shown(pilot)


async def test_a_store_that_cannot_be_read_says_why_and_what_to_do(store: Store, monkeypatch: pytest.MonkeyPatch):
    def refused(_: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    store.folder.mkdir()
    monkeypatch.setattr(Path, "iterdir", refused)
    app = CompareApp(store.folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "Permission denied.", "nn-tui --runs DIR")


async def test_an_empty_store_says_what_to_do_until_a_run_comes(store: Store):
    app = CompareApp(store.folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "No runs in", "nn-tui train digits-mlp")
        store.add("first", 0.5)
        await until(pilot, lambda: app.focused is not None and "✓ finished" in shown(pilot))
        await pilot.press("space")
        await until_shown(pilot, "─A first")


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_every_size_shows_table_chart_and_comparison(store: Store, size: tuple[int, int]):
    store.add("one", 0.5)
    store.add("two", 0.4, optimizer__learning_rate=0.5)
    app = CompareApp(store.folder, *(written.path for written in store.made))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "best val_loss" in part(pilot, "#comparison") and "one" in part(pilot, "#rows"))
        assert app.screen.query_one(Chart).size.height >= 1
        assert {"state", "name", "age", "epochs", "best"} <= set(part(pilot, "#rows").split())


@pytest.mark.parametrize("size", [(40, 12), (10, 4), (1, 1), (300, 90)])
async def test_no_size_breaks_it(store: Store, size: tuple[int, int]):
    store.add("one", 0.5, live=True)
    app = CompareApp(store.folder, store.made[0].path)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: bool(app.compare._followed))
        store.made[0].epoch(loss=0.5)
        await until(pilot, lambda: app.compare._followed[store.made[0].path].run.status.epochs == 2)
        await pilot.resize_terminal(80, 24)
        await until_shown(pilot, "─A one")


async def test_every_key_has_an_id_and_a_tooltip():
    for widget in (CompareScreen, RunTable, CellTable):
        own = widget.BINDINGS
        assert all(binding.id and binding.tooltip for binding in own)
