"""The app: two screens, train and compare, and what is the same on both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.terminal_driver import TerminalDriver
from tui.train_screen import TrainScreen

if TYPE_CHECKING:
    from trainer.config import Config
    from tui.dialogs import Way
    from tui.run_table import RunTable


class NnTui(App["Way"]):
    """Edit hyperparameters, train, watch, compare. What it returns is how a person left a training that goes on.

    Attributes:
        has_lost_terminal: whether it ended because the terminal did.
    """

    TITLE = "nn-tui"
    # The first screen's styles too: Textual loads a screen's own only when it is pushed.
    CSS_PATH: ClassVar = ["app.tcss", "train_screen.tcss", "form.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f9,c", "compare", "Compare", id="app.compare", tooltip="Compare the runs of the store"),
        Binding("f1,question_mark", "keys", "Keys", id="app.keys", tooltip="Show every key"),
        Binding("f10,q", "leave", "Quit", id="app.quit", tooltip="Quit; asks what becomes of a run under way"),
    ]

    def __init__(
        self, load: Callable[[], Config], base: Path | None, store: Path, compared: Sequence[Path] = ()
    ) -> None:
        """Make the app.

        Args:
            load: gives what the form holds at first; called when the first picture stands.
            base: folder that its relative paths start from.
            store: folder of runs.
            compared: runs to open the compare screen with; none opens the train screen.
        """
        super().__init__(driver_class=TerminalDriver)
        self.has_lost_terminal = False
        self._store = store
        self._compared = tuple(compared)
        self.train_screen = TrainScreen(load, base, store)

    def get_default_screen(self) -> Screen[Any]:
        """Return the train screen."""
        return self.train_screen

    def on_mount(self) -> None:
        """Go on to the compare screen, if runs were named."""
        if self._compared:
            self._open_compare(self._compared)

    # What comes from outside: from the terminal, from signals. For any thread, and as often as it happens.

    def lose_terminal(self) -> None:
        """Leave, since there is no terminal any more; a training goes on."""
        self.has_lost_terminal = True
        self._from_outside(self.exit)

    def end(self) -> None:
        """Have a training end, saved, and leave."""
        self.train_screen.host.end()
        self._from_outside(self.exit)

    def ask_to_leave(self) -> None:
        """Do what the key to quit does."""
        self._from_outside(self.action_leave)

    def _from_outside(self, act: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended: it is done already
            self.call_later(act)

    # What the keys do.

    def action_compare(self) -> None:
        """Go to the compare screen; from there, back."""
        from tui.compare_screen import CompareScreen

        if isinstance(self.screen, CompareScreen):
            self.screen.dismiss()
        elif self.screen is self.train_screen:
            self._open_compare(())

    def action_keys(self) -> None:
        """Show every key."""
        from tui.dialogs import Keys

        if not isinstance(self.screen, Keys):
            self.push_screen(Keys(_all_bindings(self.screen)))

    def action_leave(self) -> None:
        """Quit; ask first what becomes of a run under way."""
        host = self.train_screen.host
        if not host.is_busy:
            self.exit()
            return
        from trainer.runs import peek
        from tui.dialogs import Leaving
        from tui.limits import what_ends_it

        if not isinstance(self.screen, Leaving):
            is_paused = host.directory is not None and peek(host.directory).status.state == "paused"
            self.push_screen(Leaving(what_ends_it(), is_paused=is_paused), self._leave)

    async def action_quit(self) -> None:
        """Quit as every other way does."""
        self.action_leave()

    def action_help_quit(self) -> None:
        """Say which key quits, to those who press ctrl+c."""
        self.notify("f10 quits; outside of fields q does too.")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer every key of the screen and of its table that acts now as a command, and the theme."""
        for owner in (self, screen, *screen.query("RunTable, RunTable #rows")):
            for binding in _bindings(type(owner)):
                if not owner.check_action(binding.action, ()):
                    continue
                run = partial(self.run_action, binding.action, owner)
                yield SystemCommand(f"{binding.description} ({_first_key(binding)})", binding.tooltip, run)
        yield SystemCommand("Theme", "Change the colours; there are light and dark ones", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save a picture of the screen", self.deliver_screenshot)

    def on_run_table_opened(self, event: RunTable.Opened) -> None:
        """Bring a run of the compare screen onto the panels. Not by `on`: its class would load NumPy at the start."""
        if self.screen is not self.train_screen:
            self.pop_screen()
        self.train_screen.when_ready(partial(self.train_screen.show_run, event.directory))

    def on_run_table_asked(self, event: RunTable.Asked) -> None:
        """Have a run of the compare screen go on, on the train screen."""
        if self.screen is not self.train_screen:
            self.pop_screen()
        self.train_screen.when_ready(partial(self.train_screen.go_on, event.directory, event.how))

    def _leave(self, way: Way | None) -> None:
        if way == "stop":
            self.train_screen.host.stop()
        if way is not None:
            self.exit(way)

    def _open_compare(self, compared: Sequence[Path]) -> None:
        from tui.compare_screen import CompareScreen

        self.push_screen(CompareScreen(self._store, compared))


def _bindings(widget: type[Any]) -> list[Binding]:
    return [binding for binding in vars(widget).get("BINDINGS", ()) if isinstance(binding, Binding)]


def _first_key(binding: Binding) -> str:
    return binding.key.split(",")[0]


def _all_bindings(screen: Screen[Any]) -> list[tuple[str, list[Binding]]]:
    """Return every binding there is, by where it works: that of the screen first."""
    from tui.cell_table import CellTable
    from tui.compare_screen import CompareScreen
    from tui.form import Form
    from tui.run_table import RunTable

    palette = Binding("ctrl+p", "command_palette", "Commands", tooltip="Find any of these by name")
    everywhere = ("Everywhere", [*_bindings(NnTui), palette])
    train = [("Train", _bindings(TrainScreen)), ("Form", _bindings(Form))]
    compare = [("Compare", _bindings(CompareScreen) + _bindings(RunTable) + _bindings(CellTable))]
    if isinstance(screen, CompareScreen):
        return [*compare, everywhere, *train]
    return [*train, everywhere, *compare]
