"""Checkpoints: a pair of `<id>.safetensors` (the arrays) and `<id>.json` (the manifest: everything else).

* The manifest is written last and holds the hash of the arrays: a pair that matches is a checkpoint, anything else is
  not.
* A published file is never written again. A step that is saved twice gets a second id.
* "Newest" goes by `sequence`, which counts saves: clocks jump, and a run resumed from an older step goes back in steps.
* Only data formats are read. Nothing in a checkpoint can name code.

One writer at a time, who holds the run's lock and remembers what it wrote; readers need no lock.
"""

import contextlib
import hashlib
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from trainer import failpoints, files
from trainer.checkpoint_manifest import Kind, Leaf, Manifest, damaged, problem, read_manifest, sealed
from trainer.problems import Problem, RunError

__all__ = [
    "Arrays", "Available", "Kind", "Manifest", "Seen", "arrays_of", "available", "load", "newest_good", "prune", "save",
]  # fmt: skip

Arrays = Mapping[str, np.ndarray[Any, Any]]

_PREFIX: dict[Kind, str] = {"last": "step", "best": "best"}
_KEPT: dict[Kind, int] = {"last": 2, "best": 1}
_ID = re.compile(r"(?:step|best)-\d{8,19}(?:-\d{1,9})?")
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


class Available(NamedTuple):
    """The checkpoints of a folder: the good ones, newest first, and one problem for each that is not."""

    good: list[Manifest]
    damaged: list[Problem]


@dataclass(slots=True)
class Seen:
    """What a writer knows of its folder. Since published files do not change, it reads and checks each once.

    Attributes:
        manifests: by the path of the arrays.
        whole: paths of arrays that matched their manifests.
        broken: of those that did not.
    """

    manifests: dict[Path, Manifest] = field(default_factory=dict)
    whole: set[Path] = field(default_factory=set)
    broken: set[Path] = field(default_factory=set)


def save(
    folder: Path,
    arrays: Arrays,
    manifest: Manifest,
    before_publish: Callable[[], object] | None = None,
    seen: Seen | None = None,
) -> Path:
    """Write a checkpoint that survives a power cut from the moment on that it can be seen.

    Args:
        folder: the run's `checkpoints` folder, created if its parent exists.
        arrays: leaves by path.
        manifest: what the caller knows; see `Manifest` for what is filled in here.
        before_publish: called when the arrays are safe and the manifest is not yet written; the place to sync
            `events.jsonl`, so that no checkpoint is newer than the records on disk.
        seen: the writer's, for all its saves.

    Returns:
        Path of the arrays.

    Raises:
        RunError: an array of a type that safetensors lacks.
        OSError: the disk refused; older checkpoints are untouched and nothing half-written counts.
    """
    seen = seen or Seen()
    leaves = {path: _dense(path, array) for path, array in arrays.items()}
    data = safetensors.numpy.save(leaves)
    files.make_folder(folder)
    filled = manifest.model_copy(
        update={
            "id": _free_id(folder, manifest),
            "sequence": 1 + max((other.sequence for other in _readable(folder, seen)), default=0),
            "leaves": {path: Leaf(shape=leaf.shape, dtype=leaf.dtype.name) for path, leaf in leaves.items()},
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
    )
    path = arrays_of(folder, filled)
    try:
        files.replace_atomically(path, data, durable=True)
        failpoints.pass_by("arrays saved")
        if before_publish:
            before_publish()
        files.replace_atomically(path.with_suffix(".json"), sealed(filled.model_dump_json().encode()), durable=True)
    except BaseException:
        if not path.with_suffix(".json").exists():
            with contextlib.suppress(OSError):
                files.remove(path)
        raise
    failpoints.pass_by("manifest saved")
    seen.manifests[path] = filled
    seen.whole.add(path)
    return path


def arrays_of(folder: Path, manifest: Manifest) -> Path:
    """Return where the arrays of a checkpoint are, or are to be."""
    return folder / f"{manifest.id}.safetensors"


def load(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], Manifest]:
    """Read a checkpoint, given either file of the pair; everything is checked before anything is returned.

    Raises:
        RunError: it is missing, damaged, from a newer version, or of another format; one line that says which.
    """
    path = path.with_suffix(".safetensors") if path.suffix == ".json" else path
    try:
        _refuse_foreign(path, files.read_regular(path, 9))
        manifest = read_manifest(path)
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
    for manifest in _readable(folder, Seen()):
        path = arrays_of(folder, manifest)
        if kind in (None, manifest.kind) and _is_good(path):
            return path
    return None


