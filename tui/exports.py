"""Runs written for other tools: CSV for spreadsheets and data frames, JSON for everything else."""

import csv
import io
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer import files
from trainer.comparison import safe_cell
from trainer.problems import ConfigError
from trainer.runs import Run, read, result
from trainer.store import find, store

FORMS = ("csv", "json")
_AXES = ("epoch", "step", "seconds")


def export(words: list[str], to: str, out: Path | None, folder: Path | None) -> None:
    """Write runs to a file or stdout. Raises ConfigError for an unknown form, RunError for an unknown run."""
    if to not in FORMS:
        raise ConfigError(f"--to must be one of {', '.join(FORMS)}, got {to!r}.")
    where = store(folder)
    runs = [read(find(word, where)) for word in words]
    text = _as_csv(runs) if to == "csv" else json.dumps([_as_json(run) for run in runs], allow_nan=False) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    try:
        files.replace_atomically(out, text.encode(), durable=False)
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror or error}") from error


def outcome(run: Run) -> dict[str, Any]:
    """Return what a run came to as strict JSON has it: what is not finite as a string."""
    plain: dict[str, Any] = json.loads(json.dumps(result(run)), parse_constant=str)
    return plain


def _as_csv(runs: list[Run]) -> str:
    """Return a line for each epoch of each run; a metric that a run lacks is an empty cell."""
    metrics = list(dict.fromkeys(name for run in runs for name in run.epochs))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "name", *_AXES, *metrics])
    for run in runs:
        for row in _epochs(run):
            writer.writerow(
                [run.id, safe_cell(run.name), *(row[axis] for axis in _AXES), *(row.get(m, "") for m in metrics)]
            )
    return text.getvalue()


def _as_json(run: Run) -> dict[str, Any]:
    config = run.config.table() if run.config else None
    history = [{name: _plain(value) for name, value in row.items()} for row in _epochs(run)]
    return {**outcome(run), "config": config, "history": history}


def _epochs(run: Run) -> Iterator[dict[str, float]]:
    """Yield the epochs of a run: index, updates done, seconds trained, and the metrics."""
    if not run.epochs:
        return
    first = next(iter(run.epochs.values()))
    axes = (first.x("epochs"), first.x("steps"), first.x("seconds"))
    columns = {name: series.y for name, series in run.epochs.items()}
    for index, (epoch, step, seconds) in enumerate(zip(*axes, strict=True)):
        place = {"epoch": round(epoch) - 1, "step": int(step), "seconds": float(seconds)}
        yield {**place, **{name: float(values[index]) for name, values in columns.items()}}


def _plain(value: float) -> float | str:
    """Return the number, or its name where JSON has none."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
