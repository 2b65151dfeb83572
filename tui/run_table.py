"""The runs of a store as a table: sorted, filtered, marked, opened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Input

from trainer.callbacks import metric_direction
from trainer.comparison import damage
from trainer.replicas import best as best_of_group
from trainer.replicas import folded, members, shown_state
from trainer.run import Run
from trainer.status import LIVE, Shown
from tui.cell_table import Cell, CellTable, component_style, cut_run
from tui.chart_frame import N_RUN_ROLES
from tui.wording import STATE_GLYPHS, age, judged_words

MARKS = "ABCDEFGH"[:N_RUN_ROLES]
"""The letters of marked runs, one for each colour: a colour alone tells nothing on some screens and to some people."""

_SORTS: dict[str, str] = {"age": "age ▼", "best": "best ★", "name": "name ▲"}
_WIDTHS = {"mark": 3, "state": 11, "name": 8, "age": 6, "epochs": 9, "best": 15}
_MOST_BEST = 25
"""Cells of the best values at most, if one of them is that long; so it stays, since tables should not shake."""

_HEADS = {**{name: name for name in _WIDTHS}, "mark": ""}
_NUMBERS = ("age", "epochs")
_ROLES: Mapping[str, str] = MappingProxyType(
    {"finished": "good", "diverged": "bad", "failed": "bad", "crashed": "bad", "damaged": "bad", "stopped": "muted"}
)
_AGE_INTERVAL = 10.0


class RunTable(Vertical):
    """Runs in rows. Marks keep their letter and colour as long as they last, whatever is filtered or sorted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_mark", "Mark", id="runs.mark", tooltip="Mark or unmark the run under the cursor"),
        Binding("u", "unmark_all", "Unmark all", id="runs.unmark", tooltip="Take all marks away", show=False),
        Binding("slash", "open_filter", "Filter", id="runs.filter", tooltip="Show only what a text is found in"),
        Binding("g", "ask('resume')", "Go on", id="runs.resume", tooltip="Go on with a run that was cut off"),
        Binding("b", "ask('fork')", "Fork", id="runs.fork", tooltip="Fork the run: a new one from a checkpoint"),
        Binding("e", "ask('extend')", "Extend", id="runs.extend", tooltip="Train the run for more epochs"),
        Binding("o", "cycle_sort", "Sort", id="runs.sort", tooltip="Sort by age, best value or name"),
        Binding("escape", "close_filter", "All runs", id="runs.unfilter", tooltip="Show all runs again"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"run-table--{role}" for role in ("live", "good", "bad", "muted")}
    DEFAULT_CSS = """
    RunTable {
        & > .run-table--live { color: $text-primary; text-style: bold; }
        & > .run-table--good { color: $text-success; }
        & > .run-table--bad { color: $text-error; }
        & > .run-table--muted { color: $foreground 60%; }
        & > DataTable { height: 1fr; background: transparent; }
        & > Input { display: none; }
        & > Input.-open { display: block; }
    }
    """

    rows = getters.query_one("#rows", CellTable)
    filter_input = getters.query_one("#run-filter", Input)

    @dataclass
    class Marked(Message):
        """The marks changed: folders in the order they were marked."""

        table: "RunTable"
        directories: tuple[Path, ...]

        @property
        def control(self) -> "RunTable":
            """Return the table."""
            return self.table

    @dataclass
    class Opened(Message):
        """A run was chosen."""

        directory: Path

    @dataclass
    class Asked(Message):
        """A run is to go on: "resume", "fork" or "extend"."""

        directory: Path
        how: str

    def __init__(self, *, marked: Sequence[Path] = (), **options: Any) -> None:
        """Make an empty table, whose cursor begins at the first of the marked runs."""
        super().__init__(**options)
        self._slots = {path: slot for slot, path in enumerate(dict.fromkeys(marked)) if slot < len(MARKS)}
        self._refused = len(set(marked)) > len(self._slots)
        self._begin_at = str(next(iter(self._slots), ""))
        self._runs: dict[Path, tuple[Run, Shown]] = {}
        self._palette: Sequence[Style] = ()
        self._best_width = _WIDTHS["best"]
        self._sort, self._query, self._subtitle = next(iter(_SORTS)), "", ""

    def compose(self) -> ComposeResult:
        """Lay out the rows and, when asked for, the filter below them."""
        yield CellTable(id="rows", cursor_type="row", zebra_stripes=False)
        yield Input(id="run-filter", placeholder="name, id or state", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Keep ages true while nothing else happens."""
        if self._refused:
            self._refuse()
        self.set_interval(_AGE_INTERVAL, self._fill)

    def on_resize(self) -> None:
        """Give the names what the other columns leave."""
        self._fill()

    @property
    def slots(self) -> Mapping[Path, int]:
        """Return the marked folders in the order of marking, each with its colour's number."""
        return MappingProxyType(self._slots)

    def show(self, runs: Sequence[Run], states: Sequence[Shown] = ()) -> None:
        """Show these runs; cursor and marks stay with theirs.

        Args:
            runs: newest first.
            states: what each shows as; without them their folders are asked, which may take time.
        """
        states = states or [run.shown_state for run in runs]
        known = {run.id: state for run, state in zip(runs, states, strict=True)}
        self._runs = {
            run.directory: (run, shown_state(run, [known[other.id] for other in members(run)])) for run in folded(runs)
        }
        kept = {path: slot for path, slot in self._slots.items() if path in self._runs}
        if kept != self._slots:
            self._mark(kept)
        else:
            self._fill()

    def paint(self, palette: Sequence[Style]) -> None:
        """Take the colours of marked runs, by their number."""
        self._palette = palette
        self._fill()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Leave escape to the screen unless a filter is open."""
        return self.filter_input.has_class("-open") if action == "close_filter" else True

    def action_toggle_mark(self) -> None:
        """Mark the run under the cursor, or unmark it."""
        if (key := self.rows.cursor_key) is None:
            return
        path = Path(key)
        if path in self._slots:
            self._mark({other: slot for other, slot in self._slots.items() if other != path})
        elif free := sorted(set(range(len(MARKS))) - set(self._slots.values())):
            self._mark({**self._slots, path: free[0]})
        else:
            self._refuse()

    def action_ask(self, how: str) -> None:
        """Have the run under the cursor go on."""
        if (key := self.rows.cursor_key) is not None:
            self.post_message(self.Asked(Path(key), how))

    def action_unmark_all(self) -> None:
        """Take all marks away."""
        self._mark({})

    def action_cycle_sort(self) -> None:
        """Sort by the next column."""
        names = list(_SORTS)
        self._sort = names[(names.index(self._sort) + 1) % len(names)]
        self._fill()

    def action_open_filter(self) -> None:
        """Open the line to type a filter in."""
        self.filter_input.add_class("-open").focus()

    def action_close_filter(self) -> None:
        """Show all runs again."""
        self.filter_input.remove_class("-open").value = ""
        self.rows.focus()

    @on(Input.Changed, "#run-filter")
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self._query = event.value.strip().lower()
        self._fill()

    @on(Input.Submitted, "#run-filter")
    def _return_to_rows(self, event: Input.Submitted) -> None:
        event.stop()
        self.rows.focus()

    @on(DataTable.RowSelected)
    def _open(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if event.row_key.value is not None:
            self.post_message(self.Opened(Path(event.row_key.value)))

    def _mark(self, slots: dict[Path, int]) -> None:
        self._slots = slots
        self._fill()
        self.post_message(self.Marked(self, tuple(slots)))

    def _refuse(self) -> None:
        text = f"{len(MARKS)} runs are marked, which is all a chart can tell apart. Unmark one for another."
        self.notify(text, severity="warning", markup=False)

    def _fill(self) -> None:
        if not self.is_mounted or not self.size.width:
            return
        found = [(run, state) for run, state in self._runs.values() if _matches(run, state, self._query)]
        styled = {name: component_style(self, f"run-table--{name}") for name in ("live", "good", "bad", "muted")}
        rows = {
            str(run.directory): run_cells(run, state, self._tag(run), styled.__getitem__)
            for run, state in sorted(found, key=partial(place, self._sort))
        }
        widths = self._widths([cells[-1].text for cells in rows.values()])
        heads = [
            (Cell(_SORTS[name] if name == self._sort else _HEADS[name], right=name in _NUMBERS), widths[name])
            for name in widths
        ]
        place_of_name = list(widths).index("name")
        for key, cells in rows.items():
            name = cells[place_of_name]
            short = name._replace(text=cut_run(name.text, widths["name"]))
            rows[key] = (*cells[:place_of_name], short, *cells[place_of_name + 1 :])
        self.rows.fill(heads, rows)
        if self._begin_at in rows:
            self.rows.go_to(self._begin_at)
            self._begin_at = ""
        hidden = f" of {len(self._runs)}" if len(found) < len(self._runs) else ""
        nothing = " · no name, id or state has this text in it" if self._query and not found else ""
        self._entitle(f"{len(found)}{hidden}{nothing} · {len(self._slots)} marked")

    def _widths(self, bests: Sequence[str]) -> dict[str, int]:
        """Return the width of each column: names take what the others leave."""
        self._best_width = max(self._best_width, *(min(cell_len(text), _MOST_BEST) for text in bests), 0)
        widths = {**_WIDTHS, "best": self._best_width, "name": 0}
        left = self.size.width - sum(widths.values()) - 2 * len(widths) - self.rows.styles.scrollbar_size_vertical
        return {**widths, "name": max(left, _WIDTHS["name"])}

    def _entitle(self, text: str) -> None:
        if text != self._subtitle:
            self._subtitle, self.border_subtitle = text, Content(text)

    def _tag(self, run: Run) -> Cell:
        slot = self._slots.get(run.directory)
        if slot is None:
            return Cell("")
        return Cell(f"● {MARKS[slot]}", self._palette[slot] if slot < len(self._palette) else Style.null())


def run_cells(run: Run, state: Shown, mark: Cell, style: Callable[[str], Style]) -> tuple[Cell, ...]:
    """Return the row of a run; `style` gives that of "live", "good", "bad" and "muted"."""
    status = run.status
    role = "live" if state in LIVE else _ROLES[state]
    epochs = max(other.status.epochs for other in members(run))
    return (
        mark,
        Cell(f"{STATE_GLYPHS[state]} {state}", style(role)),
        Cell(run.name),
        Cell(age(status.created) if status.created else "–", style("muted"), right=True),
        Cell(f"{epochs}/{status.epochs_planned}", right=True),
        Cell(damage(run), style("bad")) if run.damage else Cell(judged_words(run)),
    )


def _matches(run: Run, state: Shown, query: str) -> bool:
    return any(query in text.lower() for text in (run.name, run.id, state))


def place(sort: str, entry: tuple[Run, Shown]) -> tuple[Any, ...]:
    """Return what a run is sorted by, "age", "best" or "name": live ones come first in each."""
    return entry[1] not in LIVE, *_among(sort, entry[0])


def _among(sort: str, run: Run) -> tuple[Any, ...]:
    if sort == "name":
        return run.name.casefold(), run.id
    if sort == "age":
        return (-run.status.created,)
    if (best := best_of_group(run)) is None:
        return True, "", 0.0
    metric, found = best
    return False, metric, -found.mean if metric_direction(metric) == "max" else found.mean
