"""Pictures as widgets, such as those of the model at work: theme colours in, changed cells out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual.geometry import Region
from textual.strip import Strip

from tui.cell_grid import Palette
from tui.repaint import Painted

if TYPE_CHECKING:
    from trainer.picture_file import Pictures
    from tui.followed import Followed
    from tui.panels import View

_ROLES = ("text", "muted", "right", "wrong", "accent")
_N_CLASSES = 8
_JUMP_BYTES, _COLOUR_BYTES, _CELL_BYTES = 8, 42, 2
_BYTES_FOR_A_CELL = 40
"""Bytes over the wire that count as one cell painted; twice as many as a cell of a curve takes, since pictures are few
and change as a whole: with them a live page comes to about 6 KiB a second."""


class Drawn(Painted):
    """What is drawn cell by cell. `drawn` says how; cells count as painted by the bytes that they take."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"picture--{role}" for role in _ROLES),
        *(f"picture--class-{index}" for index in range(_N_CLASSES)),
    }

    DEFAULT_CSS = """
    Drawn {
        & > .picture--text { color: $foreground; }
        & > .picture--muted { color: $foreground 55%; }
        & > .picture--right { color: $text-success; }
        & > .picture--wrong { color: $text-error; }
        & > .picture--accent { color: $text-primary; }
        & > .picture--class-0 { color: $text-primary; }
        & > .picture--class-1 { color: $text-warning; }
        & > .picture--class-2 { color: $text-success; }
        & > .picture--class-3 { color: $text-error; }
        & > .picture--class-4 { color: $text-secondary; }
        & > .picture--class-5 { color: $foreground; }
        & > .picture--class-6 { color: $text-accent; }
        & > .picture--class-7 { color: $foreground 50%; }
    }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._palette: Palette | None = None

    def drawn(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """Return the picture, exactly so many cells wide and high."""
        raise NotImplementedError

    def notify_style_update(self) -> None:
        """Draw again in the colours of a changed theme."""
        self._palette = None
        super().notify_style_update()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def redraw(self) -> None:
        """Draw for the size and the colours of now."""
        width, height = self.size
        if not width or not height or not self.is_attached:
            return
        self._palette = self._palette or self._colours()
        self.paint(self.drawn(width, height, self._palette))

    def worth(self, region: Region) -> int:
        """Return how many cells a change in a row counts as: here nearly every cell may have two colours of its own."""
        # Textual sends a row from the left edge of its widget to where the change ends.
        runs = sum(1 for _ in self._strips[region.y].crop(0, region.right))
        return round((_JUMP_BYTES + _COLOUR_BYTES * runs + _CELL_BYTES * region.right) / _BYTES_FOR_A_CELL)

    def _colours(self) -> Palette:
        background = self.background_colors[1]
        names: Sequence[str] = (*_ROLES, *(f"class-{index}" for index in range(_N_CLASSES)))
        colours = [background + self.get_component_styles(f"picture--{name}").color for name in names]
        text, muted, right, wrong, accent, *classes = colours
        in_colour = not self.app.no_color and background.ansi is None
        return Palette(background, text, muted, right, wrong, accent, tuple(classes), in_colour)


class Picture(Drawn):
    """What a run's `pictures.json` says about one thing. `draw` says how."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pictures: Pictures | None = None

    def applies(self, pictures: Pictures) -> bool:
        """Return whether there is anything to show for such data."""
        raise NotImplementedError

    def draw(self, pictures: Pictures, width: int, height: int, palette: Palette) -> list[Strip]:
        """Return the picture, exactly so many cells wide and high."""
        raise NotImplementedError

    def show_run(self, followed: Followed, view: View) -> None:  # noqa: ARG002
        """Show what was last read of the run's pictures."""
        self._pictures = followed.pictures.seen
        self.redraw()

    def drawn(self, width: int, height: int, palette: Palette) -> list[Strip]:
        """Return the picture, blank where there is nothing to show."""
        if self._pictures is None or not self.applies(self._pictures):
            return [Strip.blank(width, palette.style())] * height
        return self.draw(self._pictures, width, height, palette)
