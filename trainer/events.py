"""Records: what a run tells, one class each. The trainer appends them to `events.jsonl`, everything else reads them.

JSON has no infinities and no NaN: such numbers are written as the strings "Infinity", "-Infinity" and "NaN".
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from trainer.commands import Command

# A file of records may be anybody's. Numbers beyond these would make arithmetic fail on its way to the screen.
Count = Annotated[int, Field(ge=0, lt=2**53)]
Whole = Annotated[int, Field(gt=-(2**63), lt=2**63)]
Seconds = Annotated[float, Field(gt=-1.0, lt=1e12)]

Reason = Literal["completed", "early_stopped", "stopped", "interrupted", "diverged", "failed"]


class Record(BaseModel):
    """What every record has.

    Attributes:
        seq: number of the record within its run, from 0.
        time: when it was written, Unix seconds.
        elapsed: seconds trained until then, without compiling and pauses.
        epoch: epoch it belongs to, 0-based.
        step: updates done.
    """

    model_config = ConfigDict(
        defer_build=True, frozen=True, ser_json_inf_nan="strings", serialize_by_alias=True, populate_by_name=True
    )

    seq: Count = 0
    time: Seconds = 0.0
    elapsed: Seconds = 0.0
    epoch: Count = 0
    step: Count = 0


class Started(Record):
    """Training begins, or goes on.

    Attributes:
        resumed_from: updates done before, or None.
        fork_of: the run and epoch that it is a fork of, in words; "" for none, and left out.
        device: in words.
        buffer: examples on the device at a time where they stream, else 0, and left out.
        surroundings: what the bits of the result may depend on beside the config, as `trainer.surroundings` has it.
        differences: what of that is no longer what it was, in words; left out where nothing is.
    """

    kind: Literal["started"] = "started"
    resumed_from: Count | None = None
    fork_of: Annotated[str, Field(exclude_if=lambda words: not words)] = ""
    n_parameters: Count
    device: str
    steps_per_epoch: Annotated[Count, Field(ge=1)]
    buffer: Annotated[Count, Field(exclude_if=lambda count: count == 0)] = 0
    surroundings: dict[str, str] = {}
    differences: Annotated[list[str], Field(exclude_if=lambda found: not found)] = []


class Reopened(Record):
    """A run that was over or cut off is made ready to go on."""

    kind: Literal["reopened"] = "reopened"


class Replayed(Record):
    """What became of the epochs that a run had recorded beyond the checkpoint from which it was resumed.

    Attributes:
        verified: how many were computed again with the same metrics, bit for bit, and the same decisions.
        differs_from: first epoch that came out otherwise, or None. What stands before this record of that epoch and of
            later ones no longer holds.
    """

    kind: Literal["replayed"] = "replayed"
    verified: Count
    differs_from: Count | None = None


class Compiled(Record):
    """A program was compiled, or was in the cache: the seconds it took, and what XLA tells of it.

    In `flops` a loop's body counts once.
    """

    kind: Literal["compiled"] = "compiled"
    what: str
    seconds: Seconds
    flops: float | None = None
    memory_bytes: Count | None = None
    from_cache: bool = False


class Spread(BaseModel):
    """One metric over several updates."""

    model_config = ConfigDict(defer_build=True, frozen=True, ser_json_inf_nan="strings")

    mean: float
    min: float
    max: float
    last: float


InputStall = Annotated[float | None, Field(exclude_if=lambda share: share is None)]
"""Share of the training so far in which the devices waited for examples; None, and left out, where none stream."""


class Steps(Record):
    """Metrics over the updates since the last such record."""

    kind: Literal["steps"] = "steps"
    metrics: dict[str, Spread]
    input_stall: InputStall = None


class Epoch(Record):
    """The end of an epoch; `learning_rate` among the metrics is the base rate times the schedule, as last used."""

    kind: Literal["epoch"] = "epoch"
    metrics: dict[str, float]
    examples_per_second: float
    input_stall: InputStall = None


class Distribution(BaseModel):
    """How many values lie in each of the equal bins from the lowest to the highest; of many, a sample is counted."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    low: float
    high: float
    counts: Annotated[list[Count], Field(min_length=1)]


