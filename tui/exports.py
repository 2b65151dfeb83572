"""Runs written for other tools: CSV for spreadsheets and data frames, JSON for everything else."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer import files
from trainer.comparison import safe_cell
from trainer.problems import ConfigError
from trainer.results import result
from trainer.run import Run
from trainer.runs import read
from trainer.store import find, store
from trainer.strict_json import strict
from trainer.text import clean

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
        raise ConfigError(f"{clean(str(out))} cannot be written: {error.strerror or error}") from error


def _as_csv(runs: list[Run]) -> str:
    """Return a line for each epoch of each run; a metric that a run lacks is an empty cell."""
    metrics = list(dict.fromkeys(name for run in runs for name in run.epochs))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "name", *_AXES, *map(safe_cell, metrics)])
    for run in runs:
        for row in _epochs(run):
            writer.writerow(
                [
                    safe_cell(run.id),
                    safe_cell(run.name),
                    *(row[axis] for axis in _AXES),
                    *(row.get(m, "") for m in metrics),
                ]
            )
    return text.getvalue()


def _as_json(run: Run) -> dict[str, Any]:
    config = run.config.table() if run.config else None
    return {**result(run), "config": config, "history": strict(list(_epochs(run)))}


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
