"""The train screen: the form on the left, what the run does on the right.

Its frame is painted first; config, form and run store are loaded when it stands, so that nobody waits for them before
an empty terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

import presets
from trainer.problems import ConfigError
from tui.chart_frame import AXES
from tui.pace import Pace
from tui.panels import PANELS, CallbackPanel, EventLog, Panel, View
from tui.status_line import StatusLine
from tui.training_host import Outcome, TrainingHost, load

if TYPE_CHECKING:
    from trainer.commands import Command
    from trainer.config import Config
    from trainer.runs import Run
    from tui.followed import Followed
    from tui.form import Form
    from tui.preset_picker import Picked

_BY = "the app"
_TICK_SECONDS = 0.25
_BYTES_A_TICK = 1 << 20
_STATUS_TICKS = 2
"""The status line is painted once in so many ticks, and when the run's state changes."""

_CELLS_A_SECOND = 140
"""Cells of panels painted a second while a run is live, in the long run: with colours about 3 KiB over the wire."""

_CELLS_AT_ONCE = 2000
"""Cells that may be painted without a rest: a run of a few seconds is drawn as smoothly as the clock ticks."""


class TrainScreen(Screen[None]):
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
        Binding("f6,y", "toggle_log", "Log y", id="train.log", tooltip="Logarithmic or linear y axis", show=False),
        Binding(
            "f7,x", "cycle_axis", "X axis", id="train.axis", show=False,
            tooltip="Epochs, steps or seconds on the x axis",
        ),
        Binding(
            "m", "next_panel", "Next chart", id="train.panel", show=False,
            tooltip="The next chart, where the screen has room for one only",
        ),
        Binding("f8,r", "earlier", "Runs", id="train.runs", tooltip="Bring an earlier run of the session back"),
    ]  # fmt: skip

    left = getters.query_one("#left", Vertical)
    status = getters.query_one(StatusLine)
    callbacks = getters.query_one(CallbackPanel)
    log_panel = getters.query_one(EventLog)

    @dataclass
    class Started(Message):
        """A run has begun, or could not."""

        outcome: Outcome

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
        self._waiting = ""
        self._view = View()
        self._followed: Followed | None = None
        self._session: list[Followed] = []
        self._ticks = 0
        self._stale: list[CallbackPanel | Panel] = []
        self._pace = Pace(_CELLS_A_SECOND, _CELLS_AT_ONCE)
        self.host = TrainingHost(store, self._announce)

    def _announce(self, outcome: Outcome) -> None:
        self.post_message(self.Started(outcome))

    def compose(self) -> ComposeResult:
        """Lay out form and panels."""
        with Horizontal(id="desk"):
            with Vertical(id="left"):
                yield Static(id="preset-name", markup=False)
            with Vertical(id="right"):
                yield StatusLine(id="status")
                with Horizontal(id="charts"):
                    yield from (panel(classes="panel") for panel in PANELS[:2])
                with Horizontal(id="lower"):
                    yield PANELS[2](classes="panel")
                    yield CallbackPanel(classes="panel")
                yield EventLog(classes="panel")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Start the clock that follows runs; it rests until there is one."""
        self._clock = self.set_interval(_TICK_SECONDS, self._tick, pause=True)
        self._panels: list[CallbackPanel | Panel] = [self.callbacks, *self.query(Panel)]
        self.status.show(None)
        self._choose_panel(0)
        # Twice: the footer is painted a round after the rest.
        self.call_after_refresh(self.call_after_refresh, self._fill)

    async def _fill(self) -> None:
        """Load and show the form; then load JAX, in the background."""
        from tui.form import Form

        self._preset = self._load()
        self.form = Form(self._preset, file_base=self._base)
        self._is_ready = True
        await self.left.mount(self.form)
        self._show_name()
        self.refresh_bindings()
        self.call_after_refresh(self._load_jax)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer nothing before there is a form."""
        return self._is_ready or f"action_{action}" not in vars(TrainScreen)

    @work(thread=True, group="loading", exit_on_error=False)
    def _load_jax(self) -> None:
        """Load JAX once the first picture stands, so that the first run need not wait for it."""
        load()

    # What the keys do.

    def action_run(self) -> None:
        """Train what the form says."""
        config = self.form.config
        if self.host.is_busy:
            self.notify("A run is under way. f4 stops it, then ctrl+r starts the next.", severity="warning")
        elif config is None:
            self.notify("A field has a problem; it stands under the field.", severity="error")
            self.form.show_problems(())
        else:
            self._waiting = "preparing: reading data, compiling"
            self.host.start(config, self._base)
            self.status.show(None, self._waiting)

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
        if not self.host.is_busy and self._commanded() is None:
            self.notify("No run is under way.")
            return
        from tui.dialogs import Question

        self.app.push_screen(Question("Stop the run and keep its best weights?", "Stop", "Go on"), self._stop)

    def action_pause(self) -> None:
        """Pause the run, or let it go on."""
        from trainer.commands import Pause, Resume
        from trainer.runs import peek

        directory = self._commanded()
        if directory is None:
            self.notify("No run is under way.")
        else:
            self._send(directory, Resume(by=_BY) if peek(directory).status.state == "paused" else Pause(by=_BY))

    def action_toggle_log(self) -> None:
        """Change between a logarithmic and a linear y axis."""
        self._look(View(not self._view.log_y, self._view.axis))

    def action_cycle_axis(self) -> None:
        """Change to the next x axis."""
        self._look(View(self._view.log_y, AXES[(AXES.index(self._view.axis) + 1) % len(AXES)]))

    def action_next_panel(self) -> None:
        """Show the next chart where there is room for one."""
        self._choose_panel(self._panel + 1)

    def action_earlier(self) -> None:
        """Let the person choose a run of the session."""
        from tui.dialogs import RunList

        self.app.push_screen(RunList([followed.run for followed in self._session]), self._bring_back)

    # What comes back from dialogs and the host.

    def open_preset(self, picked: Picked) -> None:
        """Fill the form with a preset."""
        self._preset, self._base = picked.config, picked.base
        self.form.load(picked.config, picked.config, picked.base)
        self._show_name()

    def show_run(self, directory: Path) -> None:
        """Bring a run of the store, live or past, onto the panels."""
        from tui.followed import Followed

        known = next((followed for followed in self._session if followed.run.directory == directory), None)
        self._follow(known or Followed.open(directory))

    def _take_preset(self, picked: Picked | None) -> None:
        if picked is not None:
            self.open_preset(picked)

    def _save(self, name: str | None) -> None:
        config = self.form.config
        if name is None or config is None:
            return
        try:
            path = presets.save(config.changed({"name": name}), name)
        except ConfigError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self.notify(f"Saved {path}", markup=False)

    def _stop(self, agreed: bool | None) -> None:
        if not agreed:
            return
        from trainer.commands import Stop

        directory = self._commanded()
        if directory is not None:
            self._send(directory, Stop(by=_BY))
        else:  # it is still being started
            self.host.cancel()

    def _commanded(self) -> Path | None:
        """Return the folder of the run that keys are for: the live one on the panels, whoever trains it, or our own."""
        shown = self._followed.run if self._followed is not None else None
        if shown is not None and shown.is_live:
            return shown.directory
        return self.host.directory if self.host.is_busy else None

    def _send(self, directory: Path, command: Command) -> None:
        from trainer.commands import send

        try:
            send(directory, command)
        except OSError as error:
            self.notify(f"the run takes no commands: {error.strerror}", severity="error", markup=False)

    def _bring_back(self, index: int | None) -> None:
        if index is not None:
            self._follow(self._session[index])

    @on(Started)
    def _take_start(self, event: Started) -> None:
        if event.outcome.directory is not None:
            from tui.followed import Followed

            followed = Followed.open(event.outcome.directory)
            self._session.append(followed)
            self._follow(followed)
            self._show_side(form=False, keep_focus=True)
            return
        self._waiting = ""
        self.status.show(self._followed.run if self._followed else None)
        self._show_side(form=True)
        for problem in self.form.show_problems(event.outcome.problems):
            self.notify(str(problem), severity="error", markup=False)

    def on_form_entered(self, event: Form.Entered) -> None:
        """Give a live number to the live run on the panels; say why where that cannot be."""
        followed = self._followed
        if followed is None or not followed.run.is_live:
            return
        field, value = event.field, event.value
        known = followed.value_of(field.path)
        if value == known:
            return
        if field.why_not_live:
            message = f"{field.path} {field.why_not_live}: it counts from the next run on."
            self.notify(message, severity="warning", markup=False)
            return
        from trainer.commands import Set

        self._send(followed.run.directory, Set(by=_BY, key=field.path, value=value))
        self.notify(f"{field.path} → {value} in the running run", markup=False)

    def on_form_changed(self) -> None:
        """Mark the name of a preset that was changed."""
        self._show_name()

    # What is drawn.

    def _follow(self, followed: Followed) -> None:
        self._followed = followed
        self.log_panel.clear()
        self.log_panel.add(followed.run.happenings)
        self._draw()
        self._clock.resume()

    def _tick(self) -> None:
        followed = self._followed
        if followed is None:
            return
        state = followed.run.shown_state
        events = followed.poll(_BYTES_A_TICK)
        self.log_panel.add(events)
        if events:
            self._stale += [panel for panel in self._panels if panel not in self._stale]
        has_changed = followed.run.shown_state != state
        self._ticks += 1
        if has_changed or self._ticks % _STATUS_TICKS == 0:
            self.status.show(followed.run, self._waiting)
        while self._stale and (has_changed or self._pace.allows()):
            self._paint(self._stale.pop(0), followed.run)
        if followed.run.ended and not events and not self._stale:
            self._clock.pause()

    def _draw(self) -> None:
        """Show all that is known of the run; the widgets paint what differs from before."""
        self._stale.clear()
        if self._followed is not None:
            self.status.show(self._followed.run, self._waiting)
            for panel in self._panels:
                self._paint(panel, self._followed.run)

    def _paint(self, panel: CallbackPanel | Panel, run: Run) -> None:
        before = panel.cells_painted
        if isinstance(panel, Panel):
            panel.update(run, self._view)
        elif self._followed is not None:
            panel.update_from(self._followed)
        self._pace.spend(panel.cells_painted - before)

    def _look(self, view: View) -> None:
        self._view = view
        self._draw()

    def _show_side(self, *, form: bool, keep_focus: bool = False) -> None:
        self.set_class(not form, "-panels")
        if form:
            self.call_after_refresh(self._focus_form)
        elif not (keep_focus and self.has_class("-wide")):
            self.set_focus(None)

    def _focus_form(self) -> None:
        mine = (widget for widget in self.focus_chain if self.form in widget.ancestors)
        if field := next(mine, None):
            field.focus()

    def _choose_panel(self, index: int) -> None:
        self._panel = index % len(PANELS)
        for place, kind in enumerate(PANELS):
            self.query_one(kind).set_class(place == self._panel, "-chosen")

    def _show_name(self) -> None:
        config = self.form.config
        changed = config is None or config != self._preset
        self.query_one("#preset-name", Static).update(f"{self._preset.name}{' ●' if changed else ''}")
