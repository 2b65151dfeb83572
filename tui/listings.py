"""What the commands print: presets, schema, runs, comparisons."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Column, Table
from rich.text import Text

import presets
from trainer.comparison import Comparison, as_csv, as_json, compare
from trainer.config import Config, dump
from trainer.replicas import best as best_of_group
from trainer.replicas import folded, shown_state
from trainer.results import result
from trainer.run import Run
from trainer.runs import read
from trainer.status import LIVE
from trainer.store import all_runs, find, store
from trainer.text import clean
from tui.wording import STATE_GLYPHS, age, best_words, mean_and_std

_PIPED_WIDTH = 1000


def print_presets(as_json_text: bool) -> None:
    """Print the name and description of every preset; one that cannot be read says why."""
    rows = [(preset, *_described(preset)) for preset in presets.available()]
    if as_json_text:
        known = ((preset.name, text, str(preset.path), preset.built_in, good) for preset, text, good in rows)
        keys = ("name", "description", "path", "built_in", "good")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in known]))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for preset, text, _ in rows:
        table.add_row(Text(clean(preset.name), "bold"), Text(text))
    _console().print(table)


def print_preset(name: str, as_json_text: bool) -> None:
    """Print a preset with every default filled in. Raises ConfigError."""
    config = presets.load(name)
    if as_json_text:
        print(json.dumps(config.table()))
    elif _console().is_terminal:
        _console().print(Syntax(dump(config), "toml", background_color="default"))
    else:
        print(dump(config), end="")


def print_schema() -> None:
    """Print the JSON Schema of the config."""
    print(json.dumps(Config.model_json_schema(by_alias=True), indent=2))


def print_runs(query: str, folder: Path | None, as_json_text: bool) -> None:
    """Print the runs whose id, name or state holds the query."""
    where = store(folder)
    runs = all_runs(where)
    found = [run for run in (runs if as_json_text else folded(runs)) if _matches(run, query)]
    found.sort(key=lambda run: shown_state(run) not in LIVE)  # live ones first, then as before: the newest
    if as_json_text:
        known = [{"id": run.id, "name": run.name, **result(run), "state": run.shown_state} for run in found]
        print(json.dumps(known, allow_nan=False))
        return
    if not found:
        start = f"no runs in {clean(str(where))}. Start one: nn-tui train {presets.DEFAULT}"
        print(f"no run matches {clean(query)}" if query else start)
        return
    table = Table("run", "state", "age", "epochs", "best", box=None, pad_edge=False, header_style="dim")
    for run in found:
        table.add_row(*map(Text, _row(run)))
    _console().print(table)


def print_comparison(words: list[str], folder: Path | None, form: str) -> None:
    """Print runs side by side, as a table, JSON or CSV. Raises RunError."""
    where = store(folder)
    comparison = compare([read(find(word, where)) for word in words])
    if form == "json":
        print(json.dumps(as_json(comparison)))
    elif form == "csv":
        print(as_csv(comparison), end="")
    else:
        _console().print(comparison_table(comparison))


def comparison_table(comparison: Comparison) -> Table:
    """Return a comparison as a table: best values, the hyperparameters that differ, last values and totals."""
    from tui.comparison_cells import comparison_cells

    table = Table("", *(Column(Text(clean(column.id))) for column in comparison.columns), box=None, header_style="bold")
    for cells in comparison_cells(comparison, Style(bold=True), Style(dim=True)).values():
        table.add_row(*(cell.rendered() for cell in cells))
    return table


def _described(preset: presets.Preset) -> tuple[str, bool]:
    from trainer.problems import ConfigError

    try:
        return clean(preset.load().description), True
    except ConfigError as error:
        return f"cannot be read: {error.problems[0]}", False


def _matches(run: Run, query: str) -> bool:
    return any(query.lower() in text.lower() for text in (run.id, run.name, run.shown_state))


def _row(run: Run) -> tuple[str, str, str, str, str]:
    status, state = run.status, shown_state(run)
    best = best_words(status.best)
    if run.replicas and (found := best_of_group(run)):
        best = f"{clean(found[0])} {mean_and_std(found[1])}"
    if run.unsaved and not run.is_live:
        best = f"{best}; not saved: {', '.join(told.what for told in run.unsaved)}"
    words = clean(run.damage) if run.damage else best
    return (
        clean(run.id),
        f"{STATE_GLYPHS[state]} {state}",
        age(status.created) if status.created else "–",
        f"{status.epochs}/{status.epochs_planned}",
        words,
    )


def _console() -> Console:
    # What is read by a program must not be folded at 80 columns.
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_PIPED_WIDTH)
