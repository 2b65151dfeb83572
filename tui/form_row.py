"""A field of the form: label, mark and unit drawn around the one widget that edits the value."""

from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Switch

from trainer.schema import Hyperparameter
from tui.form_controls import Choice, Line, Toggle
from tui.form_fields import parse, show, widget_id

LABEL_WIDTH = 24
"""Cells before the value: room for the longest usual name, a mark, and a gap."""

_VALUE_WIDTH = 34
"""Most cells of a value that is no free text: a unit far away from its number is hard to read."""

_PROBLEM_INDENT = 4

Control = Line | Choice | Toggle


class FieldRow(Widget):
    """One hyperparameter in one row of the screen, and below it what is wrong with its value."""

    ALLOW_SELECT = False

    @dataclass
    class Edited(Message):
        """The person changed what the field holds."""

        row: "FieldRow"

    def __init__(self, field: Hyperparameter, value: Any, text: str | None = None, *, heads: str = "") -> None:
        """Make the row of a field.

        Args:
            field: what it edits.
            value: what it holds at first.
            text: what it holds instead where that means no value.
            heads: name of the section that the field is the heading of, or "".
        """
        super().__init__(name=field.path, classes="-heading" if heads and field.selects else None)
        self.field = field
        self._heads = heads
        self._state = ("", False)
        self._is_told = True
        self._raw = self._raw_of(value) if text is None else text
        self.control = self._make_control()

    @property
    def key(self) -> tuple[Any, ...]:
        """Return what must be the same for the row to serve another kind's field of this name."""
        return row_key(self.field)

    @property
    def problem(self) -> str:
        """Return what is wrong with the value, or ""."""
        return self._state[0]

    def compose(self) -> ComposeResult:
        """Lay the control over the place that `render` leaves for it."""
        self.control.styles.margin = (0, self._unit_width + 1, 0, LABEL_WIDTH)
        if self.field.type != "text":
            self.control.styles.max_width = _VALUE_WIDTH
        yield self.control

    def read(self) -> Any:
        """Return the value that the field holds.

        Raises:
            NotAValueError: the text means none.
        """
        return parse(self.field, self._raw) if isinstance(self._raw, str) else self._raw

    @property
    def text(self) -> str:
        """Return what the field shows."""
        return self._raw if isinstance(self._raw, str) else show(self._raw)

    def take_news(self) -> bool:
        """Return whether the person changed what it holds since this was asked last: `Edited` may still be to come."""
        self._look()
        is_news, self._is_told = not self._is_told, True
        return is_news

    def load(self, value: Any) -> None:
        """Hold another value, without telling."""
        self._raw, self._is_told = self._raw_of(value), True
        with self.prevent(Input.Changed, Choice.Changed, Switch.Changed):
            self.control.value = self._raw

    def show(self, field: Hyperparameter, problem: str, is_changed: bool) -> None:
        """Show what is wrong and whether the value differs from the preset."""
        self.field = field
        if self._state == (problem, is_changed):
            return
        is_taller = bool(problem or self._state[0])
        self._state = (problem, is_changed)
        self.refresh(layout=is_taller)

    def render(self) -> Content:
        """Return label, mark and unit, and the problem below."""
        problem, is_changed = self._state
        width = self.size.width
        label = self._label().truncate(LABEL_WIDTH - 2, ellipsis=True, pad=True)
        mark = Content.styled("●", "$text-warning") if is_changed else Content(" ")
        room = min(_VALUE_WIDTH, max(0, width - LABEL_WIDTH - self._unit_width - 1)) + 2
        unit = Content.styled(f"{' ' * room}{self.field.unit}", "$foreground 60%")
        line = (label + mark + unit).truncate(width)
        return Content("\n").join([line, *self._problem_lines(problem, width)])

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return a row for the value and as many as the problem needs."""
        return 1 + len(self._problem_lines(self._state[0], width))

    def on_click(self) -> None:
        """Edit the value of the label clicked."""
        self.control.focus()

    @on(Input.Changed)
    @on(Choice.Changed)
    @on(Switch.Changed)
    def _notice(self, event: Message) -> None:
        event.stop()
        if self._look():
            self.post_message(self.Edited(self))

    def _look(self) -> bool:
        """Take what the control holds now: since it told of a change, several keys may have come. Say if it differs."""
        raw = self.control.value
        differs = raw != self._raw
        if differs:
            self._raw, self._is_told = raw, False
        return differs

    @property
    def _unit_width(self) -> int:
        return len(self.field.unit) + 1 if self.field.unit else 0

    def _make_control(self) -> Control:
        identity = widget_id(self.field.path)
        if self.field.type == "choice":
            return Choice(self.field.choices, str(self._raw), id=identity)
        if self.field.type == "switch":
            return Toggle(bool(self._raw), id=identity)
        with self.prevent(Input.Changed):
            return Line(str(self._raw), id=identity)

    def _raw_of(self, value: Any) -> Any:
        return bool(value) if self.field.type == "switch" else show(value)

    def _label(self) -> Content:
        # The style of `:focus-within` has the row painted when this changes.
        pointer = "›" if self.has_focus_within else " "
        live = Content.styled(" ~", "$foreground 60%") if self.field.role == "live" else Content("")
        if self._heads:
            if self.field.name == "enabled":
                return Content.assemble(pointer, (self._heads, "$text-accent"))
            return Content.assemble(
                pointer, (self._heads, "bold $text-accent"), (f".{self.field.name}", "$foreground 60%")
            )
        return Content(f"{pointer} {self.field.name}") + live

    def _problem_lines(self, problem: str, width: int) -> list[Content]:
        if not problem or width <= _PROBLEM_INDENT:
            return []
        lines = Content.styled(f"! {problem}", "$text-error").wrap(width - _PROBLEM_INDENT)
        return [Content(" " * (_PROBLEM_INDENT - 2)) + line for line in lines]


def row_key(field: Hyperparameter) -> tuple[Any, ...]:
    """Return what tells the rows of two fields apart."""
    return field.path, field.type, field.choices
