"""A page beside the form: some panels that are seen together."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.containers import Vertical
from textual.timer import Timer
from textual.widget import Widget

from tui.panels import LivePanel, Panel

FINDING: Final = "finding"
"""Group of the workers that find out what a `PatientPage` shows."""

_REST_SECONDS = 0.2
"""How long the form must rest before anything is found out about it: not every letter that is typed deserves that."""

_SIDE_BY_SIDE = 92
"""Cells from which on there is room for columns beside each other."""


class Page(Vertical):
    """Some panels about a run. `TITLE` names it in the tabs.

    Attributes:
        KEYS: that bring it to the front beside its number, parted by commas, the first in the key bar; "" for none.
        chart: which of its charts is seen where there is room for one only, counted round.
    """

    TITLE: ClassVar[str]
    HELP: ClassVar[str]
    KEYS: ClassVar[str] = ""

    chart = 0

    @property
    def panels(self) -> list[LivePanel]:
        """Return the panels that follow the run, in the order in which they are painted."""
        return [widget for widget in self.query(".panel") if isinstance(widget, LivePanel)]

    def choose_chart(self, index: int) -> None:
        """Show one of the charts, counted round, where there is room for one only."""
        self.chart = index
        charts = list(self.query(Panel))
        for place, chart in enumerate(charts):
            chart.set_class(place == index % len(charts), "-chosen")

    def bring_forward(self, kind: type[Panel]) -> bool:
        """Show the chart of a kind where another hides it; return whether that was so."""
        charts = list(self.query(Panel))
        place = next((place for place, chart in enumerate(charts) if isinstance(chart, kind)), None)
        if place is None or charts[place].display:
            return False
        self.choose_chart(place)
        return True

    def take_focus(self) -> None:
        """Give the keys to what scrolls, if anything does."""

    def lay_out_columns(self, body: Widget, found: Sequence[Widget]) -> None:
        """Lay out panels in columns, beside each other where there is room for that, else above each other.

        On a short screen one panel is seen at a time, and says how to get to the others.

        Args:
            body: what the columns stand in.
            found: the panels that have something to show.
        """
        chosen = found[self.chart % len(found)] if found else None
        is_alone = self.screen.has_class("-short") and len(found) > 1
        for column in body.children:
            for panel in column.children:
                panel.set_class(panel is chosen, "-chosen")
        for place, panel in enumerate(found):
            panel.border_subtitle = f"{place + 1}/{len(found)} · m next" if is_alone else ""
        for column in body.children:
            mine = [panel for panel in found if panel in column.children]
            column.set_class(not mine, "-without")
            column.set_class(chosen in mine, "-chosen")
        body.set_class(self.size.width < _SIDE_BY_SIDE, "-stacked")


class PatientPage(Page):
    """A page of which it takes time to find out what it shows: it does so when the form rests, and while it is seen."""

    _is_seen = False
    _rest: Timer | None = None

    def find_out(self) -> None:
        """Find out what is to be shown, in a worker of the group `FINDING`."""
        raise NotImplementedError

    def turn(self) -> None:
        """Have something else found out; what is on its way is about what was there before."""
        self.workers.cancel_group(self, FINDING)
        if self._rest is not None:
            self._rest.stop()
        if self._is_seen:
            self._rest = self.set_timer(_REST_SECONDS, self.find_out)

    def on_show(self) -> None:
        """Find out what there is to see, now that somebody sees it."""
        self._is_seen = True
        self.find_out()

    def on_hide(self) -> None:
        """Find out nothing that nobody sees."""
        self._is_seen = False
