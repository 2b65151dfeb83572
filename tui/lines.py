"""A few lines of text of which only what changed is painted again."""

from collections.abc import Sequence
from typing import Any

from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.visual import Visual

from tui.repaint import Painted


class Lines(Painted):
    """Shows lines, a row each; those that are too long end in an ellipsis."""

    DEFAULT_CSS = """
    Lines { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lines: list[Content] = []

    def show_lines(self, lines: Sequence[Content]) -> None:
        """Show exactly these lines."""
        count, self._lines = len(self._lines), list(lines)
        if len(self._lines) != count:
            self._strips = self._drawn()
            self.refresh(layout=True)
        else:
            self.redraw()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the number of lines."""
        return len(self._lines)

    def on_resize(self) -> None:
        """Fit the lines to the width."""
        self._strips = self._drawn()
        self.refresh()

    def redraw(self) -> None:
        """Draw the lines in the colours of now."""
        self.paint(self._drawn())

    def _drawn(self) -> list[Strip]:
        width = self.size.width
        if not width:
            return []
        strips = (Visual.to_strips(self, line, width, 1, self.visual_style) for line in self._lines)
        return [strip[0].adjust_cell_length(width, self.rich_style) for strip in strips]
