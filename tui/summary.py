"""`nn-tui summary`: what a preset means before it trains, as the plan page shows it."""

import json
import shutil
from typing import Any

import presets
from trainer.config import parse_settings
from trainer.problems import ConfigError
from tui import plan_words
from tui.chart_frame import Frame, Series
from tui.data_words import data_lines, data_table
from tui.outlook import Outlook, outlooks

_WIDEST, _CHART_HEIGHT = 80, 10


def print_summary(preset: str, settings: list[str], as_json: bool, runs_code: bool = False) -> None:
    """Print layers, data, memory and learning rate of a preset, which is compiled for that. Raises ConfigError.

    To look at a preset runs no code of a person's own, unless they say so by `runs_code`.
    """
    found = presets.find(preset)
    config = found.load().changed(parse_settings(settings))
    config = found.permitted(config) if runs_code else config
    *_, outlook = outlooks(config, found.base, compiles=True)
    if not as_json:
        print("\n".join(_lines(outlook)))
    if outlook.problems:
        raise ConfigError(outlook.problems)
    if as_json:
        print(json.dumps(_plain(outlook)))


def _lines(outlook: Outlook) -> list[str]:
    lines = []
    if outlook.summary is not None:
        lines += [*plan_words.layer_table(outlook.summary), "", plan_words.course(outlook)]
    if outlook.data is not None and outlook.overview is not None:
        lines += ["", "data", *data_lines(outlook.data, outlook.overview)]
    plan = outlook.plan
    if plan is not None:
        as_compiled = plan_words.compiled_words(plan) if plan.is_compiled else "not known"
        lines += ["", "memory", *plan_words.memory_table(plan, as_compiled), "", "learning rate"]
        lines += _chart(Series("learning_rate", plan.epochs, plan.rates))
    return [line.rstrip() for line in lines]


def _chart(series: Series) -> list[str]:
    from tui.chart import draw

    width = min(_WIDEST, shutil.get_terminal_size().columns)
    frame = Frame([series], width, _CHART_HEIGHT, x_end=float(series.x[-1]), legend=False)
    return [strip.text for strip in draw(frame)]


def _plain(outlook: Outlook) -> dict[str, Any]:
    summary, plan = outlook.summary, outlook.plan
    assert summary is not None
    assert plan is not None
    assert outlook.data is not None
    assert outlook.overview is not None
    memory = plan.memory
    return {
        "data": data_table(outlook.data, outlook.overview),
        "input_shape": summary.input_shape,
        "layers": [
            {
                "name": layer.name,
                "words": layer.words,
                "output_shape": layer.shape,
                "parameters": layer.n_parameters,
                "flops": layer.flops,
            }
            for layer in summary.layers
        ],
        "parameters": summary.n_parameters,
        "flops": summary.flops,
        "memory_bytes": {
            "parameters": memory.parameters,
            "gradients": memory.gradients,
            "optimizer": memory.optimizer,
            "best_weights": memory.best_weights,
            "examples": memory.examples,
            "compiled": plan.compiled_bytes,
        },
        "steps_per_epoch": plan.steps_per_epoch,
        "epochs": outlook.config.training.epochs,
        "learning_rates": [*zip(plan.epochs.tolist(), plan.rates.tolist(), strict=True)],
    }
