"""The page of the data: what the examples are like, before anything trains on them and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual import getters, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from trainer.problems import Problem, ProblemsError
from trainer.text import clean
from tui import data_words
from tui.data_panels import ClassList, ColumnList, SampleList, SamplePictures
from tui.line_list import LineList
from tui.page import FINDING, PatientPage

if TYPE_CHECKING:
    from trainer.data import Data
    from trainer.data.overview import Overview
    from trainer.data.splits import Summary

_PANEL = "panel of-data -without"
_READING = "reading the examples"
_SIDEWAYS = "← → for more"
_FILLED_IN = 'and what is missing in them; the ranges are those with data.missing = "impute"'
_PROBLEM = "! A field of the data has a problem, which stands under the field."


class Subject(NamedTuple):
    """Whose data are shown.

    Attributes:
        data: the section; None while a field of it has a problem.
        base: folder that a relative path starts from.
        words: whose it is.
    """

    data: Data | None
    base: Path | None
    words: str


class DataPage(PatientPage):
    """Columns, classes and a few of the examples: of the form, or of the run that was brought onto the panels last."""

    TITLE = "data"
    HELP = "Columns, classes, ranges and a few of the examples, of the form or the run"
    KEYS = "f12,d"

    head = getters.query_one("#data-head", Static)
    body = getters.query_one("#data-body", Horizontal)
    columns = getters.query_one(ColumnList)
    classes_list = getters.query_one(ClassList)
    notes = getters.query_one("#data-notes", VerticalScroll)

    @dataclass
    class Read(Message):
        """The data were read, or could not be; those that lack values may come with an overview of them filled in."""

        subject: Subject
        data: Summary | None = None
        overview: Overview | None = None
        problems: Sequence[Problem] = field(default=())

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._form: tuple[Data | None, Path | None] | None = None
        self._subject: Subject | None = None
        self._shown: Subject | None = None
        self._found: tuple[Widget, ...] = ()
        self._waits_for_focus = False

    def compose(self) -> ComposeResult:
        """Lay out columns over examples, classes over notes; none is seen until something is known."""
        yield Static(id="data-head")
        with Horizontal(id="data-body"):
            with Vertical(id="data-left", classes="-without"):
                yield ColumnList(classes=_PANEL)
                yield SampleList(classes=_PANEL)
                yield SamplePictures(classes=_PANEL)
            with Vertical(id="data-right", classes="-without"):
                yield ClassList(classes=_PANEL)
                with VerticalScroll(id="data-notes", classes=_PANEL) as notes:
                    notes.border_title = "to know"
                    yield Static(markup=False)

    def on_mount(self) -> None:
        """Say of a list that it scrolls sideways as soon as it does."""
        for panel in self.query(LineList):
            self.watch(panel, "show_horizontal_scrollbar", self._arrange, init=False)

    def on_hide(self) -> None:
        """Leave the focus to what is seen."""
        self._waits_for_focus = False

    def on_resize(self) -> None:
        """Put the panels beside or above each other, or show one of them."""
        self._arrange()

    def show_form(self, data: Data | None, base: Path | None) -> None:
        """Follow the form; a change of it counts more than the run. `data` is None while a field has a problem."""
        if (data, base) != self._form:
            self._form = data, base
            self._turn_to(Subject(data, base, "of the form"))

    def show_data_of(self, data: Data, run: str) -> None:
        """Turn to the data of a run, which may have changed since."""
        self._turn_to(Subject(data, None, f"of the run {clean(run)}, as they are now"))

    def choose_chart(self, index: int) -> None:
        """Show one of the panels, counted round, where there is room for one only."""
        self.chart = index
        self._arrange()

    def take_focus(self) -> None:
        """Give the keys that scroll to the first list that is seen, now or when the data were read."""
        seen = (panel for panel in self._found if panel.can_focus and self._has_room_for(panel))
        panel = next(seen, None)
        self._waits_for_focus = panel is None
        if panel is not None:
            panel.focus(scroll_visible=False)

    def _turn_to(self, subject: Subject) -> None:
        self._subject = subject
        self.turn()

    def find_out(self) -> None:
        """Read the data, unless that was done."""
        subject = self._subject
        if subject is None or subject == self._shown:
            return
        if subject.data is None:
            self._show(self.Read(subject, problems=(Problem(_PROBLEM.removeprefix("! ")),)))
        else:
            self.head.update(Content.styled(_READING, "dim"))
            self._read(subject, subject.data)

    @work(thread=True, group=FINDING, exclusive=True, exit_on_error=False)
    def _read(self, subject: Subject, data: Data) -> None:
        from trainer.data.loading import describe, overview

        try:
            read = self.Read(subject, describe(data, subject.base), overview(data, subject.base))
        except ProblemsError as error:
            read = self.Read(subject, None, _as_filled_in(data, subject.base), error.problems)
        except Exception as error:  # noqa: BLE001 whatever fails here must become a line on the page
            read = self.Read(subject, problems=(Problem(f"the data cannot be looked at: {error}"),))
        if not get_current_worker().is_cancelled:
            self.post_message(read)

    @on(Read)
    def _show(self, event: Read) -> None:
        event.stop()
        if event.subject != self._subject:
            return
        # What cannot be read now may be there when the page is seen again.
        self._shown = None if event.problems else event.subject
        if event.data is None or event.overview is None:
            problems = "\n".join(f"! {clean(str(problem))}" for problem in event.problems)
            filled_in = f"\n{event.subject.words}, {_FILLED_IN}" if event.overview else ""
            self.head.update(Content.assemble((problems, "$text-warning"), (filled_in, "dim")))
        else:
            told = f"{data_words.headline(event.data, event.overview)}\n{data_words.parts_line(event.data)}\n"
            self.head.update(Content.assemble(told, (event.subject.words, "dim")))
        if event.overview is None:
            self._lay_out(())
        else:
            self._fill(event.overview)

    def _fill(self, overview: Overview) -> None:
        kind: type[SamplePictures] | type[SampleList] = SamplePictures if overview.image_shape else SampleList
        samples = self.query_one(kind)
        self.columns.show(overview)
        samples.show(overview)
        self.classes_list.show(overview)
        beginning = [clean(line) for line in overview.text.split("\n")] if overview.text else []
        told = [*beginning, *(f"! {warning}" for warning in overview.warnings)]
        self.notes.border_title = "how it begins" if beginning else "to know"
        self.notes.query_one(Static).update("\n".join(told))
        found = (
            overview.columns and self.columns,
            overview.classes and self.classes_list,
            overview.samples and samples,
            told and self.notes,
        )
        self._lay_out(tuple(panel for panel in found if isinstance(panel, Widget)))

    def _lay_out(self, found: tuple[Widget, ...]) -> None:
        self._found = found
        for panel in self.query(".of-data"):
            panel.set_class(panel not in found, "-without")
        self._arrange()

    def _arrange(self) -> None:
        takes_focus = self.has_focus_within or (self._waits_for_focus and self.screen.focused is None)
        self.lay_out_columns(self.body, self._found)
        for panel in self._found:
            if isinstance(panel, LineList) and panel.show_horizontal_scrollbar:
                panel.border_subtitle = " · ".join(filter(None, (panel.border_subtitle, _SIDEWAYS)))
        if takes_focus and self._found:
            self.call_after_refresh(self.take_focus)

    def _has_room_for(self, panel: Widget) -> bool:
        return not self.screen.has_class("-short") or panel.has_class("-chosen")


def _as_filled_in(data: Data, base: Path | None) -> Overview | None:
    """Return the overview of data that are refused as if missing values were filled in; None if that helps nothing."""
    from trainer.data.loading import overview

    if getattr(data, "missing", "impute") == "impute":
        return None
    try:
        return overview(data.model_copy(update={"missing": "impute"}), base)
    except ProblemsError:
        return None
