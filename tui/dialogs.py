"""Dialogs: a question, a name, a run of the session, the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

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
from trainer.text import clean, clipped
from tui.sparing import Sparing
from tui.wording import STATE_GLYPHS, number

_SIGNS = {"question_mark": "?", "slash": "/"}
if TYPE_CHECKING:
    from trainer.runs import Run

_CLOSE = Binding("escape", "dismiss(None)", "Close", id="dialog.close", tooltip="Close without doing anything")


class Question(Sparing, ModalScreen[bool | None]):
    """Yes or no. Escape and n mean no, enter yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        _CLOSE,
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


_HINT = (
    "Letters are keys outside of fields; in a field they are text. "
    "Enter in a field marked ~ gives its number to the live run on the panels."
)


class SaveAs(Sparing, ModalScreen[str | None]):
    """Asks for the name of a preset."""

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE]

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
    """The runs of this session; the one chosen comes back onto the panels."""

    BINDINGS: ClassVar[list[BindingType]] = [_CLOSE]

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(classes="dialog")
        self._runs = runs

    def compose(self) -> ComposeResult:
        """Lay out the runs, newest first."""
        with Vertical(classes="box"):
            yield Label("Runs of this session", markup=False)
            if self._runs:
                yield OptionList(*(Option(_run_words(run), id=str(i)) for i, run in reversed([*enumerate(self._runs)])))
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
        """Lay out the keys in groups."""
        with Vertical(classes="box -tall"), VerticalScroll():
            for title, bindings in self._groups:
                yield Label(Text(title, "bold"))
                for binding in bindings:
                    yield Static(_key_words(binding))
            yield Static(_HINT, classes="hint", markup=False)


def _run_words(run: Run) -> Text:
    best = run.status.best
    words = f"{clean(best.metric)} {number(best.value)} @{best.epoch + 1}" if best else "–"
    state = run.status.state
    return Text.assemble(
        f"{STATE_GLYPHS[state]} {state:<10} ", (run.name, "bold"), f"  {words}  ", (clipped(run.id, 15), "dim")
    )


def _key_words(binding: Binding) -> Text:
    keys = ", ".join(_SIGNS.get(key, key) for key in binding.key.split(","))
    return Text.assemble((f"{keys:<14}", "bold"), f" {binding.tooltip or binding.description}")
