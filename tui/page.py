"""A page beside the form: some panels that are seen together."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.containers import Vertical
from textual.widget import Widget

from tui.panels import LivePanel, Panel


class Page(Vertical):
    """Some panels about a run. `TITLE` names it in the tabs.

    Attributes:
        KEYS: that bring it to the front beside its number, parted by commas, the first in the key bar; "" for none.
    """

    TITLE: ClassVar[str]
    HELP: ClassVar[str]
    KEYS: ClassVar[str] = ""

    @property
    def panels(self) -> list[LivePanel]:
        """Return the panels that follow the run, in the order in which they are painted."""
        return [widget for widget in self.query(".panel") if isinstance(widget, LivePanel)]

    def choose_chart(self, index: int) -> None:
        """Show one of the charts, counted round, where there is room for one only."""
        charts = list(self.query(Panel))
        for place, chart in enumerate(charts):
            chart.set_class(place == index % len(charts), "-chosen")

    def take_focus(self) -> None:
        """Give the keys to what scrolls, if anything does."""

    def show_one(self, found: Sequence[Widget], index: int, columns: Iterable[Widget]) -> None:
        """Where there is room for one panel only, choose one, and say how to get to the others.

        Args:
            found: the panels that have something to show.
            index: which of them, counted round.
            columns: what they stand in.
        """
        chosen = found[index % len(found)] if found else None
        is_alone = self.screen.has_class("-short") and len(found) > 1
        for place, panel in enumerate(found):
            panel.set_class(panel is chosen, "-chosen")
            panel.border_subtitle = f"{place + 1}/{len(found)} · m next" if is_alone else ""
        for column in columns:
            mine = [panel for panel in found if panel in column.children]
            column.set_class(not mine, "-without")
            column.set_class(chosen in mine, "-chosen")
