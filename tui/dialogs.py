"""Dialogs: a question, a name, a run of the session, the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from rich.table import Table
from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

import presets
from trainer.problems import ConfigError
from trainer.text import clean
from tui.sparing import Sparing
from tui.wording import STATE_GLYPHS, age, judged_words

_SIGNS = {"question_mark": "?", "slash": "/"}
if TYPE_CHECKING:
    from trainer.run import Run

CLOSE = Binding("escape", "dismiss(None)", "Close", id="dialog.close", tooltip="Close without doing anything")


class Question(Sparing, ModalScreen[bool | None]):
    """Yes or no. Escape and n mean no, enter yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        CLOSE,
        Binding("y", "dismiss(True)", "Yes", id="dialog.yes", tooltip="Do it"),
        Binding("n", "dismiss(False)", "No", id="dialog.no", tooltip="Do not do it"),
    ]

    def __init__(self, question: str, yes: str, no: str) -> None:
        super().__init__(classes="dialog")
        self._question, self._yes, self._no = question, yes, no

    def compose(self) -> ComposeResult:
        """Lay out the question over its two answers."""
        with Vertical(classes="box"):
            yield Label(self._question, markup=False)
            with Horizontal(classes="answers"):
                yield Button(Text(f"{self._yes} (y)"), variant="primary", id="yes", compact=True)
                yield Button(Text(f"{self._no} (n)"), id="no", compact=True)

    @on(Button.Pressed)
    def _answer(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class RiskyQuestion(Question):
    """A question where enter means no: what would be done cannot be undone."""

    AUTO_FOCUS = "#no"


Way = Literal["detach", "wait", "stop"]
"""How a training is left: to go on in the background, in the foreground without a screen, or to end."""

_WAYS: tuple[tuple[Way | None, str, str], ...] = (
    ("detach", "Detach (d)", "the prompt comes back, the training goes on"),
    ("wait", "Wait (w)", "the screen goes; a line tells how far it is"),
    ("stop", "Stop (s)", "end the run on its best weights, and quit"),
    (None, "Stay (esc)", "go back to the screen"),
)

_PAUSED = "The run is paused until somebody goes on with it."
_WHILE_PAUSED: dict[Way | None, str] = {
    "detach": "the prompt comes back, the run stays paused",
    "wait": "the screen goes; the run stays paused",
}


class Leaving(Sparing, ModalScreen[Way | None]):
    """What becomes of the run when the app is left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "dismiss(None)", "Stay", id="dialog.close", tooltip="Go back to the screen"),
        Binding("d", "dismiss('detach')", "Detach", id="leaving.detach", tooltip="Leave the training to itself"),
        Binding("w", "dismiss('wait')", "Wait", id="leaving.wait", tooltip="Wait for its end without a screen"),
        Binding("s", "dismiss('stop')", "Stop", id="leaving.stop", tooltip="Stop the run, keep its best weights, quit"),
    ]

    def __init__(self, limit: str = "", *, is_paused: bool = False) -> None:
        """Ask.

        Args:
            limit: what a run that is detached will not survive; "" for nothing known.
            is_paused: whether the run waits for somebody to go on with it.
        """
        super().__init__(classes="dialog")
        self._limit, self._is_paused = limit, is_paused

    def compose(self) -> ComposeResult:
        """Lay out the ways under each other, with what each means."""
        with Vertical(classes="box"):
            yield Label(_PAUSED if self._is_paused else "A run is under way.", markup=False)
            ways = (
                (way, name, _WHILE_PAUSED.get(way, meaning) if self._is_paused else meaning)
                for way, name, meaning in _WAYS
            )
            yield OptionList(*(Option(_way_words(name, meaning), id=way) for way, name, meaning in ways))
            if self._limit:
                yield Static(Text(self._limit, "bold"), classes="limit")
            yield Static("Detached, nn-tui shows it again when it is started.", classes="hint", markup=False)

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(cast("Way | None", event.option_id))


_HINT = (
    "Letters are keys outside of fields; in a field they are text. "
    "Enter in a field marked ~ gives its number to the live run on the panels."
)


class SaveAs(Sparing, ModalScreen[str | None]):
    """Asks for the name of a preset."""

    BINDINGS: ClassVar[list[BindingType]] = [CLOSE]

    note = getters.query_one("#note", Static)

    def __init__(self, name: str) -> None:
        super().__init__(classes="dialog")
        self._proposed = name

    def compose(self) -> ComposeResult:
        """Lay out the name over what will happen."""
        with Vertical(classes="box"):
            yield Label("Save the form as a preset named", markup=False)
            yield Input(self._proposed, id="name", compact=True)
            yield Static("", id="note", markup=False)
            yield Static("enter saves   escape closes", classes="hint", markup=False)

    @on(Input.Changed)
    def _foretell(self, event: Input.Changed) -> None:
        try:
            path = presets.path_of(event.value)
        except ConfigError as error:
            self.note.update(Text(str(error)))
            return
        hides = f", which hides the built-in {event.value}" if presets.is_built_in(event.value) else ""
        self.note.update(Text(f"{'replaces' if path.exists() else 'makes'} {clean(str(path))}{hides}"))

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class RunList(Sparing, ModalScreen[int | None]):
    """The live runs and those of this session; the one chosen comes onto the panels."""

    BINDINGS: ClassVar[list[BindingType]] = [CLOSE]

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(classes="dialog")
        self._runs = runs

    def compose(self) -> ComposeResult:
        """Lay out the runs, live ones first, then the newest."""
        with Vertical(classes="box"):
            yield Label("Live runs, and those of this session", markup=False)
            if self._runs:
                order = sorted(range(len(self._runs)), key=lambda index: (not self._runs[index].is_live, -index))
                yield OptionList(*(Option(_run_words(self._runs[index]), id=str(index)) for index in order))
            else:
                yield Static("none yet: ctrl+r starts one", markup=False)
            yield Static("enter shows it   escape closes", classes="hint", markup=False)

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(int(event.option_id or 0))


class Keys(Sparing, ModalScreen[None]):
    """Every key there is, from the bindings themselves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,q", "dismiss(None)", "Close", id="dialog.close", tooltip="Close"),
    ]

    def __init__(self, groups: Sequence[tuple[str, Sequence[Binding]]]) -> None:
        super().__init__(classes="dialog")
        self._groups = groups

    def compose(self) -> ComposeResult:
        """Lay out the keys in groups, what they do beside them."""
        with Vertical(classes="box -tall"), VerticalScroll():
            for title, bindings in self._groups:
                yield Label(Text(title, "bold"))
                yield Static(_key_table(bindings))
            yield Static(_HINT, classes="hint", markup=False)


def _run_words(run: Run) -> Text:
    from trainer.replicas import shown_state

    state = shown_state(run)
    which = f"{age(run.status.created)} · {run.id[-4:]}"  # runs of one name differ in the end of their ids
    return Text.assemble(
        f"{STATE_GLYPHS[state]} {state:<10} ", (run.name, "bold"), f"  {judged_words(run)}  ", (clean(which), "dim")
    )


def _way_words(name: str, meaning: str) -> Text:
    return Text.assemble((f"{name:<12}", "bold"), meaning)


def _key_table(bindings: Sequence[Binding]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=14)
    table.add_column(ratio=1)
    for binding in bindings:
        keys = ", ".join(_SIGNS.get(key, key) for key in binding.key.split(","))
        table.add_row(Text(keys, "bold"), Text(binding.tooltip or binding.description))
    return table
