"""The panels of the looks inside: curves of each layer, and a table of how all of them stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual.content import Content

from trainer.text import clipped
from tui.chart_frame import N_RUN_ROLES, Series
from tui.lines import Lines
from tui.panels import Panel, View, of_group

if TYPE_CHECKING:
    from trainer.events import Distribution, Layer
    from trainer.run import Run
    from tui.followed import Followed

_LEVELS = " ▁▂▃▄▅▆▇█"
_NAME_WIDTH = 10
_UNKNOWN = "–"


class _LayerChart(Panel):
    """One number of each layer over the looks inside, always on a logarithmic axis: layers differ by magnitudes."""

    NUMBER: ClassVar[str]

    def log_y(self, view: View) -> bool:  # noqa: ARG002
        return True

    def empty(self, run: Run) -> str:
        return _nothing(run)

    def curves(self, run: Run, view: View) -> list[Series]:
        names = _some([layer for layer, name in run.insides if name == self.NUMBER])
        shown = [(layer, run.insides[layer, self.NUMBER]) for layer in names]
        return [
            Series(layer, series.x(view.axis), series.y, role=f"run-{place}")
            for place, (layer, series) in enumerate(shown)
        ]


class GradientPanel(_LayerChart):
    """How much of the loss reaches each layer."""

    BORDER_TITLE = "gradient norm"
    NUMBER = "gradient_norm"


class StepPanel(_LayerChart):
    """How far a step moves each layer, in proportion to its weights; a thousandth is usual."""

    BORDER_TITLE = "step / weights"
    NUMBER = "update_ratio"


class _Column(NamedTuple):
    """A column of the table.

    Attributes:
        head: its name.
        width: cells.
        cell: what it shows of a layer.
        needed: lowest width of the table at which it is shown.
    """

    head: str
    width: int
    cell: Callable[[Layer], Content]
    needed: int


class LayerTable(Lines):
    """How every layer stood at the last look: a row each."""

    BORDER_TITLE = "layers"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._layers: Mapping[str, Layer] = {}
        self._words = ""

    def show_run(self, followed: Followed, view: View) -> None:  # noqa: ARG002
        """Show the last look inside."""
        inside = followed.run.inside
        after = "" if inside is None else f" · last look after epoch {inside.epoch + 1}"
        title = f"layers{after}{of_group(followed.run)}"
        if title != self.border_title:
            self.border_title = title
        self._layers = {} if inside is None else inside.layers
        self._words = _nothing(followed.run)
        self._show_table()

    def on_resize(self) -> None:
        """Show as many columns as fit."""
        super().on_resize()
        self._show_table()

    def _show_table(self) -> None:
        columns = [column for column in _COLUMNS if column.needed <= self.size.width]
        if not self._layers:
            self.show_lines([Content.styled(self._words, "dim")])
            return
        head = "  ".join(["layer".ljust(_NAME_WIDTH), *(column.head.rjust(column.width) for column in columns)])
        rows = [_row(name, layer, columns) for name, layer in self._layers.items()]
        self.show_lines([Content.styled(head, "dim"), *rows])


def _row(name: str, layer: Layer, columns: list[_Column]) -> Content:
    cells = [Content(clipped(name, _NAME_WIDTH).ljust(_NAME_WIDTH))]
    for column in columns:
        cell = column.cell(layer)
        cells.append(Content.assemble(" " * max(0, column.width - cell.cell_length), cell))
    return Content("  ").join(cells)


def _some(names: list[str]) -> list[str]:
    """Return so many of the layers as curves can be told apart, evenly, the first and the last among them."""
    if len(names) <= N_RUN_ROLES:
        return names
    return [names[round(place * (len(names) - 1) / (N_RUN_ROLES - 1))] for place in range(N_RUN_ROLES)]


def _nothing(run: Run) -> str:
    if run.config is not None and not run.config.training.diagnostics:
        return "training.diagnostics is off"
    return "no epoch was looked into" if run.ended else "waiting for the first epoch"


def _warned(text: str, *, is_odd: bool) -> Content:
    return Content.styled(f"! {text}", "bold $text-warning") if is_odd else Content(text)


def _spark(distribution: Distribution | None) -> Content:
    """Return how values are distributed as bars, the highest bin a whole cell; any count shows."""
    if distribution is None:
        return Content.styled("not finite", "bold $text-error")
    most = max(distribution.counts) or 1
    bars = (_LEVELS[-(-count * (len(_LEVELS) - 1) // most)] for count in distribution.counts)
    return Content("".join(bars))


def _ratio(layer: Layer) -> Content:
    from trainer.insights.story import LONG_STEP, SMALL_STEP

    ratio = layer.update_ratio
    return _warned(f"{ratio:.2g}", is_odd=not SMALL_STEP <= ratio <= LONG_STEP)


def _dead(layer: Layer) -> Content:
    from trainer.insights.story import DEAD

    if layer.dead is None:
        return Content(_UNKNOWN)
    return _warned(f"{layer.dead:.0%}", is_odd=layer.dead >= DEAD)


def _plain(name: str) -> Callable[[Any], Content]:
    def cell(layer: Layer) -> Content:
        value = getattr(layer, name)
        return Content(_UNKNOWN if value is None else f"{value:.3g}")

    return cell


_COLUMNS = (
    _Column("gradient", 8, _plain("gradient_norm"), 0),
    _Column("weights", 7, _plain("weight_norm"), 60),
    _Column("step/weights", 12, _ratio, 0),
    _Column("dead", 5, _dead, 0),
    _Column("out mean", 8, _plain("mean"), 70),
    _Column("out std", 7, _plain("std"), 70),
    _Column("weight values", 16, lambda layer: _spark(layer.weights), 88),
    _Column(
        "output values", 16, lambda layer: _spark(layer.outputs) if layer.std is not None else Content(_UNKNOWN), 106
    ),
)
