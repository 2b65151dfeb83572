"""Checkpoints: a pair of `<id>.safetensors` (the arrays) and `<id>.json` (the manifest: everything else).

* The manifest is written last and holds the hash of the arrays: a pair that matches is a checkpoint, anything else is
  not. The manifest ends in a checksum of itself, so that a flipped bit in a patience counter is noticed too.
* A published file is never written again. A step that is saved twice gets a second id.
* "Newest" goes by `sequence`, which counts saves: clocks jump, and a run resumed from an older step goes back in steps.
* Only data formats are read. Nothing in a checkpoint can name code.

One writer at a time, who holds the run's lock; readers need none.
"""

import contextlib
import hashlib
import itertools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, NonNegativeInt
from pydantic import ValidationError as ManifestError

from trainer import files
from trainer.problems import Problem, RunError

Kind = Literal["last", "best"]
Arrays = Mapping[str, np.ndarray[Any, Any]]

SCHEMA = 1
_PREFIX: dict[Kind, str] = {"last": "step", "best": "best"}
_KEPT: dict[Kind, int] = {"last": 2, "best": 1}
_ID = re.compile(r"(?:step|best)-\d{8,19}(?:-\d{1,9})?")
_CHECKSUM = b',"checksum":"'
_MANIFEST_LIMIT = 1 << 24
_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_TAGS = "BOOL:bool I8:i1 I16:i2 I32:i4 I64:i8 U8:u1 U16:u2 U32:u4 U64:u8 F16:f2 F32:f4 F64:f8 C64:c8"
_DTYPES: dict[str, np.dtype[Any]] = {tag: np.dtype(kind) for tag, kind in (pair.split(":") for pair in _TAGS.split())}
_DTYPES["BF16"] = np.dtype(ml_dtypes.bfloat16)
_FOREIGN = {
    b"PK\x03\x04": "a zip archive (.npz, .pt or .keras)",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"\x1f\x8b": "a gzip file",
    **{b"\x80" + bytes([protocol]): "a pickle, which runs code when it is read" for protocol in range(2, 6)},
}


def _with_numbers(value: JsonValue) -> JsonValue:
    """Turn the strings that stand for non-finite numbers back, at any depth: JSON has none."""
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
        kind: "last" for going on from, "best" for the best value of `monitor` so far.
        epoch: epoch in progress, 0-based.
        step: updates done.
        time: when it was taken, Unix seconds.
        reason: why it was taken, such as "epoch" or "stopped".
        callbacks: state of each callback, by its name.
        numbers: live hyperparameters at `step`, by dotted key.
        events_offset: bytes of `events.jsonl` that belong to the steps before.
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
    events_offset: NonNegativeInt = 0
    extra: dict[str, Json] = {}


class Available(NamedTuple):
    """The checkpoints of a folder: the good ones, newest first, and one problem for each that is not."""

    good: list[Manifest]
    damaged: list[Problem]


