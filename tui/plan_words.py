"""The outlook of a config in words: layers, memory, examples and updates. The same on a screen and in print."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from trainer.text import clean
from tui.wording import size

if TYPE_CHECKING:
    from trainer.models import Layer
    from trainer.plan import Plan
    from trainer.summary import ModelSummary
    from tui.outlook import Outlook

_HEADS = ("layer", "output", "parameters", "FLOPs/example", "")
_GAP = "  "


def layer_table(summary: ModelSummary) -> list[str]:
    """Return a line for the heads, one for the input, one for each layer and one for the total."""
    rows = [_HEADS, ("input", _shape(summary.input_shape), "", "", "")]
    rows += [_layer_row(layer) for layer in summary.layers]
    rows.append(("total", "", f"{summary.n_parameters:,}", f"{summary.flops:,}", ""))
    return aligned(rows, words=(0, 4))


def memory_table(plan: Plan, as_compiled: str) -> list[str]:
    """Return a line for each thing that lies in memory, and the compiler's word on all of it, on each device."""
    memory = plan.memory
    rows = [
        ("parameters", size(memory.parameters)),
        ("gradients", size(memory.gradients)),
        ("optimizer", size(memory.optimizer)),
        ("best weights", size(memory.best_weights)),
        ("examples", size(memory.examples)),
        ("as compiled" if plan.devices == 1 else f"on each of {plan.devices}", as_compiled.rjust(13)),
    ]
    return aligned(rows)


def compiled_words(plan: Plan) -> str:
    """Return what the compiler says of a compiled program's memory."""
    return "the compiler does not say" if plan.compiled_bytes is None else size(plan.compiled_bytes)


def course(outlook: Outlook) -> str:
    """Return how many examples and updates there are to be, as far as it is known."""
    if outlook.data is None:
        return ""
    told = f"{outlook.data.n_train:,} examples train, {outlook.data.n_validation:,} validate"
    if outlook.plan is None:
        return f"{told}."
    steps, training = outlook.plan.steps_per_epoch, outlook.config.training
    n_runs = outlook.config.n_runs
    each = f", in each of {n_runs} runs" if n_runs > 1 else ""
    words = f"{told}; {steps * training.epochs:,} updates, {steps:,} an epoch{each}."
    if outlook.plan.buffer:
        words += f" The data stream, {outlook.plan.buffer:,} examples at a time."
    return words


def problem_words(outlook: Outlook) -> str:
    """Return what is wrong, a line each."""
    return "\n".join(f"! {clean(str(problem))}" for problem in outlook.problems)


def aligned(rows: Sequence[Sequence[str]], words: Collection[int] = (0,)) -> list[str]:
    """Return rows as lines: the columns of `words` stand at the left of their width, those of numbers at the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pads = [str.ljust if place in words else str.rjust for place in range(len(widths))]
    return [
        _GAP.join(pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)).rstrip() for row in rows
    ]


def _layer_row(layer: Layer) -> tuple[str, str, str, str, str]:
    shape, flops = (_shape(layer.shape) if layer.shape else ""), ("" if layer.flops is None else f"{layer.flops:,}")
    return layer.name, shape, f"{layer.n_parameters:,}", flops, layer.words


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
