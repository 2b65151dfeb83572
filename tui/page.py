"""A page beside the form: some panels that are seen together."""

from typing import ClassVar

from textual.containers import Vertical

from tui.panels import LivePanel, Panel


class Page(Vertical):
    """Some panels about a run. `TITLE` names it in the tabs."""

    TITLE: ClassVar[str]
    HELP: ClassVar[str]

    @property
    def panels(self) -> list[LivePanel]:
        """Return the panels that follow the run, in the order in which they are painted."""
        return [widget for widget in self.query(".panel") if isinstance(widget, LivePanel)]

    def choose_chart(self, index: int) -> None:
        """Show one of the charts, counted round, where there is room for one only."""
        charts = list(self.query(Panel))
        for place, chart in enumerate(charts):
            chart.set_class(place == index % len(charts), "-chosen")
