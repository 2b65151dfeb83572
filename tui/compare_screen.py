"""Runs side by side: their curves in one chart, what came out of them, and which hyperparameters differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from trainer.comparison import compare
from trainer.problems import RunError
from trainer.replicas import band, ended, members, shown_state
from trainer.run import Run
from trainer.status import Shown
from trainer.store import Listing
from trainer.text import clean
from tui.cell_table import CellTable, component_style
from tui.chart import Series
from tui.chart_frame import AXES, next_axis
from tui.chart_widget import Chart
from tui.comparison_cells import comparison_cells, heads, labelled
from tui.followed import Followed
from tui.key_bar import KeyBar
from tui.run_table import MARKS, RunTable
from tui.sparing import Sparing

_TICK = 0.5
_LISTING_INTERVAL = 2.0
_BYTES_A_TICK = 1 << 16
_BYTES_AT_ONCE = 1 << 20
_MOST_BESIDE = 0.6
"""Share of a wide screen that the comparison takes at most, as the style sheet has it."""


class CompareScreen(Sparing, Screen[None]):
    """The runs of a store, and those that are marked over each other; live ones move."""

    CSS_PATH = "compare_screen.tcss"
    AUTO_FOCUS = "#rows"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "next_metric(1)", "Metric", id="compare.next_metric", tooltip="Show the next metric"),
        Binding(
            "M", "next_metric(-1)", "Metric before", id="compare.previous_metric", tooltip="Show the metric before",
            show=False,
        ),
        Binding("y", "toggle_log", "Log", id="compare.log", tooltip="Logarithmic or linear y axis"),
        Binding("x", "cycle_axis", "X axis", id="compare.axis", tooltip="Epochs, steps or seconds on the x axis"),
        Binding("escape", "dismiss", "Back", id="compare.back", tooltip="Back to the screen before"),
    ]  # fmt: skip

    runs = getters.query_one("#runs", RunTable)
    chart = getters.query_one(Chart)
    curves = getters.query_one("#curves", Vertical)
    comparison = getters.query_one("#comparison", CellTable)

    @dataclass
    class Listed(Message):
        """The store was looked at."""

        found: list[tuple[Run, Shown]]
        problem: str = ""

    @dataclass
    class Loaded(Message):
        """The records of a marked run were read."""

        directory: Path
        followed: Followed

    def __init__(self, store: Path, marked: Sequence[Path] = ()) -> None:
        """Compare runs.

        Args:
            store: folder of runs.
            marked: folders of runs, of this store or not, that are marked at first.
        """
        super().__init__()
        self._store = store.resolve()
        self._listing = Listing(self._store)
        self._others = tuple(path.resolve() for path in marked)
        self._states: dict[Path, Shown] = {}
        self._followed: dict[Path, Followed] = {}
        self._metric, self._axis, self._log = "", AXES[0], False
        self._looking = self._behind = False
        self._ticks = 0

    def compose(self) -> ComposeResult:
        """Lay out runs over curves over their comparison; wide screens have the last two side by side."""
        yield RunTable(id="runs", classes="panel", marked=self._others)
        with Container(id="lower"):
            with Vertical(id="curves", classes="panel -unmarked"):
                yield Chart()
                yield Static(Content("Mark runs with space to lay their curves over each other."), classes="hint")
            yield CellTable(id="comparison", classes="panel", cursor_type="none", fixed_columns=1)
        yield Static(id="without-runs", classes="hint")
        yield KeyBar()

    def on_mount(self) -> None:
        """Start looking."""
        self.runs.border_title = Content(f"runs in {clean(str(self._store))}")
        self.comparison.border_title = Content("comparison")
        self.set_interval(_TICK, self._tick)
        self.set_interval(_LISTING_INTERVAL, self._look)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.call_after_refresh(self._paint))
        self.call_after_refresh(self._paint)
        self._look()
        self._load(tuple(self.runs.slots))

    def action_next_metric(self, by: int) -> None:
        """Show another of the metrics that the marked runs have."""
        if metrics := self._metrics():
            place = metrics.index(self._metric) if self._metric in metrics else -by
            self._metric = metrics[(place + by) % len(metrics)]
            self._draw()

    def action_toggle_log(self) -> None:
        """Switch between a logarithmic and a linear y axis."""
        self._log = not self._log
        self._draw()

    def action_cycle_axis(self) -> None:
        """Switch the x axis between epochs, steps and seconds."""
        self._axis = next_axis(self._axis)
        self._draw()

    def _look(self) -> None:
        if self.is_current and not self._looking:
            self._looking = True
            self._list()

    @work(thread=True, group="listing", exit_on_error=False)
    def _list(self) -> None:
        try:
            self.post_message(self.Listed(self._listing.read(self._others)))
        except RunError as error:
            self.post_message(self.Listed([], str(error)))

    @on(Listed)
    def _show_runs(self, event: Listed) -> None:
        self._looking = False
        old, self._states = self._states, {run.directory: state for run, state in event.found}
        self.set_class(not event.found, "-without-runs")
        if not event.problem:
            self.runs.show([run for run, _ in event.found], [state for _, state in event.found])
        if not event.found:
            empty = f"No runs in {self._store} yet.\nTrain one first, or in a shell: nn-tui train digits-mlp"
            lines = f"{event.problem}\nName another folder of runs: nn-tui --runs DIR" if event.problem else empty
            self.query_one("#without-runs", Static).update(Content("\n".join(map(clean, lines.splitlines()))))
        elif self.focused is None:
            self.runs.rows.focus()
        if any(old.get(path) != self._states.get(path) for path in self._followed):
            self._draw()

    @on(RunTable.Marked)
    def _follow_marked(self, event: RunTable.Marked) -> None:
        self._followed = {path: self._followed[path] for path in event.directories if path in self._followed}
        self._load(tuple(path for path in event.directories if path not in self._followed))
        self._draw()

    @work(thread=True, group="loading", exit_on_error=False)
    def _load(self, directories: Sequence[Path]) -> None:
        """Read runs one after the other: many threads at once would starve the screen."""
        for directory in directories:
            self.post_message(self.Loaded(directory, Followed.read(directory)))

    @on(Loaded)
    def _start_following(self, event: Loaded) -> None:
        if event.directory in self.runs.slots:
            self._followed[event.directory] = event.followed
            self._draw()

    def _tick(self) -> None:
        """Take what live runs wrote and move their curves; their numbers follow at half the pace, to be readable."""
        if not self.is_current:
            return
        self._ticks += 1
        changes = [followed.poll(_BYTES_A_TICK) for followed in self._followed.values()]
        if any(changes):
            self._draw_curves()
            self._behind = True
        if self._behind and self._ticks % 2 == 0:
            self._show_comparison()

    def _marked(self) -> dict[Path, Run]:
        """Return the runs that are marked and read, in the order of marking."""
        return {path: self._followed[path].run for path in self.runs.slots if path in self._followed}

    def _metrics(self) -> list[str]:
        return list(dict.fromkeys(name for run in self._marked().values() for name in run.epochs))

    def _paint(self) -> None:
        self.runs.paint(self._palette())
        self._draw()

    def _palette(self) -> list[Style]:
        return [component_style(self.chart, f"chart--run-{slot}") for slot in range(len(MARKS))]

    def _draw(self) -> None:
        """Show the marked runs; the widgets repaint what differs from before."""
        self.curves.set_class(not self.runs.slots, "-unmarked")
        self._draw_curves()
        self._show_comparison()

    def _draw_curves(self) -> None:
        marked, metrics, slots = self._marked(), self._metrics(), self.runs.slots
        if metrics and self._metric not in metrics:
            judged = next(iter(marked.values())).judged_by
            self._metric = judged if judged in metrics else metrics[0]
        shown = [(run, slots[path]) for path, run in marked.items() if self._metric in run.epochs]
        series = [_series(run, self._metric, self._axis, slot) for run, slot in shown]
        self.chart.show(series, log_y=self._log, x_label=self._axis)
        self._entitle(metrics)

    def _entitle(self, metrics: Sequence[str]) -> None:
        place = f"{metrics.index(self._metric) + 1} of {len(metrics)}" if self._metric in metrics else ""
        title = Content(f"{clean(self._metric)} over {self._axis}{', log' if self._log else ''}" if place else "curves")
        if (title.markup, place) != (self.curves.border_title, self.curves.border_subtitle):
            self.curves.border_title, self.curves.border_subtitle = title, Content(place)

    def on_resize(self) -> None:
        """Give labels and values the room that there is now."""
        self.call_after_refresh(self._show_comparison)

    def _show_comparison(self) -> None:
        self._behind = False
        if not (marked := self._marked()):
            self.comparison.fill([], {})
            return
        states = [_state(run, self._states.get(path)) for path, run in marked.items()]
        good, muted = (component_style(self.runs, f"run-table--{role}") for role in ("good", "muted"))
        rows = comparison_cells(compare(list(marked.values()), states), good + Style(bold=True), muted)
        palette, slots = self._palette(), self.runs.slots
        named = [(run.name, MARKS[slots[path]], palette[slots[path]]) for path, run in marked.items()]
        room = self._room()
        columns = heads(rows, named, room)
        label = columns[0][1]
        self.comparison.fixed_columns = int(room > 2 * label)
        self.comparison.fill(columns, labelled(rows, label))

    def _room(self) -> int:
        """Return the cells that the comparison may take; beside the curves it grows with what it shows."""
        table = self.comparison
        if not self.has_class("-wide"):
            return table.size.width
        most = int(_MOST_BESIDE * self.query_one("#lower").size.width)
        return most - table.gutter.width - table.styles.scrollbar_size_vertical


def _series(run: Run, metric: str, axis: str, slot: int) -> Series:
    if run.replicas and (found := band(run, metric, axis)):
        return Series(run.name, found.x, found.mean, f"run-{slot}", MARKS[slot], found.low, found.high)
    series = run.epochs[metric]
    return Series(run.name, series.x(axis), series.y, f"run-{slot}", MARKS[slot])


def _state(run: Run, shown: Shown | None) -> Shown:
    """Return what a run shows as; its records know of its end before the next look at the store does."""
    if run.damage:
        return "damaged"
    return shown_state(run, [other.status.state for other in members(run)]) if ended(run) or shown is None else shown
