"""Runs: what their records add up to, live or past, in this process or another. Reading only.

`Run.apply` folds one record. The trainer folds its own records in the same way and writes the sum to `run.json`, so
that lists of runs need not read every log. Beside that sum `run.json` holds what was known at the start, the name say.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, assert_never

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer import config as configs
from trainer import files
from trainer.callbacks import Direction, is_better
from trainer.config import Config
from trainer.events import (
    CheckpointSaved,
    Commanded,
    Compiled,
    Count,
    Diverged,
    EarlyStopped,
    Epoch,
    Event,
    Finished,
    HyperparameterSet,
    InputStall,
    Insight,
    Layers,
    LearningRateReduced,
    Paused,
    Reason,
    Replayed,
    Resumed,
    SavedAgain,
    Seconds,
    Started,
    Steps,
    Tested,
    Unsaved,
    Warned,
    WeightsRestored,
    What,
)
from trainer.judging import judge
from trainer.lazy import np
from trainer.liveness import is_alive
from trainer.log import Tail
from trainer.problems import ConfigError
from trainer.store import is_id, is_run
from trainer.strict_json import strict
from trainer.text import clean

if TYPE_CHECKING:
    from numpy.typing import NDArray

State = Literal["starting", "compiling", "running", "paused", "finished", "stopped", "diverged", "failed"]
Shown = State | Literal["crashed", "damaged"]

LIVE: frozenset[str] = frozenset({"starting", "compiling", "running", "paused"})

ENDS: dict[Reason, State] = {
    "completed": "finished",
    "early_stopped": "finished",
    "stopped": "stopped",
    "interrupted": "stopped",
    "diverged": "diverged",
    "failed": "failed",
}
"""The state that a run is left in, by the reason why it ended."""
_STATUS_LIMIT = 1 << 20

_Key = TypeVar("_Key", bound=Hashable)


class Best(BaseModel):
    """The best value so far of the metric that the run is judged by."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    metric: str
    value: float
    epoch: Count


class Parent(BaseModel):
    """What a run is a fork of: a run's id, its checkpoint's, and the updates and epochs done there."""

    model_config = ConfigDict(frozen=True)

    run: str
    checkpoint: str
    step: int
    epoch: int

    @property
    def words(self) -> str:
        """Return what is forked, and where."""
        return f"{self.run} at epoch {self.epoch}"