def save(folder: Path, arrays: Arrays, manifest: Manifest, before_publish: Callable[[], object] | None = None) -> Path:
    """Write a checkpoint that survives a power cut from the moment on that it can be seen.

    Args:
        folder: the run's `checkpoints` folder, created if its parent exists.
        arrays: leaves by path.
        manifest: what the caller knows; see `Manifest` for what is filled in here.
        before_publish: called when the arrays are safe and the manifest is not yet written; the place to sync
            `events.jsonl`, which `events_offset` points into.

    Returns:
        Path of the arrays.

    Raises:
        RunError: an array of a type that safetensors lacks.
        OSError: the disk refused; older checkpoints are untouched and nothing half-written counts.
    """
    leaves = {path: _dense(path, array) for path, array in arrays.items()}
    data = safetensors.numpy.save(leaves)
    files.make_folder(folder)
    filled = manifest.model_copy(
        update={
            "id": _free_id(folder, manifest),
            "sequence": 1 + max((other.sequence for other in _readable(folder)), default=0),
            "leaves": {path: Leaf(shape=leaf.shape, dtype=leaf.dtype.name) for path, leaf in leaves.items()},
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
    )
    path = folder / f"{filled.id}.safetensors"
    try:
        files.replace_atomically(path, data, durable=True)
        if before_publish:
            before_publish()
        files.replace_atomically(path.with_suffix(".json"), _sealed(filled.model_dump_json().encode()), durable=True)
    except BaseException:
        if not path.with_suffix(".json").exists():
            with contextlib.suppress(OSError):
                files.remove(path)
        raise
    return path


def load(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], Manifest]:
    """Read a checkpoint, given either file of the pair; everything is checked before anything is returned.

    Raises:
        RunError: it is missing, damaged, from a newer version, or of another format; one line that says which.
    """
    path = path.with_suffix(".safetensors") if path.suffix == ".json" else path
    try:
        _refuse_foreign(path, files.read_regular(path, 9))
        manifest = _read_manifest(path)
        data = files.read_regular(path, manifest.size + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    _require_whole(path, manifest, len(data), hashlib.sha256(data).hexdigest())
    return _decoded(path, data, manifest), manifest


def available(folder: Path) -> Available:
    """Check every checkpoint of the folder, hashes included; a folder that does not exist has none."""
    found = Available([], [])
    for path in _paths(folder):
        try:
            found.good.append(_checked(path))
        except RunError as error:
            # Otherwise the trainer has pruned it while this, perhaps another process, was looking.
            if path.with_suffix(".json").exists():
                found.damaged.extend(error.problems)
    found.good.sort(key=_age)
    return found


def newest_good(folder: Path, kind: Kind | None = None) -> Path | None:
    """Return the arrays of the newest checkpoint that is whole (of that kind, if given), or None."""
    for manifest in _readable(folder):
        path = folder / f"{manifest.id}.safetensors"
        if kind in (None, manifest.kind) and _is_good(path):
            return path
    return None


def prune(folder: Path) -> None:
    """Remove checkpoints that are older than the last two good ones, or than the newest good best one.

    Also removes arrays without a manifest, which an interrupted `save` or `prune` leaves. A damaged checkpoint newer
    than the good ones stays: somebody may want to look at it. Files with other names are not touched.
    """
    for kind, kept in _KEPT.items():
        good = 0
        for manifest in (manifest for manifest in _readable(folder) if manifest.kind == kind):
            path = folder / f"{manifest.id}.safetensors"
            if good == kept:
                # The manifest first: interrupted here, what is left is not a damaged checkpoint but none.
                files.remove(path.with_suffix(".json"))
                files.remove(path)
            elif _is_good(path):
                good += 1
    for path in folder.glob("*.safetensors"):
        if _ID.fullmatch(path.stem) and not path.with_suffix(".json").exists():
            files.remove(path)


def _dense(path: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the array as safetensors needs it; it would write others, such as transposed ones, wrongly."""
    if path in ("", "__metadata__"):
        raise RunError(f"a leaf of a checkpoint cannot be called {path!r}")
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _DTYPES.values():
        raise RunError(f"leaf {path} has type {array.dtype}, which a checkpoint cannot hold")
    return np.asarray(array, dtype=dtype, order="C")


def _free_id(folder: Path, manifest: Manifest) -> str:
    first = f"{_PREFIX[manifest.kind]}-{manifest.step:08d}"
    taken = {path.stem for path in folder.iterdir()}
    names = itertools.chain([first], (f"{first}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)


def _sealed(body: bytes) -> bytes:
    """Return the JSON object with a checksum of itself as its last member."""
    return body[:-1] + _CHECKSUM + hashlib.sha256(body).hexdigest().encode() + b'"}\n'


def _read_manifest(path: Path) -> Manifest:
    """Read the manifest that belongs to the arrays at `path`."""
    path = path.with_suffix(".json")
    data = files.read_regular(path, _MANIFEST_LIMIT)
    body, _, checksum = data.rpartition(_CHECKSUM)
    if checksum != hashlib.sha256(body + b"}").hexdigest().encode() + b'"}\n':
        raise _damaged(path, "the manifest does not match its checksum")
    try:
        if (version := Versioned.model_validate_json(data).schema_version) > SCHEMA:
            raise _problem(path, f"has schema {version}, this nn-tui reads up to {SCHEMA}. Update nn-tui.")
        manifest = Manifest.model_validate_json(data)
    except ManifestError as error:
        first = error.errors()[0]
        raise _damaged(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if manifest.id != path.stem:
        raise _problem(path, f"was renamed, it is checkpoint {manifest.id!r}. Give both files their names back.")
    return manifest


def _decoded(path: Path, data: bytes, manifest: Manifest) -> dict[str, np.ndarray[Any, Any]]:
    try:
        tensors = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise _damaged(path, f"not safetensors: {error}") from error
    if tensors.keys() != manifest.leaves.keys():
        raise _damaged(path, "the arrays are not those that the manifest lists")
    arrays = {}
    for name, leaf in manifest.leaves.items():
        tensor = tensors[name]
        dtype = _DTYPES.get(tensor["dtype"])
        if dtype is None or dtype.name != leaf.dtype or tuple(tensor["shape"]) != leaf.shape:
            got, wanted = f"{tensor['dtype']} {tensor['shape']}", f"{leaf.dtype} {list(leaf.shape)}"
            raise _damaged(path, f"leaf {name} is {got} where the manifest says {wanted}")
        arrays[name] = np.frombuffer(tensor["data"], dtype).reshape(leaf.shape)
    return arrays


def _refuse_foreign(path: Path, head: bytes) -> None:
    if head[8:9] == b"{":
        return  # first, since the length of a header may look like a pickle's opening
    found = next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), "")
    if found or path.suffix != ".safetensors":
        found = found or "in another format"
        raise _problem(path, f"is {found}; only safetensors checkpoints are read. Convert it where it was made.")


def _checked(path: Path) -> Manifest:
    """Return the manifest of the arrays at `path` once both match, without holding the arrays in memory."""
    try:
        manifest = _read_manifest(path)
        with files.open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            _require_whole(path, manifest, file.tell(), digest)
    except OSError as error:
        raise _unreadable(path, error) from error
    return manifest


def _is_good(path: Path) -> bool:
    with contextlib.suppress(RunError):
        return bool(_checked(path))
    return False


def _readable(folder: Path) -> list[Manifest]:
    """Return the manifests that can be read, newest first, whatever their arrays are like."""
    manifests = []
    for path in _paths(folder):
        with contextlib.suppress(OSError, RunError):  # `available` says what is wrong with it
            manifests.append(_read_manifest(path))
    return sorted(manifests, key=_age)


def _paths(folder: Path) -> list[Path]:
    """Return where the arrays are of every manifest in the folder."""
    return [path.with_suffix(".safetensors") for path in folder.glob("*.json") if _ID.fullmatch(path.stem)]


def _age(manifest: Manifest) -> tuple[int, int]:
    return -manifest.sequence, -manifest.step


def _require_whole(path: Path, manifest: Manifest, size: int, digest: str) -> None:
    if size != manifest.size:
        raise _damaged(path, f"{size} bytes where the manifest says {manifest.size}")
    if digest != manifest.sha256:
        raise _damaged(path, "the content does not match the hash in the manifest")


def _damaged(path: Path, what: str) -> RunError:
    return _problem(path, f"is damaged ({what}). Use an older checkpoint.")


def _unreadable(path: Path, error: OSError) -> RunError:
    place = Path(error.filename) if isinstance(error.filename, str) else path
    return _problem(place, f"cannot be read: {error.strerror or error}")


def _problem(path: Path, message: str) -> RunError:
    return RunError(Problem(message, file=str(path)))
