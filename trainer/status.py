"""`run.json`: what is known of a run without its records, and the words for where it stands."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from trainer import files
from trainer.events import Count, InputStall, Reason, Seconds, Unsaved, What

_NAME = "run.json"
_MOST_BYTES = 1 << 20

State = Literal["starting", "compiling", "running", "paused", "finished", "stopped", "diverged", "failed"]
"""What a trainer last said of its run."""

Shown = State | Literal["crashed", "damaged"]
"""What a run shows as to whoever also looks at its lock and its files."""

LIVE: frozenset[str] = frozenset({"starting", "compiling", "running", "paused"})
"""The states of a run that has not ended."""

ENDS: dict[Reason, State] = {
    "completed": "finished",
    "early_stopped": "finished",
    "stopped": "stopped",
    "interrupted": "stopped",
    "diverged": "diverged",
    "failed": "failed",
}
"""The state that a run is left in, by the reason why it ended."""


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

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Return that of a run. Raises OSError, or pydantic's ValidationError if it is not what a trainer writes."""
        return cls.model_validate_json(files.read_regular(directory / _NAME, _MOST_BYTES))

    def write(self, directory: Path) -> None:
        """Replace that of a run. Raises OSError."""
        files.replace_atomically(directory / _NAME, self.model_dump_json(indent=1).encode(), durable=False)

    def at_the_start(self) -> Self:
        """Return what was known when the run began: what its records add to that is left out."""
        known = {
            "name", "pid", "process_started", "host", "boot_id", "versions", "created", "group", "replica", "replicas",
            "parent", "n_parameters", "data_fingerprint", "epochs_planned",
        }  # fmt: skip
        return type(self)(**self.model_dump(include=known))