class Status(BaseModel):
    """`run.json`.

    Attributes:
        state: what the trainer last said; `Run.shown_state` also knows whether it is still there.
        reason: why it ended, or "".
        message: one line about the end, or "".
        process_started: when the process `pid` began, in the kernel's ticks; 0 where that is not known.
        created: Unix seconds.
        group: id of the run that leads its group of replicas; "" for a run alone.
        replica: its number within the group, from 1.
        replicas: ids of the others, known to the one that leads.
        parent: what it is a fork of, or None.
        resumed: "exact" where the run was resumed and is what it would have been without; "compatible" where something
            was not as before; "" where it was not resumed.
        epochs, steps: done.
        best: by the metric that early stopping or the checkpoints watch.
        metrics: of the last epoch.
        test: metrics of the test split, if there is one.
        seconds: trained, without compiling and pauses.
        input_stall: share of that in which the devices waited for examples; None where none stream.
        unsaved: what the disk refuses, with the record that says since when and why.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings", populate_by_name=True)

    state: State = "starting"
    reason: str = ""
    message: str = ""
    name: str = ""
    pid: Count = 0
    process_started: Count = 0
    host: str = ""
    boot_id: str = ""
    versions: dict[str, str] = {}
    created: Seconds = 0.0
    group: str = ""
    replica: Count = 0
    replicas: list[str] = []
    parent: Parent | None = None
    resumed: Literal["", "exact", "compatible"] = ""
    device: str = ""
    n_parameters: Count = 0
    data_fingerprint: str = ""
    epochs: Count = 0
    epochs_planned: Count = 0
    steps: Count = 0
    best: Best | None = None
    metrics: dict[str, float] = {}
    test: dict[str, float] = {}
    seconds: Seconds = 0.0
    compile_seconds: Seconds = 0.0
    examples_per_second: float = 0.0
    input_stall: InputStall = None
    unsaved: dict[What, Unsaved] = {}


class Series:
    """One number after the other, against epoch, step and seconds. `x` and `y` copy; appending is cheap."""

    def __init__(self) -> None:
        self._columns = {name: array("d") for name in ("epochs", "steps", "seconds", "values")}

    def append(self, epochs: float, steps: float, seconds: float, value: float) -> None:
        """Add a point: epochs done (a fraction within one), updates done, seconds trained, value."""
        for column, number in zip(self._columns.values(), (epochs, steps, seconds, value), strict=True):
            column.append(number)

    def cut(self, epochs: float) -> None:
        """Forget the points after so many epochs; they are the last."""
        kept = sum(done <= epochs for done in self._columns["epochs"])
        for column in self._columns.values():
            del column[kept:]

    def __len__(self) -> int:
        return len(self._columns["values"])

    def x(self, axis: str) -> NDArray[np.float64]:
        """Return the places on an axis: "epochs", "steps" or "seconds"."""
        return np.array(self._columns[axis])

    @property
    def y(self) -> NDArray[np.float64]:
        """Return the values."""
        return np.array(self._columns["values"])

    @property
    def last(self) -> float:
        """Return the newest value."""
        return self._columns["values"][-1]


@dataclass
class Run:
    """One run, as far as its records have been read.

    Attributes:
        directory: its folder.
        config: what it was started with, or None where that cannot be read.
        status: the sum of its records.
        epochs: a series for each metric of the `epoch` records.
        steps: a series for each metric of the `steps` records (the means).
        insides: a series for each number of the `layers` records, by layer and name.
        inside: the newest of those records, or None.
        happenings: the records that are no plain measurement, in order.
        steps_per_epoch: updates an epoch.
        damage: why it cannot be shown, or "".
        replicas: the others of its group, if it leads one and they were read too.
        lost: of a run that was trained here, what the disk refused to the end, and why; or "".
    """

    directory: Path
    config: Config | None = None
    status: Status = field(default_factory=Status)
    epochs: dict[str, Series] = field(default_factory=dict)
    steps: dict[str, Series] = field(default_factory=dict)
    insides: dict[tuple[str, str], Series] = field(default_factory=dict)
    inside: Layers | None = None
    happenings: list[Event] = field(default_factory=list)
    steps_per_epoch: int = 1
    damage: str = ""
    replicas: list[Run] = field(default_factory=list)
    lost: str = ""

    @property
    def id(self) -> str:
        """Return the name of its folder."""
        return self.directory.name

    @property
    def name(self) -> str:
        """Return what the person called it, safe to show; of a group with the number of its runs or of this one."""
        name = clean(self.status.name or (self.config.name if self.config else self.id))
        if self.replicas:
            return f"{name} ×{1 + len(self.replicas)}"
        return f"{name} #{self.status.replica}" if self.status.group else name

    @property
    def shown_state(self) -> Shown:
        """Return the state, knowing that a trainer which holds no lock cannot be at work."""
        if self.damage:
            return "damaged"
        if self.status.state in LIVE and not is_alive(self.directory):
            return "crashed"
        return self.status.state

    @property
    def ended(self) -> bool:
        """Return whether its last record was read."""
        return self.status.state not in LIVE

    @property
    def is_live(self) -> bool:
        """Return whether a trainer is at work on it, or waits."""
        return self.shown_state in LIVE

    @property
    def unsaved(self) -> list[Unsaved]:
        """Return what the disk refuses; whose last record can be read, all of its records were saved."""
        return [told for what, told in self.status.unsaved.items() if what != "records" or not self.ended]

    @property
    def judged_by(self) -> str:
        """Return the metric that its best epoch goes by."""
        return judge(self.config, self.status.metrics)[0]

    def metrics_at(self, epoch: int) -> dict[str, float]:
        """Return the metrics of an epoch; none if it was not recorded."""
        found = {}
        for name, series in self.epochs.items():
            places = np.flatnonzero(np.round(series.x("epochs")) == epoch + 1)
            if len(places):
                found[name] = float(series.y[places[-1]])
        return found

    def apply(self, event: Event) -> None:
        """Add one record."""
        status = self.status
        status.seconds = event.elapsed
        status.steps = max(status.steps, event.step)
        match event:
            case Steps():
                status.input_stall = event.input_stall
                self._add(self.steps, event, {name: spread.mean for name, spread in event.metrics.items()})
                return
            case Epoch():
                self._add_epoch(event)
                return
            case Layers():
                self._add_inside(event)
                return
            case Commanded() | CheckpointSaved(reason="time"):
                return
            case Replayed(differs_from=int(epoch)):
                self._rewind(epoch)
            case Started():
                self._begin(event)
            case Compiled():
                status.compile_seconds += event.seconds
                if status.state == "starting":
                    status.state = "compiling"
            case Paused():
                status.state = "paused"
            case Resumed():
                status.state = "running"
            case HyperparameterSet(key="training.epochs", to=int(epochs)):
                status.epochs_planned = epochs
            case HyperparameterSet():
                pass
            case Tested():
                status.test = dict(event.metrics)
            case Unsaved():
                status.unsaved = {**status.unsaved, event.what: event}
            case SavedAgain():
                status.unsaved = {what: told for what, told in status.unsaved.items() if what != event.what}
            case Finished():
                status.state, status.reason, status.message = ENDS[event.reason], event.reason, event.message
            case (
                LearningRateReduced() | EarlyStopped() | CheckpointSaved() | WeightsRestored()
                | Diverged() | Insight() | Warned() | Replayed()
            ):  # fmt: skip
                pass
            case _:
                assert_never(event)
        self.happenings.append(event)

    def apply_all(self, events: Iterable[Event]) -> None:
        """Add records in order."""
        for event in events:
            self.apply(event)

    def _begin(self, event: Started) -> None:
        status = self.status
        status.state, status.device, status.n_parameters = "running", event.device, event.n_parameters
        self.steps_per_epoch = event.steps_per_epoch
        if event.resumed_from is not None:
            status.reason, status.message, status.test = "", "", {}
            is_exact = not event.differences and status.resumed != "compatible"
            status.resumed = "exact" if is_exact else "compatible"

    def _rewind(self, epoch: int) -> None:
        """Forget the epochs from this one on: they came out otherwise when they were computed again."""
        for series in (*self.epochs.values(), *self.steps.values(), *self.insides.values()):
            series.cut(epoch)
        status = self.status
        status.resumed, status.best = "compatible", None
        status.epochs, status.steps = epoch, epoch * self.steps_per_epoch
        status.metrics = {name: series.last for name, series in self.epochs.items() if len(series)}
        metric, direction = judge(self.config, status.metrics)
        if metric in status.metrics:
            for done, value in zip(self.epochs[metric].x("epochs"), self.epochs[metric].y, strict=True):
                self._judge(metric, direction, float(value), round(done) - 1)

    def _add_epoch(self, event: Epoch) -> None:
        self._add(self.epochs, event, event.metrics)
        status = self.status
        status.epochs, status.metrics = event.epoch + 1, dict(event.metrics)
        status.examples_per_second = event.examples_per_second
        status.input_stall = event.input_stall
        metric, direction = judge(self.config, event.metrics)
        self._judge(metric, direction, event.metrics.get(metric, math.nan), event.epoch)

    def _judge(self, metric: str, direction: Direction, value: float, epoch: int) -> None:
        best = self.status.best
        if is_better(value, best.value if best and best.metric == metric else None, direction):
            self.status.best = Best(metric=metric, value=value, epoch=epoch)

    def _add_inside(self, event: Layers) -> None:
        self.inside = event
        numbers = {
            (layer, name): value
            for layer, about in event.layers.items()
            for name, value in about
            if isinstance(value, float)
        }
        self._add(self.insides, event, numbers)

    def _add(self, to: dict[_Key, Series], event: Event, metrics: Mapping[_Key, float]) -> None:
        done = event.step / self.steps_per_epoch
        for name, value in metrics.items():
            to.setdefault(name, Series()).append(done, event.step, event.elapsed, value)


def peek(directory: Path) -> Run:
    """Return a run from its config and `run.json` alone: enough for a list, whatever the length of its log."""
    run = Run(directory)
    try:
        run.status = Status.model_validate_json(files.read_regular(directory / "run.json", _STATUS_LIMIT))
        run.config = configs.load(directory / "config.toml")
    except (OSError, ValidationError, ConfigError) as error:
        run.damage = _damage(error)
    return run


def open_run(directory: Path) -> tuple[Run, Tail]:
    """Return a run with nothing applied yet, and the tail that gives its records."""
    known = peek(directory)
    run = Run(directory, config=known.config, damage=known.damage)
    start = {
        "name", "pid", "process_started", "host", "boot_id", "versions", "created", "group", "replica", "replicas",
        "parent",
    }  # fmt: skip
    kept = start | {"n_parameters", "data_fingerprint", "epochs_planned"}
    run.status = Status(**known.status.model_dump(include=kept))
    return run, Tail(directory / "events.jsonl")


def read(directory: Path) -> Run:
    """Return a run with every record applied; one that leads a group with the others."""
    run, tail = open_run(directory)
    run.apply_all(tail.read_all())
    run.damage = run.damage or tail.problem
    run.replicas = [read(path) for path in replica_paths(run)]
    return run


def replica_paths(run: Run) -> list[Path]:
    """Return the folders of the other runs of the group that this one leads, those that are still there."""
    names = [name for name in run.status.replicas if is_id(name)]
    return [path for name in names if is_run(path := run.directory.parent / name)]


def _damage(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename).name if error.filename else 'a file'}: {error.strerror}"
    if isinstance(error, ConfigError):
        return str(error.problems[0])
    return "run.json is not what a trainer writes"


def result(run: Run) -> dict[str, Any]:
    """Return what `nn-tui train --json` says about a run, as strict JSON has it."""
    status = run.status
    plain = {
        "run": str(run.directory),
        "state": status.state,
        "reason": status.reason,
        "message": status.message,
        "epochs": status.epochs,
        "steps": status.steps,
        "best": status.best.model_dump() if status.best else None,
        "metrics": status.metrics,
        "test": status.test or None,
        "seconds": round(status.seconds, 3),
        "compile_seconds": round(status.compile_seconds, 3),
        "examples_per_second": round(status.examples_per_second, 1),
        **({} if status.input_stall is None else {"input_stall": status.input_stall}),
        **({"group": status.group} if status.group else {}),
        **({"resumed": status.resumed} if status.resumed else {}),
        **({"parent": status.parent.model_dump()} if status.parent else {}),
    }
    return {key: strict(value) for key, value in plain.items()}
