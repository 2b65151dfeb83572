"""A run on the screen: its status line and its pages, followed through its directory, whoever trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Vertical

from tui.chart_frame import next_axis
from tui.pace import Pace
from tui.page import Page
from tui.pages import PAGES, PageTabs
from tui.panels import EventLog, LivePanel, MetricPanel, View
from tui.status_line import StatusLine

if TYPE_CHECKING:
    from trainer.events import Unsaved
    from tui.followed import Followed

_TICK_SECONDS = 0.25
_BYTES_A_TICK = 1 << 20
_STATUS_TICKS = 2
"""The status line is painted once in so many ticks, and when the run's state changes."""

_REST_TICKS = 8
"""Between two looks at a run that is over: another process may go on with it."""

_CELLS_A_SECOND = 140
"""Cells of panels painted a second while a run is live, in the long run: with colours about 3 KiB over the wire."""

_CELLS_AT_ONCE = 2000
"""Cells that may be painted without a rest, or all of the view's, if it has more: a run of a few seconds is drawn as
smoothly as the clock ticks."""


class RunView(Vertical):
    """What one run does, live or past; panels take turns under an allowance of cells.

    Attributes:
        followed: the run that is shown, or None before there is one.
    """

    tabs = getters.query_one(PageTabs)
    status = getters.query_one(StatusLine)

    def __init__(self, trouble: Callable[[Path], Unsaved | None], **options: Any) -> None:
        """Make an empty view; `trouble` says of a run of this process why its directory does not know everything."""
        super().__init__(**options)
        self._trouble = trouble
        self.followed: Followed | None = None
        self._view = View()
        self._waiting = ""
        self._state = ""
        self._rests = False
        self._ticks = 0
        self._stale: list[LivePanel] = []
        self._pace = Pace(_CELLS_A_SECOND, _CELLS_AT_ONCE)

    def compose(self) -> ComposeResult:
        """Lay out the first page; the others are not seen yet, and would hold up the first picture."""
        yield PageTabs(id="tabs")
        yield StatusLine(id="status")
        yield PAGES[0](classes="page")

    def on_mount(self) -> None:
        """Start the clock that follows runs; it rests until there is one."""
        self._clock = self.set_interval(_TICK_SECONDS, self._tick, pause=True)
        self.status.show(None)
        self._take_pages()
        self.show_page(0)

    async def add_pages(self) -> None:
        """Lay the other pages behind the first."""
        await self.mount(*(page(classes="page") for page in PAGES[1:]))
        self._take_pages()

    def follow(self, followed: Followed) -> None:
        """Show this run from now on."""
        self.followed = followed
        self._state = ""
        self._rests = False
        self._pace = Pace(_CELLS_A_SECOND, max(_CELLS_AT_ONCE, self.size.area))
        for log in self._logs:
            log.clear()
            log.add(followed.happenings)
        self._draw()
        self._clock.resume()

    def show_waiting(self, words: str) -> None:
        """Say what is going on before the next run has a record, such as loading JAX; "" for nothing."""
        self._waiting = words
        if words or self.followed is None:
            self.status.show(None, words)
        else:
            self._show_status(self.followed)

    @property
    def page(self) -> Page:
        """Return the page at the front."""
        return self._pages[self._page]

    def show_page(self, index: int) -> None:
        """Bring a page to the front, counted round."""
        self._page = index % len(self._pages)
        for place, page in enumerate(self._pages):
            page.set_class(place == self._page, "-chosen")
        self.tabs.show(self._page)
        self._draw()

    def next_page(self) -> None:
        """Bring the next page to the front."""
        self.show_page(self._page + 1)

    def next_chart(self) -> None:
        """Show the next chart of the page, where there is room for one only."""
        self.page.choose_chart(self.page.chart + 1)
        self._draw()

    def toggle_log(self) -> None:
        """Change between a logarithmic and a linear y axis."""
        self._look(replace(self._view, log_y=not self._view.log_y))

    def cycle_axis(self) -> None:
        """Change to the next x axis."""
        self._look(replace(self._view, axis=next_axis(self._view.axis)))

    def next_metric(self) -> None:
        """Show the next of the run's metrics; where another chart hides the one of now, that one."""
        if self.page.bring_forward(MetricPanel):
            self._draw()
        else:
            self._look(replace(self._view, metric=self._view.metric + 1))

    @on(PageTabs.Chosen)
    def _show_chosen(self, event: PageTabs.Chosen) -> None:
        self.show_page(event.index)

    def _take_pages(self) -> None:
        """Take note of the pages that there are by now."""
        self._pages, self._logs = list(self.query(Page)), list(self.query(EventLog))
        for page in self._pages:
            page.choose_chart(page.chart)

    def _tick(self) -> None:
        from trainer.replicas import ended, shown_state

        followed = self.followed
        self._ticks += 1
        if followed is None or (self._rests and self._ticks % _REST_TICKS):
            return
        events = followed.poll(_BYTES_A_TICK)
        for log in self._logs:
            log.add(events)
        if events:
            self._stale += [panel for panel in self._panels if panel not in self._stale]
        state = shown_state(followed.run)
        has_changed, self._state = state != self._state, state
        if has_changed or self._ticks % _STATUS_TICKS == 0:
            self._show_status(followed)
        if has_changed:
            self.screen.refresh_bindings()  # of what a run may be told, some is for some of its states
        is_over = ended(followed.run)
        self.call_later(self._paint_next, hurries=has_changed or is_over)
        self._rests = is_over and not events and not self._stale

    def _paint_next(self, *, hurries: bool) -> None:
        """Paint a panel if one is due, and the next when keys that were pressed meanwhile are answered."""
        if self._stale and self.followed is not None and (hurries or self._pace.allows()):
            panel = self._stale.pop(0)
            before = panel.cells_painted
            panel.show_run(self.followed, self._view)
            self._pace.spend(panel.cells_painted - before)
            self.call_later(self._paint_next, hurries=hurries)

    @property
    def _panels(self) -> list[LivePanel]:
        return self.page.panels

    def _draw(self) -> None:
        """Show all that is known of the run, at once: a person asked for it. The widgets paint what differs."""
        self._stale.clear()
        if self.followed is not None:
            self._show_status(self.followed)
            for panel in self._panels:
                panel.show_run(self.followed, self._view)

    def _show_status(self, followed: Followed) -> None:
        self.status.show(followed.run, self._waiting, self._trouble(followed.run.directory))

    def _look(self, view: View) -> None:
        self._view = view
        self._draw()
