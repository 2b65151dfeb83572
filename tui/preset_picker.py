"""The preset picker: every preset, and what each would change in the form."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

import presets
from trainer.config import Config, values
from trainer.problems import ConfigError
from trainer.schema import HEADING
from trainer.text import clean
from tui.form_fields import show
from tui.sparing import Sparing


@dataclass(frozen=True, slots=True)
class Picked:
    """A preset that was chosen: its config, and the folder that its relative paths start from."""

    config: Config
    base: Path | None


class PresetPicker(Sparing, ModalScreen[Picked | None]):
    """Choose a preset from the list, or type what its name has in it, or the path of a file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", id="picker.close", tooltip="Close and leave the form as it is"),
    ]

    options = getters.query_one(OptionList)
    path = getters.query_one(Input)
    preview = getters.query_one("#preview", Static)

    def __init__(self, current: Config) -> None:
        super().__init__(classes="dialog")
        self._current = current
        self._presets = presets.available()

    def compose(self) -> ComposeResult:
        """Lay out the list beside the preview, over a line for a path."""
        with Vertical(classes="box -tall -wide"):
            yield Label("Open a preset", markup=False)
            with Horizontal():
                yield OptionList(*(Option(Text(clean(preset.name))) for preset in self._presets))
                with VerticalScroll(can_focus=False):
                    yield Static(id="preview", markup=False)
            yield Input(placeholder="type a name, or the path of a TOML file", compact=True, select_on_focus=False)
            yield Static("enter opens   escape closes", classes="hint", markup=False)

    def on_key(self, event: Key) -> None:
        """Take what is typed over the list for a name or a path, and go back to the list with the arrows."""
        if self.options.has_focus and event.character and event.is_printable:
            event.stop()
            self.path.focus()
            self.path.insert_text_at_cursor(event.character)
        elif self.path.has_focus and event.key in ("up", "down"):
            event.stop()
            self.options.focus()
            move = self.options.action_cursor_up if event.key == "up" else self.options.action_cursor_down
            move()

    @on(OptionList.OptionHighlighted)
    def _preview_option(self, event: OptionList.OptionHighlighted) -> None:
        self._preview(self._presets[event.option_index].name)

    @on(Input.Changed)
    def _preview_path(self, event: Input.Changed) -> None:
        found = self._found(event.value)
        if found not in (None, self.options.highlighted):
            self.options.highlighted = found  # previews it
        elif found is not None:
            self._preview(self._presets[found].name)
        elif event.value:
            self._preview(event.value)

    @on(OptionList.OptionSelected)
    def _choose_option(self, event: OptionList.OptionSelected) -> None:
        self._choose(self._presets[event.option_index].name)

    @on(Input.Submitted)
    def _choose_path(self, event: Input.Submitted) -> None:
        if (found := self._found(event.value)) is not None:
            self._choose(self._presets[found].name)
        elif event.value:
            self._choose(event.value)

    def _found(self, typed: str) -> int | None:
        """Return which preset is meant: the one of this name, the first that begins so, or has it within."""
        names = [preset.name.casefold() for preset in self._presets]
        typed = typed.casefold()
        if not typed or "/" in typed or typed.endswith(".toml"):
            return None
        tests = (typed.__eq__, lambda name: name.startswith(typed), lambda name: typed in name)
        return next((number for test in tests for number, name in enumerate(names) if test(name)), None)

    def _preview(self, word: str) -> None:
        try:
            text = describe(presets.load(word), self._current)
        except ConfigError as error:
            text = problems_text(error)
        self.preview.update(text)

    def _choose(self, word: str) -> None:
        try:
            preset = presets.find(word)
            self.dismiss(Picked(preset.load(), preset.base))
        except ConfigError as error:
            self.preview.update(problems_text(error))


def describe(preset: Config, current: Config) -> Text:
    """Return a preset's description and what it would change."""
    changes = list(_changes(preset, current))
    text = Text(f"{clean(preset.description)}\n\n")
    text.append(f"would change {len(changes)} values\n" if changes else "is what the form holds\n", "bold")
    for key, before, after in changes:
        text.append_text(Text.assemble((f"{key}  ", ""), (f"{before}", "dim"), " → ", (f"{after}\n", "bold")))
    return text


def problems_text(error: ConfigError) -> Text:
    """Return the problems of a file, a line each."""
    return Text("\n".join(f"✗ {problem}" for problem in error.problems))


def _changes(preset: Config, current: Config) -> Iterator[tuple[str, str, str]]:
    before, after = values(current), values(preset)
    for key in dict.fromkeys([*after, *before]):
        if key not in HEADING and before.get(key, "–") != after.get(key, "–"):
            yield key, _word(before.get(key, "–")), _word(after.get(key, "–"))


def _word(value: object) -> str:
    return clean(str(value)) if value == "–" else show(value)
