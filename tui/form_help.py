"""The lines below the form: what the field in focus is, and what may be written in it."""

from textual import events
from textual.content import Content
from textual.widgets import Static

from trainer.schema import Group, Hyperparameter
from tui.form_fields import facts, rule_of_thumb

_WIDE = 60
_LEGEND = Content.styled("● differs from the preset   ~ may change while training", "$foreground 60%")


class FormHelp(Static):
    """Explains a field; with none, the marks."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        """Begin with the marks."""
        super().__init__(_LEGEND, id=id)

    def explain(self, field: Hyperparameter, group: Group, suggestion: str = "") -> None:
        """Show what a field of a section is, with its bounds, default and source."""
        name = ".".join(field.path.split(".")[-2:])
        told = group.help if field.selects else field.help
        lines = [
            Content.assemble((f"{name}  ", "bold"), told),
            Content.styled(suggestion, "$text-success"),
            Content.styled(facts(field), "$foreground 60%"),
        ]
        self.update(Content("\n").join(line for line in lines if line))

    def explain_marks(self) -> None:
        """Show what the marks in the form mean."""
        self.update(_LEGEND)

    def on_resize(self, event: events.Resize) -> None:
        """Take fewer rows where there are more columns."""
        self.set_class(event.size.width >= _WIDE, "-wide")


def suggestion_text(n_inputs: int) -> str:
    """Return the suggested width of a layer and where it comes from."""
    rule = f"smallest power of two >= 2 x {n_inputs} inputs"
    return f"suggestion: {rule_of_thumb(n_inputs)} ({rule}); ctrl+g takes it"
