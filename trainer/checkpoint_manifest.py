"""The manifest of a checkpoint: what stands in `<id>.json` beside the arrays.

It ends in a checksum of itself, so that a flipped bit in a patience counter is noticed. It is strict JSON: a number
that is not finite is written as "NaN", "Infinity" or "-Infinity", and in the numbers of callbacks, of the config and
of `extra` those words always come back as numbers.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, NonNegativeInt
from pydantic import ValidationError as ManifestError

from trainer import files
from trainer.problems import Problem, RunError

Kind = Literal["last", "best"]

SCHEMA = 1
_CHECKSUM = b',"checksum":"'
_SIZE_LIMIT = 1 << 24
_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def _with_numbers(value: JsonValue) -> JsonValue:
    """Turn the words for numbers that are not finite back into these, at any depth."""
    if isinstance(value, dict):
        return {key: _with_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value


Number = Annotated[float, BeforeValidator(_with_numbers)]
Json = Annotated[JsonValue, AfterValidator(_with_numbers)]


class Versioned(BaseModel):
    """What every version of the manifest has. Unknown fields are passed over: a newer minor version may add some."""

    model_config = ConfigDict(strict=True, frozen=True, ser_json_inf_nan="strings", serialize_by_alias=True)

    schema_version: int = Field(SCHEMA, alias="schema")


class Leaf(BaseModel):
    """Shape and type of one array; the type by NumPy's name, such as "bfloat16"."""

    model_config = ConfigDict(strict=True, frozen=True)

    shape: tuple[NonNegativeInt, ...]
    dtype: str


class Manifest(Versioned):
    """All of a checkpoint but its arrays. `save` fills in `id`, `sequence`, `leaves`, `sha256` and `size`.

    Attributes:
        kind: "last" for a state to go on from, "best" for the weights of the best value of `monitor` so far.
        epoch: of "last" the epoch in progress, of "best" the one it is the end of; 0-based.
        step: updates done.
        time: when it was taken, Unix seconds.
        reason: why it was taken, such as "epoch", "best" or "end".
        callbacks: of "last" the state of each callback, by its name.
        numbers: of "last" the live hyperparameters, by dotted key.
        extra: whatever else the caller needs to go on.
    """

    id: str = ""
    sequence: NonNegativeInt = 0
    kind: Kind
    epoch: NonNegativeInt
    step: NonNegativeInt
    time: Number
    reason: str = ""
    monitor: str | None = None
    value: Number | None = None
    leaves: dict[str, Leaf] = {}
    sha256: str = ""
    size: NonNegativeInt = 0
    versions: dict[str, str] = {}
    callbacks: dict[str, dict[str, Json]] = {}
    numbers: dict[str, Number] = {}
    extra: dict[str, Json] = {}


def sealed(body: bytes) -> bytes:
    """Return the JSON object with a checksum of itself as its last member."""
    return body[:-1] + _CHECKSUM + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def read_manifest(path: Path) -> Manifest:
    """Read the manifest that belongs to the arrays at `path`, which are not looked at.

    Raises:
        RunError: it is damaged, renamed or of a newer version.
        OSError: it cannot be read.
    """
    path = path.with_suffix(".json")
    data = files.read_regular(path, _SIZE_LIMIT)
    body, _, checksum = data.rpartition(_CHECKSUM)
    if checksum != hashlib.sha256(body + b"}").hexdigest().encode() + b'"}\n':
        raise damaged(path, "the manifest does not match its checksum")
    try:
        if (version := Versioned.model_validate_json(data).schema_version) > SCHEMA:
            raise problem(path, f"has schema {version}, this nn-tui reads up to {SCHEMA}. Update nn-tui.")
        manifest = Manifest.model_validate_json(data)
    except ManifestError as error:
        first = error.errors()[0]
        raise damaged(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if manifest.id != path.stem:
        raise problem(path, f"was renamed, it is checkpoint {manifest.id!r}. Give both files their names back.")
    return manifest


def damaged(path: Path, what: str) -> RunError:
    """Return the error that says what is broken about a file of a checkpoint."""
    return problem(path, f"is damaged ({what}). Use an older checkpoint.")


def problem(path: Path, message: str) -> RunError:
    """Return the error with one problem of one file."""
    return RunError(Problem(message, file=str(path)))
