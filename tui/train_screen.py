"""The train screen: the form on the left, what the run does on the right.

Its frame is painted first; config, form and run store are loaded when it stands, so that nobody waits for them before
an empty terminal.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

import presets
from trainer.problems import ConfigError
from tui.data_page import DataPage
from tui.going_on import GoingOn
from tui.key_bar import KeyBar
from tui.live_run import LiveRun
from tui.pages import PAGES
from tui.plan_page import PlanPage
from tui.run_view import RunView
from tui.sparing import Sparing
from tui.training_host import Outcome, TrainingHost, load

if TYPE_CHECKING:
    from trainer.config import Config
    from tui.followed import Followed
    from tui.form import Form
    from tui.preset_picker import Picked

_NEWS_SECONDS = 20.0


class TrainScreen(Sparing, Screen[None]):
    """Edit, train, watch. The run on the panels is followed through its directory, whoever trains it."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012

    # Control keys that no field takes (ctrl+a, c, d, e, k, u, v, w, x), nor tmux (ctrl+b), nor the terminal itself
    # (ctrl+q, s, z). The function keys work everywhere; the letters beside them wherever no field has the focus.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "run", "Run", id="train.run", tooltip="Train what the form says"),
        Binding("f3,f", "flip", "Form", id="train.flip", tooltip="Go to the form, or from it to the panels"),
        Binding("down", "enter_form", "Into the form", show=False, id="train.enter", tooltip="Go into the form"),
        Binding("ctrl+o", "open", "Open", id="train.open", tooltip="Open a preset; shows what it would change"),
        Binding("f2", "save", "Save as", id="train.save", tooltip="Save the form as a preset of your own", show=False),
        Binding("f4,s", "stop", "Stop", id="train.stop", tooltip="Stop the run and keep its best weights; asks first"),
        Binding("f5,p", "pause", "Pause", id="train.pause", tooltip="Pause the run, or go on"),
        Binding(
            "ctrl+y,w", "keep", "Checkpoint", id="train.keep", show=False,
            tooltip="Have the run save a checkpoint now",
        ),
        Binding("f6,y", "toggle_log", "Log y", id="train.log", tooltip="Logarithmic or linear y axis", show=False),
        Binding(
            "f7,x", "cycle_axis", "X axis", id="train.axis", show=False,
            tooltip="Epochs, steps or seconds on the x axis",
        ),
        Binding("t", "next_metric", "Metric", id="train.metric", show=False, tooltip="Show the next metric"),
        Binding(
            "m", "next_panel", "Next chart", id="train.panel", show=False,
            tooltip="The next chart, where the screen has room for one only",
        ),
        Binding(
            "ctrl+n,v", "next_page", "Next page", id="train.next_page", show=False,
            tooltip="The next page beside the form",
        ),
        *(
            Binding(
                f"{page.KEYS},{index + 1}".strip(","), f"page({index})", page.TITLE.capitalize(),
                id=f"train.page_{index}", show=bool(page.KEYS), tooltip=page.HELP,
            )
            for index, page in enumerate(PAGES)
        ),
        Binding(
            "ctrl+l,l", "find_rate", "LR find", id="train.find_rate", show=False,
            tooltip="Try a range of learning rates, all at once; suggests one for the form",
        ),
        Binding(
            "ctrl+t,k", "compile", "Compile", id="train.compile", show=False,
            tooltip="Compile what the form says, without training; the plan page tells its memory",
        ),
        Binding(
            "g", "go_on('resume')", "Go on", id="train.resume", show=False,
            tooltip="Go on with the run on the panels, from where it was cut off",
        ),
        Binding(
            "b", "go_on('fork')", "Branch", id="train.fork", show=False,
            tooltip="Fork the run on the panels: its config and a checkpoint go into the form, ctrl+r trains it",
        ),
        Binding(
            "e", "go_on('extend')", "Extend", id="train.extend", show=False,
            tooltip="Train the run on the panels for more epochs",
        ),
        Binding(
            "f8,r", "earlier", "Runs", id="train.runs",
            tooltip="Show another run: a live one, whoever trains it, or an earlier one of the session",
        ),
    ]  # fmt: skip

    focused = Reactive[Widget | None](None, repaint=False)  # the widgets between which it moves repaint themselves
    left = getters.query_one("#left", Vertical)
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

    form: Form
    _preset: Config

    def __init__(self, load: Callable[[], Config], base: Path | None, store: Path) -> None:
        """Show a config.

        Args:
            load: gives what the form holds at first; called when the frame is painted.
            base: folder that its relative paths start from.
            store: folder of runs.
        """
        super().__init__()
        self._load = load
        self._is_ready = False
        self._base = base
        self._store = store
        self._session: list[Followed] = []
        self.host = TrainingHost(store, self._announce)
        self._going_on = GoingOn(self)
        self._live = LiveRun(self)

    @property
    def base(self) -> Path | None:
        """Return the folder that relative paths of the form start from."""
        return self._base

    def _announce(self, outcome: Outcome) -> None:
        self.post_message(self.Started(outcome))

    def compose(self) -> ComposeResult:
        """Lay out form and panels."""
        with Horizontal(id="desk"):
            with Vertical(id="left"):
                yield Static(id="preset-name", markup=False)
            yield RunView(self.host.trouble, id="right")
        yield KeyBar()

    def on_mount(self) -> None:
        """Fill the form when the frame is painted."""
        # Twice: the key bar is painted a round after the rest.
        self.call_after_refresh(self.call_after_refresh, self._fill)

    async def _fill(self) -> None:
        """Load and show the form; then load JAX, in the background."""
        from tui.form import Form

        self._preset = self._load()
        self.form = Form(self._preset, file_base=self._base)
        await self.run_view.add_pages()
        self._is_ready = True
        await self.left.mount(self.form)
        self._follow_form()
        if self.run_view.followed is not None:  # chosen on another screen before this one was whole
            self._follow(self.run_view.followed)
        self.refresh_bindings()
        self.call_after_refresh(self._look_around)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer nothing before there is a form."""
        return self._is_ready or f"action_{action}" not in vars(TrainScreen)

    @work(thread=True, group="loading", exit_on_error=False)
    def _look_around(self) -> None:
        """Once the first picture stands, see what is going on; then load what charts and runs would wait for."""
        from trainer.store import live
        from tui.unattended import tell

        with contextlib.suppress(OSError):  # the compare screen tells of a store that cannot be read
            self.post_message(self.LookedAround(live(self._store), tell(self._store)))
        importlib.import_module("plotext")
        load()

    # What the keys do.

    def action_run(self) -> None:
        """Train what the form says."""
        self._with_config("ctrl+r starts the next", self._run)

    def action_find_rate(self) -> None:
        """Try a range of learning rates; the one taken goes into the form."""
        self._with_config("ctrl+l tries rates", self._find_rate)

    def action_compile(self) -> None:
        """Compile what the form says, and show its plan."""
        self._with_config("ctrl+t compiles", self._compile)

    def action_flip(self) -> None:
        """Go to the form, or from it to the panels; on a small screen only one of them is there."""
        in_form = self.focused is not None and self.form in self.focused.ancestors_with_self
        shows_form = not in_form if self.has_class("-wide") else self.has_class("-panels")
        self._show_side(form=shows_form)

    def action_enter_form(self) -> None:
        """Go into the form, unless something has the focus already."""
        if self.focused is None:
            self._show_side(form=True)

    def action_open(self) -> None:
        """Let the person choose a preset."""
        from tui.preset_picker import PresetPicker

        self.app.push_screen(PresetPicker(self.form.config or self._preset), self._take_preset)

    def action_save(self) -> None:
        """Save the form as a preset."""
        config = self.form.config
        if config is None:
            self.notify("A field has a problem; mend it before you save.", severity="error")
            return
        from tui.dialogs import SaveAs

        self.app.push_screen(SaveAs(config.name), self._save)

    def action_stop(self) -> None:
        """Ask, then stop the run."""
        self._live.ask_to_stop()

    def action_pause(self) -> None:
        """Pause the run, or let it go on."""
        self._live.pause()

    def action_keep(self) -> None:
        """Have the run save a checkpoint."""
        self._live.keep()

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
        self._show_page(None)

    def action_page(self, index: int) -> None:
        """Show one page beside the form."""
        self._show_page(index)
        self.run_view.page.take_focus()

    def action_earlier(self) -> None:
        """Let the person choose among live runs and those of the session."""
        from trainer.store import live
        from tui.dialogs import RunList

        with contextlib.suppress(OSError):
            self._take_in(live(self._store))
        self.app.push_screen(RunList([followed.now() for followed in self._session]), self._bring_back)

    def action_go_on(self, how: str) -> None:
        """Resume, fork or extend the run on the panels."""
        if self.run_view.followed is None:
            self.notify("No run is on the panels. f9 shows all of them.")
        else:
            self.go_on(self.run_view.followed.run.directory, how)

    # What comes back from dialogs and the host.

    def go_on(self, directory: Path, how: str) -> None:
        """Resume, fork or extend a run; arguments as in `GoingOn.begin`."""
        self._going_on.begin(directory, how)

    def open_preset(self, picked: Picked) -> None:
        """Fill the form with a preset."""
        self._going_on.origin = None
        self.take_config(picked.config, picked.base)

    def take_config(self, config: Config, base: Path | None) -> None:
        """Fill the form with a config, whose relative paths start from the folder `base`."""
        self._preset, self._base = config, base
        self.form.load(config, config, base)
        self._follow_form()

    def show_form(self) -> None:
        """Go to the form."""
        self._show_side(form=True)

    def show_run(self, directory: Path) -> None:
        """Bring a run of the store, live or past, onto the panels."""
        from tui.followed import Followed

        self._follow(self._known(directory) or Followed.open(directory))

    def _take_preset(self, picked: Picked | None) -> None:
        if picked is not None:
            self.open_preset(picked)

    def _take_rate(self, rate: float | None) -> None:
        if rate is not None:
            self.form.put("optimizer.learning_rate", rate)
            self.notify(f"optimizer.learning_rate = {rate:g} in the form")

    def _save(self, name: str | None) -> None:
        config = self.form.config
        if name is None or config is None:
            return
        try:
            path = presets.save(config.changed({"name": name}), name)
        except ConfigError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        permission = config.permitted(self._base or Path.cwd()).model.permission
        code = permission and permission.file
        self.notify(f"Saved {path}{f'; copy {code} beside it' if code else ''}", markup=False)

    def _run(self, config: Config) -> None:
        if (origin := self._going_on.origin) is not None:
            self.host.fork(config, self._base, origin)
        else:
            self.host.start(config, self._base)
        self.run_view.show_waiting("preparing: reading data, compiling")

    def _find_rate(self, config: Config) -> None:
        from tui.lr_screen import LearningRateFinder

        self.app.push_screen(LearningRateFinder(config, self._base), self._take_rate)

    def _compile(self, config: Config) -> None:  # noqa: ARG002 the page follows the form
        self._show_page(PAGES.index(PlanPage))
        self.plan.compile()

    def _with_config(self, then: str, act: Callable[[Config], None]) -> None:
        """Do something with what the form says; ask first where that runs code that nobody gave permission for."""
        config = self._config_for(then)
        if config is None:
            return
        asked = config.permitted(self._base or Path.cwd()).model.permission
        if asked is None or config.model.permission is not None:
            act(config)
            return
        from tui.dialogs import RiskyQuestion

        def answer(agreed: bool | None) -> None:
            if agreed:
                self._permit()
                self._with_config(then, act)

        question = f"This runs code of your own or of somebody else, with all that you may do here:\n{asked.words}"
        self.app.push_screen(RiskyQuestion(question, "Run it", "Do not"), answer)

    def _permit(self) -> None:
        """Take note that the code which the form names may run, until another one is named."""
        self.form.draft.permit(self._base or Path.cwd())
        if self.form.config is not None:
            self._preset = self._preset.permitted_like(self.form.config)
        self._follow_form()

    def _config_for(self, then: str) -> Config | None:
        """Return what the form says, if the device is free for it; else say why not, and what to press then."""
        config = self.form.config
        if self.host.is_busy:
            self.notify(f"A run is under way. f4 stops it, then {then}.", severity="warning")
            return None
        if config is None:
            self.notify("A field has a problem; it stands under the field.", severity="error")
            self.form.show_problems(())
        return config

    def _bring_back(self, index: int | None) -> None:
        if index is not None:
            self._follow(self._session[index])

    @on(LookedAround)
    def _take_news(self, event: LookedAround) -> None:
        """Tell what went on while nobody looked, and show the newest run that still does."""
        if event.lines:
            self.notify("\n".join(event.lines), timeout=_NEWS_SECONDS, markup=False)
        self._take_in(event.live)
        if event.live and self.run_view.followed is None and not self.host.is_busy:
            self.show_run(event.live[0])
            self._show_side(form=False, keep_focus=True)
            if others := len(event.live) - 1:
                self.notify(f"{others} more live {'run' if others == 1 else 'runs'}: f8 shows them.", markup=False)

    @on(Started)
    def _take_start(self, event: Started) -> None:
        if event.outcome.directory is not None:
            from tui.followed import Followed

            followed = Followed.open(event.outcome.directory)
            others = [it for it in self._session if it.run.directory != followed.run.directory]
            self._session = [*others, followed]
            self._follow(followed)
            self._show_side(form=False, keep_focus=True)
            return
        self.run_view.show_waiting("")
        if event.outcome.is_about_data:
            self._going_on.ask_about_data()
            return
        self._show_side(form=True)
        for problem in self.form.show_problems(event.outcome.problems):
            self.notify(str(problem), severity="error", markup=False)

    def on_form_entered(self, event: Form.Entered) -> None:
        """Give a number to the live run on the panels."""
        self._live.give(event)

    def on_form_changed(self) -> None:
        """Have name and plan follow."""
        self._follow_form()

    def _known(self, directory: Path) -> Followed | None:
        return next((followed for followed in self._session if followed.run.directory == directory), None)

    def _take_in(self, directories: Sequence[Path]) -> None:
        """Count runs that others train among those of the session, the newest last."""
        from tui.followed import Followed

        self._session += [Followed.open(path) for path in reversed(directories) if self._known(path) is None]

    # What is shown where.

    def _follow(self, followed: Followed) -> None:
        """Bring a run onto the panels, and its data onto their page."""
        self.run_view.follow(followed)
        if followed.run.config is not None and self._is_ready:
            self.data.show_data_of(followed.run.config.data, followed.run.directory.name)

    def _show_page(self, index: int | None) -> None:
        if index is None:
            self.run_view.next_page()
        else:
            self.run_view.show_page(index)
        if not self.has_class("-wide"):
            self._show_side(form=False)

    def _show_side(self, *, form: bool, keep_focus: bool = False) -> None:
        self.set_class(not form, "-panels")
        if form:
            self.call_after_refresh(self._focus_form)
        elif not (keep_focus and self.has_class("-wide")):
            self.set_focus(None)

    def _focus_form(self) -> None:
        mine = [widget for widget in self.focus_chain if self.form in widget.ancestors]
        if mine:
            (self.form.visited if self.form.visited in mine else mine[0]).focus()

    def _follow_form(self) -> None:
        """Mark the name of a preset that was changed, and plan what the form says by now."""
        config = self.form.config
        self.plan.show_form(config, self._base)
        self.data.show_form(self.form.draft.data, self._base)
        changed = config is None or config != self._preset
        origin = self._going_on.origin
        name = f"fork of {origin.run.name} at epoch {origin.epochs}" if origin else self._preset.name
        self.query_one("#preset-name", Static).update(f"{name}{' ●' if changed else ''}")
