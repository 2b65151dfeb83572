"""The page of examples: what the model makes of them, as the trainer last looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import getters
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tui.boundary_panel import BoundaryPanel
from tui.confusion_panel import ConfusionPanel
from tui.lines import Lines
from tui.page import Page
from tui.panels import LivePanel, of_group
from tui.passages_panel import PassagesPanel
from tui.picture import Picture
from tui.picture_words import headline
from tui.scatter_panel import ScatterPanel
from tui.worst_panel import WorstPanel

if TYPE_CHECKING:
    from trainer.picture_file import Pictures
    from tui.followed import Followed
    from tui.panels import View

_WAITING = "the first look at the model comes half a second after the training has begun"
_NONE = "no look at the model was taken of this run"


class ExamplesPage(Page):
    """Confusion, worst examples, predicted against true, decision boundary, passages: those that the data have."""

    TITLE = "examples"
    HELP = "Confusion matrix, worst examples, predicted against true, decision boundary, what it writes"

    head = getters.query_one("#examples-head", Lines)
    body = getters.query_one("#examples-body", Horizontal)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._applying: tuple[Picture, ...] | None = None

    def compose(self) -> ComposeResult:
        """Lay out what lies in a plane, or is written, beside the classes and the worst examples."""
        yield Lines(id="examples-head")
        with Horizontal(id="examples-body"):
            with Vertical(id="examples-planes"):
                yield BoundaryPanel(classes="panel picture")
                yield ScatterPanel(classes="panel picture")
                yield PassagesPanel(classes="panel picture")
            with Vertical(id="examples-lists"):
                yield ConfusionPanel(classes="panel picture")
                yield WorstPanel(classes="panel picture")

    @property
    def panels(self) -> list[LivePanel]:
        """Return the page, which reads the file, and then what it shows."""
        return [self, *self.query(Picture)]

    @property
    def cells_painted(self) -> int:
        """Return the cells painted of the line above the pictures."""
        return self.head.cells_painted

    def show_run(self, followed: Followed, view: View) -> None:  # noqa: ARG002
        """Read what there is to see, and make room for it."""
        source = followed.pictures
        source.refresh()
        self._arrange(source.seen)
        if source.seen is not None:
            line = Content(headline(source.seen) + of_group(followed.run))
        else:
            waits = _NONE if followed.run.ended else _WAITING
            line = (
                Content.styled(f"! {source.problem}", "$text-warning")
                if source.problem
                else Content.styled(waits, "dim")
            )
        self.head.show_lines([line])

    def choose_chart(self, index: int) -> None:
        """Show one of the pictures, counted round, where there is room for one only."""
        self.chart = index
        self._choose()

    def on_resize(self) -> None:
        """Put the pictures beside or above each other, and say how to get to the others where one is seen."""
        self._choose()

    def _arrange(self, pictures: Pictures | None) -> None:
        found = tuple(panel for panel in self.query(Picture) if pictures is not None and panel.applies(pictures))
        if found == self._applying:
            return
        self._applying = found
        for panel in self.query(Picture):
            panel.set_class(panel not in found, "-without")
        self._choose()

    def _choose(self) -> None:
        self.lay_out_columns(self.body, self._applying or ())
