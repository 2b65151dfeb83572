"""A list of any number of lines, of which only those that are seen are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual


class LineList(ScrollView, can_focus=True):
    """Shows lines, a row each, which scroll both ways; the first one, the heads of a table, stays at the top."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    LineList { background: $background; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lines: list[Content] = []
        self._width = 0

    def show_lines(self, lines: Sequence[Content]) -> None:
        """Show exactly these lines, from the first on."""
        self._lines = list(lines)
        self._width = max((line.cell_length for line in lines), default=0)
        self.virtual_size = Size(self._width, len(self._lines))
        self.scroll_to(0, 0, animate=False)
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Return the number of lines, and one more for the bar of those that are too wide."""
        return len(self._lines) + (self._width > width)

    def action_page_down(self) -> None:
        """Go on by what is seen; the heads hide a line."""
        self.scroll_relative(y=self.size.height - 1, animate=False)

    def action_page_up(self) -> None:
        """Go back likewise."""
        self.scroll_relative(y=1 - self.size.height, animate=False)

    def render_line(self, y: int) -> Strip:
        """Return row `y` of what is seen."""
        left, top = self.scroll_offset
        place, width = (top + y if y else 0), self.size.width
        if place >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        (strip,) = Visual.to_strips(self, self._lines[place], max(self._width, width), 1, self.visual_style)
        return strip.crop_extend(left, left + width, self.rich_style)
