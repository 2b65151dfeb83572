"""The form: every hyperparameter of a config, generated from the declarations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from trainer.config import Config
from trainer.problems import Problem
from trainer.schema import Group, Hyperparameter
from tui.form_controls import Fold
from tui.form_draft import Draft
from tui.form_fields import NotAValueError, rule_of_thumb, show
from tui.form_help import FormHelp, suggestion_text
from tui.form_row import FieldRow
from tui.form_section import Section, parents, title

_SUGGESTED = "model.hidden"
_FIRST = 4
"""Sections that are there from the beginning: about what the smallest screen shows."""


class Fields(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The part that scrolls; the form has the keys, since up and down move between fields."""


class Form(Vertical):
    """Edits a config field by field, each checked as it is typed.

    Attributes:
        draft: what the fields hold, and what is wrong with it.
        visited: the widget in it that had the focus last.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Field above", show=False, id="form.up", tooltip="Go to the field above"),
        Binding("down", "move(1)", "Field below", show=False, id="form.down", tooltip="Go to the field below"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="form.page_up", tooltip="Scroll the form up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="form.page_down", tooltip="Scroll the form down"),
        Binding("escape", "leave", "Leave field", show=False, id="form.leave", tooltip="Leave the field"),
        # A control key, since every printable one is text in a field. Taken elsewhere: ctrl+a, d, e, k, u, v, w, x by
        # the field's own editing, ctrl+b and ctrl+a by tmux and screen, ctrl+q, s, z by the terminal's flow and job
        # control, ctrl+h, i, j, m by backspace, tab and enter, whose codes they share.
        Binding("ctrl+g", "take_suggestion", "Suggestion", id="form.suggestion", tooltip="Take the suggested sizes"),
    ]

    fields = getters.query_one("#form-fields", Fields)
    help_area = getters.query_one("#form-help", FormHelp)

    @dataclass
    class Changed(Message):
        """The person edited a field. `config` is None while `n_problems` is not 0."""

        form: "Form"
        config: Config | None
        n_problems: int

        @property
        def control(self) -> "Form":
            """Return the form, for `on` with a selector."""
            return self.form

    @dataclass
    class Entered(Message):
        """Enter was pressed in a field whose value is well, and that was edited since the last time."""

        form: "Form"
        field: Hyperparameter
        value: Any

        @property
        def control(self) -> "Form":
            """Return the form, for `on` with a selector."""
            return self.form

    def __init__(
        self,
        config: Config,
        preset: Config | None = None,
        *,
        file_base: Path | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        """Make the form of a config.

        Args:
            config: what the fields hold at first.
            preset: what the marks of changed fields compare with; the config itself where None.
            file_base: folder that a relative `data.path` starts from.
            id: as in Widget.
            classes: as in Widget.
        """
        super().__init__(id=id, classes=classes)
        self.draft = Draft(config, preset or config)
        self._file_base = file_base
        self._is_loading = False
        self._edited: set[str] = set()
        self.visited: Widget | None = None

    @property
    def config(self) -> Config | None:
        """Return the config that the fields hold, or None while one of them has a problem."""
        return self.draft.config

    @property
    def sections(self) -> list[Section]:
        """Return the sections, from top to bottom."""
        return [child for child in self.fields.children if isinstance(child, Section)]

    @property
    def rows(self) -> list[FieldRow]:
        """Return the rows that are mounted, from top to bottom."""
        return [row for section in self.sections for row in section.rows]

    def compose(self) -> ComposeResult:
        """Make a section for each table, and the help below."""
        with Fields(id="form-fields"):
            yield from self._sections(self.draft.groups[:_FIRST])
        yield FormHelp(self._file_base, id="form-help")

    def on_mount(self) -> None:
        """Have the rest made once the screen was painted: nobody should wait for what lies below its edge."""
        self.call_after_refresh(self._complete)

    def load(self, config: Config, preset: Config, file_base: Path | None = None) -> None:
        """Replace the content; arguments as at the beginning. Posts no `Changed`."""
        self.draft = Draft(config, preset)
        self._file_base = file_base
        self._edited.clear()
        # Edits that are still on their way belong to the old content.
        self._is_loading = True
        self.call_next(self._load)

    def put(self, path: str, value: Any) -> None:
        """Give a field that is seen a value, as if a person had typed it."""
        row = next(row for row in self.rows if row.field.path == path)
        row.control.value = show(value)

    def show_problems(self, problems: Sequence[Problem]) -> tuple[Problem, ...]:
        """Put problems that were found elsewhere under their fields and go to the first.

        Each stays until its field is edited, or until this is called again, perhaps with none.

        Returns:
            Those that belong to no field; the caller has to show them.
        """
        self.draft.tell(problems)
        self.call_next(self._go_to_problem if problems else self._sync)
        paths = {field.path for group in self.draft.groups for field in group.fields}
        places = paths | {group.name for group in self.draft.groups}
        return tuple(problem for problem in problems if problem.key not in places)

    def action_move(self, by: int) -> None:
        """Go to the field above or below; stay at the ends."""
        mine = [widget for widget in self.screen.focus_chain if self in widget.ancestors]
        if self.screen.focused in mine:
            index = mine.index(self.screen.focused) + by
            if 0 <= index < len(mine):
                # At once: `focus` comes after the next key where keys come fast.
                self.screen.set_focus(mine[index])

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self.fields.scroll_relative(y=by * self.fields.size.height, animate=False)

    def action_leave(self) -> None:
        """Take the focus from the field."""
        self.screen.set_focus(None)

    def action_take_suggestion(self) -> None:
        """Give every hidden layer the suggested width; their number stays."""
        row, n_inputs = self._focused_row(), self._n_inputs()
        if row is not None and n_inputs is not None:
            n_layers = len(self.draft.value(_SUGGESTED)) or 1
            row.control.value = show([rule_of_thumb(n_inputs)] * n_layers)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer the suggestion only at its field."""
        if action != "take_suggestion":
            return True
        row = self._focused_row()
        return row is not None and row.field.path == _SUGGESTED and self._n_inputs() is not None

    @on(FieldRow.Edited)
    async def _take_edit(self, event: FieldRow.Edited) -> None:
        event.stop()
        await self._take(event.row)

    async def _take(self, row: FieldRow) -> None:
        """Take what a row holds, once for each edit of it."""
        if self._is_loading or not row.is_attached or not row.take_news():
            return
        field = row.field
        self._edited.add(field.path)
        try:
            value = row.read()
        except NotAValueError as error:
            self.draft.refuse(field.path, row.text, str(error))
        else:
            self.draft.edit(field, value)
        await self._sync()
        if row.problem:
            self.call_after_refresh(row.scroll_visible, animate=False)
        self.post_message(self.Changed(self, self.config, self.draft.n_problems))

    @on(Fold.Toggled)
    async def _toggle_fold(self, event: Fold.Toggled) -> None:
        event.stop()
        for section in event.fold.ancestors:
            if isinstance(section, Section):
                section.is_open = not section.is_open
        await self._sync()

    @on(Input.Submitted)
    async def _go_on(self, event: Input.Submitted) -> None:
        """Tell of a value that is well, and go to the next field; stay where it is not."""
        event.stop()
        row = self._row_of(event.input)
        if row is not None:
            await self._take(row)  # enter may be here before the news of the keys pressed right before it
            if row.problem:
                return
            if row.field.path in self._edited:
                self._edited.discard(row.field.path)
                self.post_message(self.Entered(self, row.field, self.draft.value(row.field.path)))
        if self.screen.focused is event.input:  # else the person has gone on already
            self.action_move(1)

    @on(events.DescendantFocus)
    def _explain(self, event: events.DescendantFocus) -> None:
        self.visited = event.widget
        self._show_help()

    @on(events.DescendantBlur)
    def _explain_no_longer(self) -> None:
        self.call_after_refresh(self._show_help)

    @on(FormHelp.Described)
    def _suggest(self, event: FormHelp.Described) -> None:
        event.stop()
        self._show_help()
        self.refresh_bindings()

    async def _load(self) -> None:
        await self._sync()
        for section in self.sections:
            section.load()
        self._is_loading = False
        self.help_area.forget(self._file_base)
        self._show_help()

    def _sections(self, groups: Sequence[Group]) -> Iterator[Widget]:
        tables = parents(groups)
        for group in groups:
            if group.name in tables:
                yield title(tables[group.name])
            yield Section(group, self.draft)

    async def _complete(self) -> None:
        rest = self.draft.groups[len(self.sections) :]
        if rest:
            await self.fields.mount_all(self._sections(rest))

    async def _sync(self) -> None:
        await self._complete()
        groups = {group.name: group for group in self.draft.groups}
        with self.app.batch_update():
            for section in self.sections:
                await section.sync(groups[section.group.name], self.draft)

    async def _go_to_problem(self) -> None:
        await self._sync()
        first = next((row for row in self.rows if row.problem), None)
        if first is not None:
            first.control.focus()

    def _show_help(self) -> None:
        row = self._focused_row()
        if row is None:
            self.help_area.explain_marks()
            return
        section = next(node for node in row.ancestors if isinstance(node, Section))
        n_inputs = self._n_inputs() if row.field.path == _SUGGESTED else None
        self.help_area.explain(row.field, section.group, "" if n_inputs is None else suggestion_text(n_inputs))

    def _n_inputs(self) -> int | None:
        return self.help_area.n_inputs(self.draft.data)

    def _focused_row(self) -> FieldRow | None:
        focused = self.screen.focused
        return None if focused is None else self._row_of(focused)

    def _row_of(self, widget: Widget) -> FieldRow | None:
        mine = (node for node in widget.ancestors_with_self if isinstance(node, FieldRow) and self in node.ancestors)
        return next(mine, None)
