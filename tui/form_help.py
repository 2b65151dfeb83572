"""The lines below the form: what the field in focus is, and what may be written in it."""

from dataclasses import dataclass
from pathlib import Path

from textual import events, on, work
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from trainer.data import Data
from trainer.problems import ConfigError
from trainer.schema import Group, Hyperparameter
from tui.form_fields import facts, rule_of_thumb

_WIDE = 60
_LEGEND = Content.styled("● differs from the preset   ~ may change while training", "$foreground 60%")


class FormHelp(Static):
    """Explains a field; with none, the marks. Knows how many inputs the data have, once it was asked."""

    @dataclass
    class Described(Message):
        """The data were looked at; `n_inputs` is None where they cannot be read."""

        data: Data
        n_inputs: int | None

    def __init__(self, file_base: Path | None, *, id: str | None = None) -> None:  # noqa: A002
        """Begin with the marks; a relative path of the data starts from `file_base`."""
        super().__init__(_LEGEND, id=id)
        self._file_base = file_base
        self._described: tuple[Data, int | None] | None = None

    def forget(self, file_base: Path | None) -> None:
        """Look at the data again when next asked."""
        self._file_base = file_base
        self._described = None

    def n_inputs(self, data: Data | None) -> int | None:
        """Return the number of inputs if the data are known; if not, look at them and post `Described` later."""
        if data is None:
            return None
        if self._described is None or self._described[0] != data:
            self._described = (data, None)
            self._describe(data, self._file_base)
        return self._described[1]

    def explain(self, field: Hyperparameter, group: Group, suggestion: str = "") -> None:
        """Show what a field of a section is, with its bounds, default and, where it fits, source."""
        outer, _, _ = group.name.rpartition(".")
        name = field.path.removeprefix(f"{outer}.")
        lines = [Content.assemble((f"{name}  ", "bold"), field.help), Content.styled(suggestion, "$text-success")]
        whole, short = (
            Content("\n").join(line for line in (*lines, Content.styled(words, "$foreground 60%")) if line)
            for words in (facts(field), facts(field, with_source=False))
        )
        self._tell(whole if self._fits(whole) else short)

    def explain_marks(self) -> None:
        """Show what the marks in the form mean."""
        self._tell(_LEGEND)

    def _fits(self, words: Content) -> bool:
        width, height = self.content_size
        return width > 0 and len(words.wrap(width)) <= height

    def _tell(self, words: Content) -> None:
        # No new layout: the height is given, and to lay the screen out takes longer than all else that a key does.
        if words != self.content:
            self.update(words, layout=False)

    def on_resize(self, event: events.Resize) -> None:
        """Take fewer rows where there are more columns."""
        self.set_class(event.size.width >= _WIDE, "-wide")

    @on(Described)
    def _remember(self, event: Described) -> None:
        if self._described is not None and self._described[0] == event.data:
            self._described = (event.data, event.n_inputs)

    @work(thread=True, group="describe", exclusive=True, exit_on_error=False)
    def _describe(self, data: Data, file_base: Path | None) -> None:
        """Count the inputs, off the event loop: a file may be large."""
        try:
            from trainer.data.loading import describe

            n_inputs = describe(data, file_base).n_features
        except ConfigError:
            n_inputs = None
        self.post_message(self.Described(data, n_inputs))


def suggestion_text(n_inputs: int) -> str:
    """Return the suggested width of a layer and where it comes from."""
    rule = f"smallest power of two >= 2 x {n_inputs} inputs"
    return f"suggestion: {rule_of_thumb(n_inputs)} ({rule}); ctrl+g takes it"