class Layer(BaseModel):
    """What goes on inside of a layer.

    Attributes:
        gradient_norm: length of the gradient of its parameters.
        weight_norm: length of its parameters.
        update_ratio: length of an update over that of the parameters.
        mean, std: of its outputs, over units and examples; None where the outputs of this layer are not known.
        dead: share of its units that give the same output for every example; likewise.
        weights, outputs: how they are distributed; None where some are no number, or not known.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, ser_json_inf_nan="strings")

    gradient_norm: float
    weight_norm: float
    update_ratio: float
    mean: float | None
    std: float | None
    dead: float | None
    weights: Distribution | None
    outputs: Distribution | None


class Layers(Record):
    """A look inside at the end of an epoch, by layer."""

    kind: Literal["layers"] = "layers"
    layers: dict[str, Layer]


class LearningRateReduced(Record):
    """ReduceLROnPlateau cut the base rate."""

    kind: Literal["learning_rate_reduced"] = "learning_rate_reduced"
    from_: float = Field(alias="from")
    to: float
    monitor: str
    best: float | None
    wait: Count


class EarlyStopped(Record):
    """EarlyStopping ended the training."""

    kind: Literal["early_stopped"] = "early_stopped"
    monitor: str
    best: float | None
    best_epoch: Count | None
    wait: Count


class CheckpointSaved(Record):
    """A checkpoint is on disk; epoch and step are those it was taken at."""

    kind: Literal["checkpoint_saved"] = "checkpoint_saved"
    path: str
    reason: str
    monitor: str | None = None
    value: float | None = None


class WeightsRestored(Record):
    """The weights of the best epoch are back; epoch is that epoch."""

    kind: Literal["weights_restored"] = "weights_restored"
    reason: str
    monitor: str | None = None
    value: float | None = None


class HyperparameterSet(Record):
    """A live number was changed; `by` says by whom."""

    kind: Literal["hyperparameter_set"] = "hyperparameter_set"
    key: str
    from_: float | Whole | bool | str | None = Field(alias="from")
    to: float | Whole | bool | str | None
    by: str


class Commanded(Record):
    """Commands that were read, written down before they are obeyed: a resumed run obeys them at the same update.

    Attributes:
        commands: in order.
        offset: bytes of `commands.jsonl` that were read by now.
    """

    kind: Literal["commanded"] = "commanded"
    commands: list[Command]
    offset: int


class Message(Record):
    """A line for the person; `evidence` holds the numbers it rests on."""

    message: str
    evidence: dict[str, Any] = {}


class Paused(Message):
    """The run waits."""

    kind: Literal["paused"] = "paused"


class Resumed(Message):
    """The run goes on."""

    kind: Literal["resumed"] = "resumed"


class Diverged(Message):
    """The loss is no longer a number; `evidence`: step, learning rate and gradient norm before it."""

    kind: Literal["diverged"] = "diverged"


class Insight(Message):
    """Something that a person who looks at the curves should know; `name` is that of its rule."""

    kind: Literal["insight"] = "insight"
    name: str = ""


class Warned(Message):
    """Something that is not as it should be, and does not end the run."""

    kind: Literal["warning"] = "warning"


What = Literal["records", "checkpoints", "pictures.json", "tensorboard", "log.txt"]
"""What a run may fail to save; with the records goes `run.json`."""


class Unsaved(Message):
    """The disk refuses something from now on, for the reason that `message` is; the training goes on in memory."""

    kind: Literal["unsaved"] = "unsaved"
    what: What


class SavedAgain(Message):
    """The disk takes it again; `message` says what was lost meanwhile, if anything was."""

    kind: Literal["saved_again"] = "saved_again"
    message: str = ""
    what: What


class Tested(Record):
    """The test split was looked at, once, at the end, with the weights that the run keeps."""

    kind: Literal["tested"] = "tested"
    metrics: dict[str, float]


class Finished(Record):
    """The last record of a run, unless it is resumed or extended."""

    kind: Literal["finished"] = "finished"
    reason: Reason
    message: str = ""


Event = Annotated[
    Started | Compiled | Steps | Epoch | Layers | LearningRateReduced | EarlyStopped | CheckpointSaved | WeightsRestored
    | HyperparameterSet | Paused | Resumed | Diverged | Insight | Warned | Unsaved | SavedAgain | Tested | Finished
    | Commanded | Reopened | Replayed,
    Field(discriminator="kind"),
]  # fmt: skip

_EVENTS: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))


def decode(line: bytes) -> Event:
    """Return the record in a line. Raises pydantic's ValidationError if there is none."""
    return _EVENTS.validate_json(line)


def encode(event: Event) -> bytes:
    """Return the record as a line, newline included."""
    return event.model_dump_json().encode() + b"\n"
