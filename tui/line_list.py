"""A list of any number of lines, of which only those that are seen are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual


class LineList(ScrollView, can_focus=True):
    """Shows lines, a row each, which scroll both ways; the heads and the first column of a table stay in place."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    LineList { background: $background; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._lines: list[Content] = []
        self._width = 0
        self._fixed = 0

    def show_lines(self, lines: Sequence[Content], fixed: int = 0) -> None:
        """Show exactly these lines, from the first on; of each so many cells stay at the left."""
        self._lines = list(lines)
        self._fixed = fixed
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
        right = left + width
        (strip,) = Visual.to_strips(self, self._lines[place], max(self._width, right), 1, self.visual_style)
        if not left:
            return _whole_words(strip, 0, right)
        fixed = min(self._fixed, width // 2)
        return Strip.join([_whole_words(strip, 0, fixed), _whole_words(strip, left + fixed, right)])


def _whole_words(strip: Strip, left: int, right: int) -> Strip:
    """Return the cells between two places, with "…" for a word that is cut there: of a number no part may be seen."""
    before, seen, after = (strip.crop(*ends) for ends in ((0, left), (left, right), (right, None)))
    words = seen.text.split(" ")
    first, last = (cell_len(words[place]) if len(words) > 1 else 1 for place in (0, -1))
    front = first if words[0] and before.text[-1:].strip() else 0
    end = last if words[-1] and after.text[:1].strip() else 0
    style = next((segment.style for segment in seen), None)
    marks = (Strip([Segment("…".ljust(count), style)] if count else []) for count in (front, end))
    return Strip.join([next(marks), seen.crop(front, right - left - end), next(marks)])