def prune(folder: Path, seen: Seen | None = None) -> None:
    """Remove checkpoints that are older than the last two good ones, or than the newest good best one.

    Also removes arrays without a manifest, which an interrupted `save` or `prune` leaves. A damaged checkpoint stays:
    somebody may want to look at it. Files with other names are not touched.
    """
    seen = seen or Seen()
    for kind, kept in _KEPT.items():
        good = 0
        for manifest in (manifest for manifest in _readable(folder, seen) if manifest.kind == kind):
            path = arrays_of(folder, manifest)
            if not _is_whole(path, seen):
                continue
            if good == kept:
                # The manifest first: interrupted here, what is left is not a damaged checkpoint but none.
                files.remove(path.with_suffix(".json"))
                failpoints.pass_by("pruning")
                files.remove(path)
            else:
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


def _decoded(path: Path, data: bytes, manifest: Manifest) -> dict[str, np.ndarray[Any, Any]]:
    try:
        tensors = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise damaged(path, f"not safetensors: {error}") from error
    if tensors.keys() != manifest.leaves.keys():
        raise damaged(path, "the arrays are not those that the manifest lists")
    arrays = {}
    for name, leaf in manifest.leaves.items():
        tensor = tensors[name]
        dtype = _DTYPES.get(tensor["dtype"])
        if dtype is None or dtype.name != leaf.dtype or tuple(tensor["shape"]) != leaf.shape:
            got, wanted = f"{tensor['dtype']} {tensor['shape']}", f"{leaf.dtype} {list(leaf.shape)}"
            raise damaged(path, f"leaf {name} is {got} where the manifest says {wanted}")
        arrays[name] = np.frombuffer(tensor["data"], dtype).reshape(leaf.shape)
    return arrays


def _refuse_foreign(path: Path, head: bytes) -> None:
    if head[8:9] == b"{":
        return  # first, since the length of a header may look like a pickle's opening
    found = next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), "")
    if found or path.suffix != ".safetensors":
        found = found or "in another format"
        raise problem(path, f"is {found}; only safetensors checkpoints are read. Convert it where it was made.")


def _checked(path: Path) -> Manifest:
    """Return the manifest of the arrays at `path` once both match, without holding the arrays in memory."""
    try:
        manifest = read_manifest(path)
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


def _is_whole(path: Path, seen: Seen) -> bool:
    """Say whether a checkpoint is good; of one that was so before, only whether it is still there."""
    if path not in seen.whole | seen.broken:
        (seen.whole if _is_good(path) else seen.broken).add(path)
    return path in seen.whole and path.exists()


def _readable(folder: Path, seen: Seen) -> list[Manifest]:
    """Return the manifests that can be read, newest first, whatever their arrays are like."""
    manifests = {}
    for path in _paths(folder):
        with contextlib.suppress(OSError, RunError):  # `available` says what is wrong with it
            manifests[path] = seen.manifests.get(path) or read_manifest(path)
    seen.manifests = manifests
    return sorted(manifests.values(), key=_age)


def _paths(folder: Path) -> list[Path]:
    """Return where the arrays are of every manifest in the folder."""
    return [path.with_suffix(".safetensors") for path in folder.glob("*.json") if _ID.fullmatch(path.stem)]


def _age(manifest: Manifest) -> tuple[int, int]:
    return -manifest.sequence, -manifest.step


def _require_whole(path: Path, manifest: Manifest, size: int, digest: str) -> None:
    if size != manifest.size:
        raise damaged(path, f"{size} bytes where the manifest says {manifest.size}")
    if digest != manifest.sha256:
        raise damaged(path, "the content does not match the hash in the manifest")


def _unreadable(path: Path, error: OSError) -> RunError:
    place = Path(error.filename) if isinstance(error.filename, str) else path
    return problem(place, f"cannot be read: {error.strerror or error}")
