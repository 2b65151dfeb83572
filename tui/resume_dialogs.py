"""Dialogs about runs that go on: from which checkpoint, for how many epochs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from tui.dialogs import CLOSE
from tui.sparing import Sparing
from tui.wording import number

if TYPE_CHECKING:
    from trainer.checkpoints import Manifest


class CheckpointList(Sparing, ModalScreen[str | None]):
    """The checkpoints of a run; a fork begins from the one chosen, given by its id."""

    BINDINGS: ClassVar[list[BindingType]] = [CLOSE]

    def __init__(self, name: str, checkpoints: Sequence[Manifest]) -> None:
        super().__init__(classes="dialog")
        self._name, self._checkpoints = name, checkpoints

    def compose(self) -> ComposeResult:
        """Lay out the checkpoints, newest first."""
        with Vertical(classes="box"):
            yield Label(f"Fork {self._name} from", markup=False)
            yield OptionList(*(Option(words, id=it.id) for it, words in _told(self._checkpoints)))
            yield Static("enter puts it into the form, ctrl+r trains it   escape closes", classes="hint", markup=False)

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


class MoreEpochs(Sparing, ModalScreen[int | None]):
    """Asks up to which epoch a run shall train."""

    BINDINGS: ClassVar[list[BindingType]] = [CLOSE]

    def __init__(self, name: str, done: int) -> None:
        super().__init__(classes="dialog")
        self._name, self._done = name, done

    def compose(self) -> ComposeResult:
        """Lay out the number over what it means."""
        with Vertical(classes="box"):
            yield Label(f"Train {self._name} on, up to how many epochs in all?", markup=False)
            yield Input(str(2 * max(1, self._done)), id="epochs", type="integer", compact=True)
            yield Static(f"{self._done} are done", id="note", markup=False)
            yield Static("enter trains   escape closes", classes="hint", markup=False)

    @on(Input.Submitted)
    def _take(self, event: Input.Submitted) -> None:
        epochs = int(event.value) if event.value.isdecimal() else 0
        if epochs > self._done:
            self.dismiss(epochs)
        else:
            self.query_one("#note", Static).update(f"{self._done} are done: it must be more than these.")


def _told(checkpoints: Sequence[Manifest]) -> Iterator[tuple[Manifest, Text]]:
    """Yield each with its words; only one of those to go on from is the last."""
    last = next((it for it in checkpoints if it.kind == "last"), None)
    for it in checkpoints:
        yield it, _words(it, it.kind if it.kind == "best" or it is last else "earlier")


def _words(manifest: Manifest, name: str) -> Text:
    value = f"  {manifest.monitor} {number(manifest.value)}" if manifest.kind == "best" and manifest.monitor else ""
    epoch = manifest.epoch + 1 if manifest.kind == "best" else manifest.epoch
    return Text.assemble((f"{name:<8}", "bold"), f" after epoch {epoch} (update {manifest.step}){value}")
