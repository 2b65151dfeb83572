"""The pages beside the form: each shows one side of a run, and one of them is seen at a time."""

from dataclasses import dataclass
from itertools import accumulate

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message

from tui.data_page import DataPage
from tui.examples_page import ExamplesPage
from tui.layer_panels import GradientPanel, LayerTable, StepPanel
from tui.lines import Lines
from tui.page import Page
from tui.panels import CallbackPanel, EventLog, LossPanel, MetricPanel, RatePanel
from tui.plan_page import PlanPage


class CurvesPage(Page):
    """Curves over the epochs, callbacks and events."""

    TITLE = "curves"
    HELP = "Curves, callbacks and events"

    def compose(self) -> ComposeResult:
        """Lay out the charts over callbacks and events."""
        with Horizontal(id="charts"):
            yield LossPanel(classes="panel")
            yield MetricPanel(classes="panel")
        with Horizontal(id="lower"):
            yield RatePanel(classes="panel")
            yield CallbackPanel(classes="panel")
        yield EventLog(classes="panel")


class LayersPage(Page):
    """What goes on inside of each layer."""

    TITLE = "layers"
    HELP = "Gradients, steps and outputs of each layer"

    def compose(self) -> ComposeResult:
        """Lay out the curves over the table."""
        with Horizontal(classes="curves"):
            yield GradientPanel(classes="panel")
            yield StepPanel(classes="panel")
        with VerticalScroll(classes="table", can_focus=False):
            yield LayerTable(classes="panel")


class EventsPage(Page):
    """All that happened; the page of curves has room for the last of it."""

    TITLE = "events"
    HELP = "All events, to be scrolled through"

    def compose(self) -> ComposeResult:
        """Lay out the events."""
        yield EventLog(classes="panel")

    def take_focus(self) -> None:
        """Give the events the keys that scroll."""
        self.query_one(EventLog).focus()


PAGES: tuple[type[Page], ...] = (CurvesPage, ExamplesPage, LayersPage, PlanPage, DataPage, EventsPage)


class PageTabs(Lines):
    """The names of the pages in a line, with the keys that bring them to the front."""

    @dataclass
    class Chosen(Message):
        """A name was clicked."""

        index: int

    def show(self, chosen: int) -> None:
        """Set off the page that is seen."""
        words = (Content.styled(f" {name} ", "reverse" if i == chosen else "dim") for i, name in enumerate(_names()))
        self.show_lines([Content(" ").join(words)])

    def on_click(self, event: events.Click) -> None:
        """Choose the page whose name is under the pointer."""
        ends = list(accumulate(len(name) + 3 for name in _names()))
        index = sum(event.x >= end for end in ends)
        if index < len(ends):
            self.post_message(self.Chosen(index))


def _names() -> list[str]:
    return [f"{number} {page.TITLE}" for number, page in enumerate(PAGES, start=1)]
