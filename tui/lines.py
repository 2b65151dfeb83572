"""A few lines of text of which only what changed is painted again."""

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from tui.repaint import changed_regions


class Lines(Widget):
    """Shows lines, a row each; those that are too long end in an ellipsis.

    Attributes:
        cells_painted: cells that were painted again, as of a `Chart`.
    """

    DEFAULT_CSS = """
    Lines { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: list[Content] = []
        self._strips: list[Strip] = []
        self.cells_painted = 0

    def show_lines(self, lines: Sequence[Content]) -> None:
        """Show exactly these lines."""
        count, self._lines = len(self._lines), list(lines)
        if len(self._lines) != count:
            self._strips = self._drawn()
            self.refresh(layout=True)
        else:
            self._redraw()

    def render_line(self, y: int) -> Strip:
        """Return row `y`, blank below the last line."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the number of lines."""
        return len(self._lines)

    def notify_style_update(self) -> None:
        """Draw again in the colours of a changed theme."""
        super().notify_style_update()
        self.call_next(self._redraw)

    def on_resize(self) -> None:
        """Fit the lines to the width."""
        self._strips = self._drawn()
        self.refresh()

    def _redraw(self) -> None:
        old, self._strips = self._strips, self._drawn()
        if regions := changed_regions(old, self._strips):
            self.cells_painted += sum(region.area for region in regions)
            self.refresh(*regions)

    def _drawn(self) -> list[Strip]:
        width = self.size.width
        if not width:
            return []
        strips = (Visual.to_strips(self, line, width, 1, self.visual_style) for line in self._lines)
        return [strip[0].adjust_cell_length(width, self.rich_style) for strip in strips]
