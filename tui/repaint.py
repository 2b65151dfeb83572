"""Pictures of which only what changed is sent again: the cells that differ from the picture before, row by row.

Textual repaints whole widgets; over SSH, several times a second, that is most of the bytes of a dashboard.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Painted(Widget):
    """A picture in strips. `redraw` draws it and gives it to `paint`.

    Attributes:
        cells_painted: cells that were painted again since it was made, which is what a terminal is sent.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._strips: list[Strip] = []
        self.cells_painted = 0

    def redraw(self) -> None:
        """Draw the picture as it is now."""
        raise NotImplementedError

    def paint(self, strips: list[Strip]) -> None:
        """Show a picture, painting only what differs from the one before."""
        old, self._strips = self._strips, strips
        if regions := changed_regions(old, strips):
            self.cells_painted += sum(map(self.worth, regions))
            self.refresh(*regions)

    def worth(self, region: Region) -> int:
        """Return how many painted cells a part of a row counts as."""
        return region.area

    def render_line(self, y: int) -> Strip:
        """Return row `y` of the picture, blank outside it."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def notify_style_update(self) -> None:
        """Draw again in the colours of a changed theme."""
        super().notify_style_update()
        self.call_next(self.redraw)  # the component styles are set after this call


def changed_regions(old: Sequence[Strip], new: Sequence[Strip]) -> list[Region]:
    """Return the part of each row of `new` that differs from `old`; rows that `old` lacks count as different."""
    regions = []
    for row, strip in enumerate(new):
        if row >= len(old):
            regions.append(Region(0, row, strip.cell_length, 1))
        elif strip != old[row]:
            start, stop = _span(old[row], strip)
            regions.append(Region(start, row, stop - start, 1))
    return regions


def _span(old: Strip, new: Strip) -> tuple[int, int]:
    """Return the first cell that differs and the one after the last."""
    before, after = _cells(old), _cells(new)
    if len(before) != len(after) or len(after) != new.cell_length:
        return 0, new.cell_length  # wide or combining characters: cells and characters are not one to one
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=True)))
    pairs = zip(reversed(before), reversed(after), strict=True)
    same_behind = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return same, max(len(after) - same_behind, same + 1)


def _cells(strip: Strip) -> list[tuple[str, object]]:
    return [(character, segment.style) for segment in strip for character in segment.text]
