"""The decision boundary: which class the network sees where in the plane, and the training examples over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip

from tui.cell_grid import SHADES, CellGrid, Palette, is_drawable
from tui.picture import Picture
from tui.wording import number

if TYPE_CHECKING:
    from rich.style import Style
    from textual.color import Color

    from trainer.picture_file import Boundary, Pictures
    from tui.chart_axes import Axes

POINTS = "●○▲△■□◆◇"
"""What the examples of each class are drawn as, so that classes differ without colour too."""

_TEXTURES = " ░▒▓·:-="
"""Ground of each class without colour."""

_STEPS = 4
"""Degrees of confidence that are told apart; few, so that a live picture changes where the boundary moves."""

_FAINTEST, _STRONGEST = 0.06, 0.34
_RAMP = 12
_CELLS_A_POINT = 8
"""Cells of ground for each point that is shown; with more of them the ground could not be seen."""


class BoundaryPanel(Picture):
    """The plane of two features in the colours of the classes, stronger where the network is surer."""

    BORDER_TITLE = "decision boundary"

    def applies(self, pictures: Pictures) -> bool:  # noqa: D102
        return pictures.boundary is not None

    def draw(self, pictures: Pictures, width: int, height: int, palette: Palette) -> list[Strip]:  # noqa: D102
        from tui.chart_ticks import Range
        from tui.plane import plane_axes, with_axes

        boundary = pictures.boundary
        assert boundary is not None
        heading = height >= 6
        rows = height - heading
        axes = plane_axes(width, rows, Range(*boundary.x), Range(*boundary.y))
        inside = CellGrid(axes.width, axes.height, palette.style())
        ground = _Ground(boundary, max(2, len(pictures.target_names)), inside, palette)
        for y in range(inside.height):
            for x in range(inside.width):
                inside.fill(x, y, *ground.cell(x, y))
        _draw_points(boundary, axes, inside, ground, palette)
        below = with_axes(inside.strips(), axes, width, rows, palette)
        return [_heading(pictures, boundary, width, palette), *below] if heading else below


class _Ground:
    """What each cell of the plane is filled with; two points of the plane lie in one, above each other.

    A point has a code, which stands for its class and how sure the network is of it, or for the degree of its value.
    """

    def __init__(self, boundary: Boundary, n_classes: int, inside: CellGrid, palette: Palette) -> None:
        self._palette = palette
        self._classifies = bool(boundary.classes)
        if boundary.classes:
            steps = [_confidence(percent, n_classes) for percent in range(101)]
            pairs = zip(boundary.classes, boundary.percents, strict=True)
            self._codes = [index * _STEPS + steps[percent] for index, percent in pairs]
        else:
            self._low, self._span = _value_range(boundary)
            self._codes = [self.step(value) for value in boundary.values]
        self._columns = [x * boundary.columns // inside.width for x in range(inside.width)]
        self._starts = [
            (boundary.rows - 1 - half * boundary.rows // (2 * inside.height)) * boundary.columns
            for half in range(2 * inside.height)
        ]
        self._colours: dict[int, Color] = {}
        self._cells: dict[tuple[int, int], tuple[str, Style]] = {}

    def step(self, value: float) -> int:
        """Return the degree of a value, of `_RAMP`."""
        if not is_drawable(value):
            return 0
        return max(0, min(_RAMP - 1, int((value - self._low) / self._span * _RAMP)))

    def colour(self, x: int, half: int) -> Color:
        """Return the colour of a half cell, counted from the top."""
        return self._colour_of(self._codes[self._starts[half] + self._columns[x]])

    def cell(self, x: int, y: int) -> tuple[str, Style]:
        """Return what shows a cell."""
        column = self._columns[x]
        codes = self._codes[self._starts[2 * y] + column], self._codes[self._starts[2 * y + 1] + column]
        if codes not in self._cells:
            self._cells[codes] = self._cell_of(*codes)
        return self._cells[codes]

    def _cell_of(self, upper: int, lower: int) -> tuple[str, Style]:
        palette = self._palette
        if not palette.in_colour:
            return self._texture_of(lower), palette.style(palette.muted)
        above, below = self._colour_of(upper), self._colour_of(lower)
        return (" ", palette.style(on=above)) if above == below else ("▀", palette.style(above, below))

    def _texture_of(self, code: int) -> str:
        if self._classifies:
            return _TEXTURES[code // _STEPS % len(_TEXTURES)]
        return SHADES[round(code / (_RAMP - 1) * (len(SHADES) - 1))]

    def _colour_of(self, code: int) -> Color:
        if code not in self._colours:
            self._colours[code] = self._mixed(code)
        return self._colours[code]

    def _mixed(self, code: int) -> Color:
        palette = self._palette
        if not self._classifies:
            return ramp(code, palette)
        index, step = divmod(code, _STEPS)
        return palette.tint(palette.of_class(index), _FAINTEST + (_STRONGEST - _FAINTEST) * step / (_STEPS - 1))


def ramp(step: int, palette: Palette) -> Color:
    """Return the colour of a degree of a value: from the first class's to the second's."""
    return palette.tint(palette.of_class(0).blend(palette.of_class(1), step / (_RAMP - 1)), _STRONGEST)


def _confidence(percent: int, n_classes: int) -> int:
    """Return the degree of confidence, of `_STEPS`: 0 where the probability is that of a guess."""
    guess = 100 / n_classes
    return max(0, min(_STEPS - 1, int((percent - guess) / (100 - guess) * _STEPS)))


def _value_range(boundary: Boundary) -> tuple[float, float]:
    """Return the least value and the span that colours are spread over: those of the examples, if there are any."""
    values = [value for value in boundary.point_targets or boundary.values if is_drawable(value)] or [0.0]
    return min(values), (max(values) - min(values)) or 1.0


def _draw_points(boundary: Boundary, axes: Axes, inside: CellGrid, ground: _Ground, palette: Palette) -> None:
    from tui.chart_canvas import cell_of

    points = list(zip(boundary.point_x, boundary.point_y, boundary.point_targets, strict=True))
    for x, y, target in points[: inside.width * inside.height // _CELLS_A_POINT]:
        if not (axes.x.low <= x <= axes.x.high and axes.y.low <= y <= axes.y.high):
            continue
        column = cell_of(x, axes.x, inside.width)
        row = inside.height - 1 - cell_of(y, axes.y, inside.height)
        on = ground.colour(column, 2 * row)
        if boundary.classes:
            index = int(target) if is_drawable(target) else 0
            inside.put(column, row, POINTS[index % len(POINTS)], palette.style(palette.of_class(index), on, bold=True))
        else:
            colour = palette.of_class(0).blend(palette.of_class(1), ground.step(target) / (_RAMP - 1))
            inside.put(column, row, "●", palette.style(colour, on, bold=True))


def _heading(pictures: Pictures, boundary: Boundary, width: int, palette: Palette) -> Strip:
    """Name the axes and the classes."""
    grid = CellGrid(width, 1, palette.style())
    names = f"↑ {boundary.names[1]}  → {boundary.names[0]}"
    grid.put(0, 0, names, palette.style(palette.muted))
    x = cell_len(names) + 3
    if boundary.classes:
        _draw_classes(pictures, boundary, grid, x, palette)
    else:
        _draw_ramp(pictures, boundary, grid, x, palette)
    return grid.strips()[0]


def _draw_classes(pictures: Pictures, boundary: Boundary, grid: CellGrid, x: int, palette: Palette) -> None:
    for index in range(len(pictures.target_names) or max(boundary.classes) + 1):
        if x >= grid.width:
            break
        grid.put(x, 0, POINTS[index % len(POINTS)], palette.style(palette.of_class(index), bold=True))
        grid.put(x + 2, 0, pictures.target(index), palette.style())
        x += cell_len(pictures.target(index)) + 4


def _draw_ramp(pictures: Pictures, boundary: Boundary, grid: CellGrid, x: int, palette: Palette) -> None:
    low, span = _value_range(boundary)
    least, most = number(low), number(low + span)
    grid.put(x, 0, least, palette.style())
    for step in range(_RAMP):
        grid.put(x + len(least) + 1 + step, 0, " ", palette.style(on=ramp(step, palette)))
    grid.put(x + len(least) + _RAMP + 2, 0, f"{most} {pictures.target(0)}", palette.style())
