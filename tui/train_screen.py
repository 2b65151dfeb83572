"""The train screen: the form on the left, what the run does on the right.

Its frame is painted first; config, form and run store are loaded when it stands, so that nobody waits for them before
an empty terminal. What the keys do is the business of `NextRun`, `LiveRun`, `GoingOn` and `RunView`; the screen says
what is seen where.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from trainer.problems import RunError
from tui.data_page import DataPage
from tui.form_side import FormSide
from tui.going_on import GoingOn
from tui.key_bar import KeyBar
from tui.pages import PAGES
from tui.plan_page import PlanPage
from tui.run_view import RunView
from tui.session_runs import SessionRuns
from tui.sparing import Sparing
from tui.train_keys import TRAIN_KEYS
from tui.training_host import Outcome, TrainingHost, load

if TYPE_CHECKING:
    from trainer.config import Config
    from tui.followed import Followed
    from tui.form import Form
    from tui.live_run import LiveRun
    from tui.next_run import NextRun

_NEWS_SECONDS = 20.0


class TrainScreen(Sparing, Screen[None]):
    """Edit, train, watch. The run on the panels is followed through its directory, whoever trains it.

    Attributes:
        is_ready: whether the form is there.
        host: trains what the form says.
    """

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = TRAIN_KEYS

    focused = Reactive[Widget | None](None, repaint=False)  # the widgets between which it moves repaint themselves
    form_side = getters.query_one(FormSide)
    run_view = getters.query_one(RunView)
    plan = getters.query_one(PlanPage)
    data = getters.query_one(DataPage)

    @dataclass
    class Started(Message):
        """A run has begun, or could not."""

        outcome: Outcome

    @dataclass
    class LookedAround(Message):
        """The store was looked at, at the start: which runs are live, and what went on without a terminal."""

        live: list[Path]
        lines: list[str]

    _next: NextRun
    _live: LiveRun

    def __init__(self, load: Callable[[], Config], base: Path | None, store: Path) -> None:
        """Show a config.

        Args:
            load: gives what the form holds at first; called when the frame is painted.
            base: folder that its relative paths start from.
            store: folder of runs.
        """
        super().__init__()
        self._load = load
        self.is_ready = self._is_filling = False
        self._when_ready: list[Callable[[], object]] = []
        self._base = base
        self._store = store
        self._session = SessionRuns()
        self._going_on = GoingOn(self)
        self.host = TrainingHost(store, lambda outcome: self.post_message(self.Started(outcome)))

    def compose(self) -> ComposeResult:
        """Lay out form and panels."""
        with Horizontal(id="desk"):
            yield FormSide(self._base, id="left")
            yield RunView(self.host.trouble, id="right")
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Fill the form when the frame is painted.

        Each time anew: what waits for a refresh waits for the screen on top, and is lost with it.
        """
        # Twice: the key bar is painted a round after the rest.
        self.call_after_refresh(self.call_after_refresh, self._fill)

    async def _fill(self) -> None:
        """Load and show the form, and what is done with it; then load JAX, in the background. Once."""
        if self._is_filling:
            return
        self._is_filling = True
        from tui.live_run import LiveRun
        from tui.next_run import NextRun

        config = self._load()
        self._next, self._live = NextRun(self), LiveRun(self)
        await self.run_view.add_pages()
        await self.form_side.begin(config)
        self.is_ready = True
        self.follow_form()
        for act in self._when_ready:
            act()
        self.refresh_bindings()
        self.call_after_refresh(self._look_around)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer nothing before there is a form, and what a run may be told as it stands."""
        if not self.is_ready:
            return f"action_{action}" not in vars(TrainScreen)
        return self._live.offers(action) if action in ("stop", "pause", "unpause") else True

    @work(thread=True, group="loading", exit_on_error=False)
    def _look_around(self) -> None:
        """Once the first picture stands, see what is going on; then load what charts and runs would wait for."""
        from trainer.store import live
        from tui.unattended import tell

        try:
            self.post_message(self.LookedAround(live(self._store), tell(self._store)))
        except RunError as error:
            self.post_message(self.LookedAround([], [str(error)]))
        importlib.import_module("plotext")
        load()

    # What the keys do.

    def action_run(self) -> None:
        """Train what the form says."""
        self._next.train()

    def action_find_rate(self) -> None:
        """Try a range of learning rates."""
        self._next.find_rate()

    def action_compile(self) -> None:
        """Compile what the form says."""
        self._next.compile()

    def action_open(self) -> None:
        """Let the person choose a preset."""
        self._next.open()

    def action_save(self) -> None:
        """Save the form as a preset."""
        self._next.save()

    def action_stop(self) -> None:
        """Ask, then stop the run."""
        self._live.ask_to_stop()

    def action_pause(self) -> None:
        """Pause the run."""
        self._live.pause()

    def action_unpause(self) -> None:
        """Let the run go on that is paused."""
        self._live.pause()

    def action_keep(self) -> None:
        """Have the run save a checkpoint."""
        self._live.keep()

    def action_go_on(self, how: str) -> None:
        """Resume, fork or extend the run on the panels."""
        self._going_on.begin_shown(how)

    def action_toggle_log(self) -> None:
        """Change between a logarithmic and a linear y axis."""
        self.run_view.toggle_log()

    def action_cycle_axis(self) -> None:
        """Change to the next x axis."""
        self.run_view.cycle_axis()

    def action_next_metric(self) -> None:
        """Show the next metric where the run has several."""
        self.run_view.next_metric()

    def action_next_panel(self) -> None:
        """Show the next chart where there is room for one."""
        self.run_view.next_chart()

    def action_next_page(self) -> None:
        """Show the next page beside the form."""
        self.run_view.next_page()
        self._show_pages()

    def action_page(self, index: int) -> None:
        """Show one page beside the form."""
        self.run_view.show_page(index)
        self._show_pages()
        self.run_view.page.take_focus()

    def action_flip(self) -> None:
        """Go to the form, or from it to the panels; on a small screen only one of them is there."""
        in_form = self.focused is not None and self.form_side.form in self.focused.ancestors_with_self
        self.show_side(form=not in_form if self.has_class("-wide") else self.has_class("-panels"))

    def action_enter_form(self) -> None:
        """Go into the form, unless something has the focus already."""
        if self.focused is None:
            self.show_side(form=True)

    def action_earlier(self) -> None:
        """Let the person choose among live runs and those of the session."""
        from trainer.store import live
        from tui.dialogs import RunList

        with contextlib.suppress(RunError):
            self._session.meet(live(self._store))
        self.app.clear_notifications()  # those of the start name the same runs, and would lie over them
        self.app.push_screen(RunList(self._session.now()), self._bring_back)

    def _bring_back(self, index: int | None) -> None:
        if index is not None:
            self._follow(self._session[index])

    # What others ask of the screen.

    def is_free(self, then: str) -> bool:
        """Return whether no training of this process is under way; else say so, and what to press `then`."""
        is_busy = self.host.is_busy
        if is_busy:
            self.notify(f"A run is under way. f4 stops it, then {then}.", severity="warning")
        return not is_busy

    def when_ready(self, act: Callable[[], object]) -> None:
        """Do what needs the form: at once, or when it is there."""
        if self.is_ready:
            act()
        else:
            self._when_ready.append(act)

    def go_on(self, directory: Path, how: str) -> None:
        """Resume, fork or extend a run; arguments as in `GoingOn.begin`."""
        self._going_on.begin(directory, how)

    def follow_form(self) -> None:
        """Have the name, the plan and the data be those of what the form says by now."""
        side = self.form_side
        side.show_name()
        self.plan.show_form(side.config, side.base)
        self.data.show_form(side.form.draft.data, side.base)

    def show_start(self, words: str) -> None:
        """Say that a run is being started, with the keys that it then knows; "" for no longer."""
        self.run_view.show_waiting(words)
        self.refresh_bindings()

    def show_side(self, *, form: bool, keep_focus: bool = False) -> None:
        """Go to the form or to the panels; where there is room for both, a field may keep the focus."""
        self.set_class(not form, "-panels")
        if form:
            self.call_after_refresh(self.form_side.take_focus)
        elif not (keep_focus and self.has_class("-wide")):
            self.set_focus(None)

    def show_plan(self) -> None:
        """Show the plan of what the form says."""
        self.run_view.show_page(PAGES.index(PlanPage))
        self._show_pages()

    def show_run(self, directory: Path) -> None:
        """Bring a run of the store, live or past, onto the panels."""
        self._follow(self._session.opened(directory))

    # What has happened.

    @on(LookedAround)
    def _take_news(self, event: LookedAround) -> None:
        """Tell what went on while nobody looked, and show the newest run that still does."""
        if event.lines:
            self.notify("\n".join(event.lines), timeout=_NEWS_SECONDS, markup=False)
        self._session.meet(event.live)
        if event.live and self.run_view.followed is None and not self.host.is_busy:
            self._follow(self._session.opened(event.live[0]), takes_data=False)  # nobody asked for those of this run
            if others := len(event.live) - 1:
                self.notify(f"{others} more live {'run' if others == 1 else 'runs'}: f8 shows them.", markup=False)

    @on(Started)
    def _take_start(self, event: Started) -> None:
        self._live.begin(event.outcome.directory)
        if event.outcome.directory is not None:
            self._follow(self._session.begin(event.outcome.directory))
            return
        self.show_start("")
        if event.outcome.is_about_data:
            self._going_on.ask_about_data()
            return
        self.show_side(form=True)
        for problem in self.form_side.form.show_problems(event.outcome.problems):
            self.notify(str(problem), severity="error", markup=False)

    def on_form_entered(self, event: Form.Entered) -> None:
        """Give a number to the live run on the panels."""
        self._live.give(event)

    def on_form_changed(self) -> None:
        """Have name and pages follow."""
        self.follow_form()

    # What is shown where.

    def _follow(self, followed: Followed, *, takes_data: bool = True) -> None:
        """Bring a run onto the panels, its data onto their page, and the panels to the front."""
        self.run_view.follow(followed)
        self.show_side(form=False, keep_focus=True)
        if takes_data and followed.run.config is not None:
            self.data.show_data_of(followed.run.config.data, followed.run.directory.name)

    def _show_pages(self) -> None:
        if not self.has_class("-wide"):
            self.show_side(form=False)
