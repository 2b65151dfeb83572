"""Runs side by side: what came out of each, and which hyperparameters that may be due to.

Nothing but values: how they are written on a screen is the screen's affair. Runs whose files are damaged have a column
like all others, with nothing in it.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from trainer.callbacks import is_better, metric_direction
from trainer.config import values
from trainer.replicas import members, shown_state, spread
from trainer.run import Run
from trainer.schema import HEADING, hyperparameters
from trainer.series import Series
from trainer.status import Best, Shown
from trainer.strict_json import strict
from trainer.text import clean

ABSENT: Final = "–"
"""Value of a hyperparameter that a run does not have, such as the momentum of Adam."""

_UNITS = {
    "epochs": "epochs",
    "steps": "updates",
    "seconds": "s",
    "examples_per_second": "examples/s",
    "n_parameters": "parameters",
}
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Column:
    """One run: its folder's name, what the person called it, its state, and why it cannot be shown ("" if it can)."""

    id: str
    name: str
    state: Shown
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that came out.

    Attributes:
        name: metric or total; "best ..." is the best epoch's, "test ..." the test split's, "gap" is val_loss - loss.
        unit: what one of it is; "" for a bare number.
        values: one a run; None where a run has none.
        epochs: the epoch, 1-based, that each value is from; empty where that is the last one.
        stds: standard deviation over the replicas of each group, None for a run alone; empty if all are.
        better: place of the one run that is better than all others, or None: a tie, or no better end is known.
    """

    name: str
    unit: str
    values: tuple[float | None, ...]
    epochs: tuple[int | None, ...] = ()
    better: int | None = None
    stds: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One hyperparameter that the runs do not agree on: dotted key, unit, and a value a run, ABSENT for none."""

    key: str
    unit: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side; every tuple of values is in the order of `columns`."""

    columns: tuple[Column, ...]
    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]


def compare(runs: Sequence[Run], states: Sequence[Shown] = ()) -> Comparison:
    """Return runs side by side.

    Args:
        runs: any number, live, past or damaged.
        states: what each shows as, if that is known; otherwise the run's folder is asked.
    """
    states = states or [shown_state(run) for run in runs]
    columns = (Column(run.id, run.name, state, damage(run)) for run, state in zip(runs, states, strict=True))
    return Comparison(tuple(columns), tuple(outcomes(runs)), tuple(differences(runs)))


def damage(run: Run) -> str:
    """Return why a run cannot be shown, without the path of its folder, which is known; "" if it can be."""
    return clean(run.damage.removeprefix(f"{run.directory}/"))


def outcomes(runs: Sequence[Run]) -> list[Outcome]:
    """Return what came out, best values first; nothing that no run has. Of runs on other data none is the better."""
    judged = _merged([run.status.best.metric] for run in runs if run.status.best)
    rows = [_best(metric, runs) for metric in judged]
    rows += [_together(name, runs, partial(_last, name)) for name in _merged(run.status.metrics for run in runs)]
    rows.append(replace(_together("gap", runs, lambda run: _gap(run.status.metrics)), better=None))
    tests = _merged(run.status.test for run in runs)
    rows += [_together(f"test {name}", runs, partial(_tested, name), metric=name) for name in tests]
    if len({(data.source, getattr(data, "path", "")) for data in (run.config.data for run in runs if run.config)}) > 1:
        rows = [replace(row, better=None) for row in rows]  # a loss on other data is neither better nor worse
    rows += [_total(name, runs) for name in _UNITS]
    return [row for row in rows if any(value is not None for value in row.values)]


def differences(runs: Sequence[Run]) -> list[Difference]:
    """Return the hyperparameters that differ between the runs whose config can be read, section by section."""
    configs = [run.config for run in runs]
    known = [None if config is None else values(config) for config in configs]
    readable = [table for table in known if table is not None]
    declared = {key: field for config in configs if config for key, field in hyperparameters(config).items()}
    found = []
    for key in _merged(readable):
        here = [table.get(key, ABSENT) for table in readable]
        if key not in HEADING and any(value != here[0] for value in here):
            row = tuple(ABSENT if table is None else table.get(key, ABSENT) for table in known)
            found.append(Difference(key, declared[key].unit, row))
    sections, order = [key.partition(".")[0] for key in declared], list(declared)
    found.sort(key=lambda row: (sections.index(row.key.partition(".")[0]), order.index(row.key)))
    return [*_origins(runs), *found]


def _origins(runs: Sequence[Run]) -> Iterator[Difference]:
    """Yield what the runs are forks of, and whether those that were resumed are exact; nothing that no run is."""
    forks = tuple(clean(run.status.parent.words) if run.status.parent else ABSENT for run in runs)
    resumed = tuple(run.status.resumed or ABSENT for run in runs)
    for key, row in (("fork of", forks), ("resumed", resumed)):
        if any(value != ABSENT for value in row):
            yield Difference(key, "", row)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as strict JSON has it: what is not finite as a string, what is missing as null."""
    ids = [column.id for column in comparison.columns]
    return {
        "runs": [
            {"id": column.id, "name": column.name, "state": column.state, "damage": column.damage or None}
            for column in comparison.columns
        ],
        "outcomes": [
            {
                "name": row.name,
                "unit": row.unit,
                "values": [_json(value) for value in row.values],
                **({"epochs": list(row.epochs)} if row.epochs else {}),
                **({"stds": [_json(value) for value in row.stds]} if row.stds else {}),
                "better": None if row.better is None else ids[row.better],
            }
            for row in comparison.outcomes
        ],
        "differences": [
            {"key": row.key, "unit": row.unit, "values": [_json(value) for value in row.values]}
            for row in comparison.differences
        ],
    }


