"""What edits one value in one row of the screen, in one widget each: mounting is what a form costs.

Textual's `Select` is six widgets and takes ten times as long to mount as this `Choice`, which mounts its list of
options when it opens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, OptionList, Switch
from textual.widgets.option_list import Option

from tui.key_order import obeyed


class Options(OptionList):
    """The open list of a `Choice`; leaves when it loses the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", show=False, id="form.options.close", tooltip="Close without choosing"),
    ]

    @dataclass
    class Closed(Message):
        """The list was left; `chosen` is the word taken, or None."""

        chosen: str | None
        refocus: bool

    def action_close(self) -> None:
        """Leave without choosing."""
        self.post_message(self.Closed(None, refocus=True))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Allow pages once there are some: before its first layout OptionList fails at them."""
        return not action.startswith("page_") or bool(self.scrollable_content_region)

    def on_blur(self) -> None:
        """Leave when the person goes elsewhere."""
        self.post_message(self.Closed(None, refocus=False))

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Closed(event.option_id, refocus=True))

    @on(OptionList.OptionHighlighted)
    def _keep_to_itself(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()


class Choice(Widget, can_focus=True):
    """One word out of several: opens as a list, or steps through it with left and right."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "Choose", id="form.choice.open", tooltip="Open the list of choices"),
        Binding("left", "step(-1)", "Previous", show=False, id="form.choice.previous", tooltip="Take the one before"),
        Binding("right", "step(1)", "Next", show=False, id="form.choice.next", tooltip="Take the one after"),
    ]

    value: reactive[str] = reactive("", init=False)

    @dataclass
    class Changed(Message):
        """Another word was chosen."""

        choice: "Choice"

    def __init__(self, choices: Sequence[str], value: str, *, id: str | None = None) -> None:  # noqa: A002
        """Make a closed choice; `value` is one of `choices`."""
        super().__init__(id=id)
        self.choices = tuple(choices)
        self.set_reactive(Choice.value, value)

    def render(self) -> Content:
        """Return the word and what says that there are others."""
        room = max(1, self.size.width - 2)
        word = Content(self.value).truncate(room, ellipsis=True, pad=True)
        return word + Content.styled(" ▾", "$foreground 60%") if len(self.choices) > 1 else word

    def watch_value(self) -> None:
        """Tell that the word changed."""
        self.post_message(self.Changed(self))

    def action_open(self) -> None:
        """Open the list at the current word."""
        if self.children or len(self.choices) < 2:
            return
        options = Options(*(Option(Content(choice), id=choice) for choice in self.choices), compact=True)
        options.highlighted = self.choices.index(self.value) if self.value in self.choices else 0
        self.mount(options)
        options.focus(scroll_visible=False)

    def action_step(self, by: int) -> None:
        """Take the word `by` places on, without going round."""
        index = (self.choices.index(self.value) if self.value in self.choices else -1) + by
        if 0 <= index < len(self.choices):
            self.value = self.choices[index]

    async def on_key(self, event: events.Key) -> None:
        """Go to the next word that begins with the letter: in a field, letters are not keys."""
        if await obeyed(self, event):
            return
        if not event.is_printable or event.character is None or event.key == "space" or self.children:
            return
        event.stop()
        event.prevent_default()
        start = self.choices.index(self.value) + 1 if self.value in self.choices else 0
        others = (*self.choices[start:], *self.choices[:start])
        self.value = next((word for word in others if word.startswith(event.character.lower())), self.value)

    def on_click(self) -> None:
        """Open the list."""
        self.action_open()

    @on(Options.Closed)
    async def _close(self, event: Options.Closed) -> None:
        event.stop()
        await self.remove_children(Options)
        if event.refocus:
            self.focus()
        if event.chosen is not None:
            self.value = event.chosen


class Line(Input):
    """A line of text, for numbers, words and lists of them."""

    def __init__(self, value: str, *, id: str | None = None) -> None:  # noqa: A002
        """Make a line that blinks not and judges nothing: an idle screen sends nothing over the wire."""
        super().__init__(value, compact=True, validate_on=(), id=id)
        self.cursor_blink = False

    async def on_key(self, event: events.Key) -> None:
        """Keep the keys in order."""
        await obeyed(self, event)


class Toggle(Switch):
    """A switch that says on or off, so that it needs no colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "toggle_switch", "Switch", id="form.switch.toggle", tooltip="Switch it on or off"),
    ]

    def __init__(self, value: bool, *, id: str | None = None) -> None:  # noqa: A002
        """Make a switch that does not slide."""
        super().__init__(value, animate=False, id=id)

    async def on_key(self, event: events.Key) -> None:
        """Keep the keys in order."""
        await obeyed(self, event)

    def render(self) -> Content:
        """Return the state in words."""
        return Content("■ on") if self.value else Content("□ off")

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        """Return the width of the longer word."""
        return 5


class Fold(Widget, can_focus=True):
    """The line that opens and closes the advanced fields of a section."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "Advanced", id="form.fold.toggle", tooltip="Show or hide advanced fields"),
    ]

    @dataclass
    class Toggled(Message):
        """The person asked for the other state."""

        fold: "Fold"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        """Make a closed fold that counts nothing."""
        super().__init__(id=id)
        self._told = (0, 0, False)

    def show(self, n_fields: int, n_changed: int, is_open: bool) -> None:
        """Show how many fields there are behind it, and how many of them differ from the preset."""
        if self._told != (n_fields, n_changed, is_open):
            self._told = (n_fields, n_changed, is_open)
            self.refresh()

    def render(self) -> Content:
        """Return count and marks."""
        n_fields, n_changed, is_open = self._told
        pointer = "›" if self.has_focus else " "
        line = Content(f"{pointer} {'▾' if is_open else '▸'} {n_fields} advanced")
        return line + Content.styled(f"  ● {n_changed} changed", "$text-warning") if n_changed else line

    async def on_key(self, event: events.Key) -> None:
        """Keep the keys in order."""
        await obeyed(self, event)

    def action_fold(self) -> None:
        """Ask for the other state."""
        self.post_message(self.Toggled(self))

    def on_click(self, event: events.Click) -> None:
        """Ask for the other state."""
        event.stop()
        self.action_fold()
