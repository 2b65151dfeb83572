"""Predicted against true: each example a dot, perfect ones on the diagonal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip

from tui.cell_grid import CellGrid, Palette, fitted, is_drawable
from tui.picture import Picture

if TYPE_CHECKING:
    from trainer.picture_file import Pictures, Scatter
    from tui.chart_axes import Axes
    from tui.chart_ticks import Range

_LEAST_WIDTH = 36
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Dots of a braille character, from the upper left on."""

_BRAILLE = 0x2800
_ROOMY = 12
"""Cells for each example from which on a whole cell shows one; a dot of braille is hard to see alone."""


class ScatterPanel(Picture):
    """Predicted over true values, an output beside the other as far as there is room."""

    BORDER_TITLE = "predicted against true"

    def applies(self, pictures: Pictures) -> bool:  # noqa: D102
        return bool(pictures.scatter)

    def draw(self, pictures: Pictures, width: int, height: int, palette: Palette) -> list[Strip]:  # noqa: D102
        count = max(1, min(len(pictures.scatter), width // _LEAST_WIDTH))
        share = width // count
        widths = [share] * (count - 1) + [width - share * (count - 1)]
        drawn = [_draw(pictures, output, each, height, palette) for output, each in enumerate(widths)]
        return [Strip.join(rows) for rows in zip(*drawn, strict=True)]


def _draw(pictures: Pictures, output: int, width: int, height: int, palette: Palette) -> list[Strip]:
    from tui.plane import plane_axes, with_axes

    scatter, name = pictures.scatter[output], pictures.target(output)
    limits = _limits(scatter)
    heading = height >= 6
    rows = height - heading
    if limits is None:
        return _notice("no value is a number that can be drawn", width, height, palette)
    axes = plane_axes(width, rows, limits, limits)
    inside = CellGrid(axes.width, axes.height, palette.style())
    _draw_dots(scatter, axes, inside, palette)
    _draw_worst(pictures, output, axes, inside, palette)
    below = with_axes(inside.strips(), axes, width, rows, palette)
    return [_heading(name, width, palette), *below] if heading else below


def _limits(scatter: Scatter) -> Range | None:
    from tui.chart_ticks import y_range

    values = [value for value in (*scatter.true, *scatter.predicted) if is_drawable(value)]
    return y_range(min(values), max(values)) if values else None


def _heading(name: str, width: int, palette: Palette) -> Strip:
    grid = CellGrid(width, 1, palette.style())
    grid.put(0, 0, f"↑ predicted  → true {name}", palette.style(palette.muted))
    x = cell_len(name) + 22
    for glyph, word, colour in (("×", "worst", palette.wrong), ("╱", "perfect", palette.muted)):
        grid.put(x, 0, glyph, palette.style(colour))
        grid.put(x + 2, 0, word, palette.style())
        x += len(word) + 4
    return grid.strips()[0]


def _draw_dots(scatter: Scatter, axes: Axes, inside: CellGrid, palette: Palette) -> None:
    """Draw the diagonal, and the examples over it."""
    columns, rows = 2 * inside.width, 4 * inside.height
    perfect = [((x + 0.5) / columns, (x + 0.5) / columns) for x in range(columns)]
    pairs = zip(scatter.true, scatter.predicted, strict=True)
    low, span = axes.x.low, axes.x.high - axes.x.low
    examples = [((x - low) / span, (y - low) / span) for x, y in pairs if is_drawable(x) and is_drawable(y)]
    below, above = _braille(perfect, columns, rows), _braille(examples, columns, rows)
    are_few = len(examples) * _ROOMY <= inside.width * inside.height
    for cell in below.keys() | above.keys():
        glyph = "•" if are_few and cell in above else chr(_BRAILLE + (below.get(cell, 0) | above.get(cell, 0)))
        inside.put(*cell, glyph, palette.style(palette.accent if cell in above else palette.muted))


def _braille(places: Iterable[tuple[float, float]], columns: int, rows: int) -> dict[tuple[int, int], int]:
    """Return the dots of each cell, for places given as shares of width and height from the lower left."""
    found: dict[tuple[int, int], int] = {}
    for across, up in places:
        x, y = min(int(across * columns), columns - 1), min(int((1 - up) * rows), rows - 1)
        cell = x // 2, y // 4
        found[cell] = found.get(cell, 0) | _BITS[y % 4][x % 2]
    return found


def _draw_worst(pictures: Pictures, output: int, axes: Axes, inside: CellGrid, palette: Palette) -> None:
    from tui.chart_canvas import cell_of

    for example in pictures.worst:
        if isinstance(example.true, list) and isinstance(example.predicted, list):
            sides = [side[output] for side in (example.true, example.predicted) if output < len(side)]
            if len(sides) == 2 and all(axes.x.low <= side <= axes.x.high for side in sides):
                x, y = cell_of(sides[0], axes.x, inside.width), cell_of(sides[1], axes.y, inside.height)
                inside.put(x, inside.height - 1 - y, "×", palette.style(palette.wrong, bold=True))


def _notice(text: str, width: int, height: int, palette: Palette) -> list[Strip]:
    grid = CellGrid(width, height, palette.style())
    grid.put(0, (height - 1) // 2, fitted(text, width, "^"), palette.style(palette.muted))
    return grid.strips()
