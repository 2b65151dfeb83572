"""A section of the form: the fields that its kind and its switch let be seen."""

from collections.abc import Iterable, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from trainer.schema import Group, Hyperparameter
from tui.form_controls import Fold
from tui.form_draft import Draft
from tui.form_fields import widget_id
from tui.form_row import FieldRow, row_key

_FOLD = ("fold",)


class Section(Vertical):
    """The fields of one table of the config.

    The first row is the heading where it chooses the kind or switches the section on. Fields behind the fold, and
    those of a section that is off, are not mounted, except one that has a problem, which must never be out of sight.
    """

    def __init__(self, group: Group, draft: Draft) -> None:
        """Make the section of a group, its fold closed."""
        super().__init__(name=group.name)
        self.group = group
        self.is_open = False
        self._draft = draft

    @property
    def rows(self) -> list[FieldRow]:
        """Return the rows that are mounted, from top to bottom."""
        return [child for child in self.children if isinstance(child, FieldRow)]

    def compose(self) -> ComposeResult:
        """Make title, rows and fold."""
        if _heading(self.group) is None:
            yield title(self.group.name, self.group.help)
        for part in self._wanted().values():
            yield self._make(part)

    def on_mount(self) -> None:
        """Show marks."""
        self._show()

    async def sync(self, group: Group, draft: Draft) -> None:
        """Show other fields, keeping the rows that stay: whoever types in one of them notices nothing."""
        self.group, self._draft = group, draft
        wanted = self._wanted()
        kept = {_key(child): child for child in self.children if _key(child) in wanted}
        gone = [child for child in self.children if _key(child) and _key(child) not in wanted]
        if gone:
            await self.remove_children(gone)
        previous: Widget | None = None
        mounting = []
        for key, part in wanted.items():
            widget = kept.get(key)
            if widget is None:
                widget = self._make(part)
                mounting.append(self.mount(widget, after=previous))
            previous = widget
        for mounted in mounting:
            await mounted
        self._show()

    def load(self) -> None:
        """Put the values of the draft into the rows."""
        for row in self.rows:
            row.load(self._draft.value(row.field.path))

    def _wanted(self) -> dict[tuple[Any, ...], Hyperparameter | None]:
        """Return what is to be seen below the title, in order; None is the fold."""
        heading, problems = _heading(self.group), self._draft.problems
        is_on = heading is None or heading.name != "enabled" or bool(self._draft.value(heading.path))
        seen = [
            field
            for field in self.group.fields
            if field is heading or field.path in problems or (is_on and (self.is_open or not field.advanced))
        ]
        parts: dict[tuple[Any, ...], Hyperparameter | None] = {row_key(f): f for f in seen if not f.advanced}
        if is_on and _advanced(self.group):
            parts[_FOLD] = None
        return {**parts, **{row_key(field): field for field in seen if field.advanced}}

    def _make(self, field: Hyperparameter | None) -> Widget:
        if field is None:
            return Fold(id=widget_id(f"{self.group.name}.advanced"))
        heads = self.group.name.rpartition(".")[2] if field is _heading(self.group) else ""
        return FieldRow(field, self._draft.value(field.path), self._draft.unread(field.path), heads=heads)

    def _show(self) -> None:
        problems = self._draft.problems
        fields = {field.path: field for field in self.group.fields}
        for row in self.rows:
            field = fields[row.field.path]
            problem = problems.get(field.path, "")
            if not problem and field is self.group.fields[0]:
                problem = problems.get(self.group.name, "")
            row.show(field, problem, self._draft.is_changed(field))
        advanced = _advanced(self.group)
        for child in self.children:
            if isinstance(child, Fold):
                child.show(len(advanced), sum(map(self._draft.is_changed, advanced)), self.is_open)


def title(name: str, help: str = "") -> Static:  # noqa: A002
    """Return the heading of a section that has no field to be it."""
    return Static(Content.assemble(" ", (name, "bold $text-accent"), "  ", (help, "$foreground 60%")), classes="title")


def _heading(group: Group) -> Hyperparameter | None:
    first = group.fields[0]
    return first if first.selects or first.name == "enabled" else None


def _advanced(group: Group) -> Sequence[Hyperparameter]:
    return [field for field in group.fields if field.advanced]


def _key(child: Widget) -> tuple[Any, ...]:
    return child.key if isinstance(child, FieldRow) else _FOLD if isinstance(child, Fold) else ()


def parents(groups: Iterable[Group]) -> dict[str, str]:
    """Return, by the first group of each table of tables, the name of that table: it gets a title of its own."""
    first: dict[str, str] = {}
    for group in groups:
        parent = group.name.rpartition(".")[0]
        if parent and parent not in first.values():
            first[group.name] = parent
    return first