def as_csv(comparison: Comparison) -> str:
    """Return the comparison as CSV: a line for each outcome and hyperparameter, a column for each run.

    Numbers stay numbers; text goes through `safe_cell`.
    """
    ids = [column.id for column in comparison.columns]
    lines: list[list[Any]] = [["", "unit", *ids, "better"]]
    lines.append(["name", "", *(column.name for column in comparison.columns), ""])
    lines.append(["state", "", *(column.state for column in comparison.columns), ""])
    for row in comparison.outcomes:
        lines.append([row.name, row.unit, *row.values, "" if row.better is None else ids[row.better]])
        if row.stds:
            lines.append([f"std of {row.name}", row.unit, *row.stds, ""])
        if row.epochs:
            lines.append([f"epoch of {row.name}", "", *row.epochs, ""])
    lines += [[row.key, row.unit, *row.values, ""] for row in comparison.differences]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_csv(cell) for cell in line] for line in lines)
    return text.getvalue()


def safe_cell(text: str) -> str:
    """Return text for a cell of a CSV file, cleaned; what a spreadsheet would take for a formula gets a ' in front."""
    text = clean(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _merged(names: Iterable[Iterable[str]]) -> list[str]:
    """Return each name once, in the order of its first appearance."""
    return list(dict.fromkeys(name for some in names for name in some))


def _best(metric: str, runs: Sequence[Run]) -> Outcome:
    found = [None if run.replicas else _best_of(metric, run) for run in runs]
    row = _together(f"best {metric}", runs, partial(_best_value, metric), metric=metric)
    return replace(row, epochs=tuple(best.epoch + 1 if best else None for best in found))


def _together(name: str, runs: Sequence[Run], value: Callable[[Run], float | None], *, metric: str = "") -> Outcome:
    """Return what came out of runs and of groups of replicas, which have a mean and a deviation."""
    spreads = [spread(map(value, members(run))) if run.replicas else None for run in runs]
    means = [value(run) if found is None else found.mean for run, found in zip(runs, spreads, strict=True)]
    stds = tuple(found.std if found else None for found in spreads)
    return replace(_outcome(name, means, metric=metric), stds=stds if any(spreads) else ())


def _best_of(metric: str, run: Run) -> Best | None:
    """Return the run's best epoch by a metric, be it the one that the run itself is judged by or not."""
    if run.status.best and run.status.best.metric == metric:
        return run.status.best
    direction, series = metric_direction(metric), run.epochs.get(metric, Series())
    finite = np.isfinite(series.y)
    if direction is None or not finite.any():
        return None
    place = np.nanargmin(np.where(finite, series.y if direction == "min" else -series.y, np.nan))
    return Best(metric=metric, value=float(series.y[place]), epoch=round(series.x("epochs")[place]) - 1)


def _best_value(metric: str, run: Run) -> float | None:
    best = _best_of(metric, run)
    return best.value if best else None


def _last(metric: str, run: Run) -> float | None:
    return run.status.metrics.get(metric)


def _tested(metric: str, run: Run) -> float | None:
    return run.status.test.get(metric)


def _gap(metrics: dict[str, float]) -> float | None:
    """Return how much worse the model does on examples that it was not trained on: large means overfitting."""
    return metrics["val_loss"] - metrics["loss"] if {"loss", "val_loss"} <= metrics.keys() else None


def _total(name: str, runs: Sequence[Run]) -> Outcome:
    row = _together(name, runs, lambda run: getattr(run.status, name) or None)
    # Short training is good only in a run that was trained to its end.
    fair = [run.status.state == "finished" or name != "seconds" for run in runs]
    return replace(_outcome(name, row.values, unit=_UNITS[name], fair=fair), stds=row.stds)


def _outcome(
    name: str,
    row: Sequence[float | None],
    *,
    metric: str = "",
    unit: str = "",
    fair: Sequence[bool] = (),
) -> Outcome:
    eligible = [value if ok else None for value, ok in zip(row, fair or [True] * len(row), strict=True)]
    return Outcome(name, unit, tuple(row), better=_better(metric or name, eligible))


def _better(metric: str, row: Sequence[float | None]) -> int | None:
    direction = metric_direction(metric)
    finite = [value for value in row if value is not None and math.isfinite(value)]
    if direction is None or len(finite) < 2:
        return None
    best = finite[0]
    for value in finite:
        best = value if is_better(value, best, direction) else best
    return row.index(best) if finite.count(best) == 1 else None


def _json(value: Any) -> Any:
    return None if value is ABSENT else strict(value)


def _csv(value: Any) -> Any:
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _json(value)
    return safe_cell(str(list(value)) if isinstance(value, tuple) else str(value))
