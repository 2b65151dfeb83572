"""The two arrays of an .npz archive that examples are made of.

Nothing is ever extracted: the names in the archive are keys, whatever path they spell.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trainer.data.content import MOST_BYTES
from trainer.data.npy_array import BadArrayError, Header, read_array, read_header
from trainer.data.refusal import refused
from trainer.text import clean, clipped, quoted

_SHOWN = 8
_SUFFIX = ".npy"
# What zipfile raises on damaged archives, beside its own error; found by fuzzing it.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, OverflowError, IndexError,
)  # fmt: skip


def read_pair(content: bytes, path: Path, features: str, target: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the arrays of features and targets, of as many examples each, at least one.

    Args:
        content: of the archive.
        path: of the archive, for messages.
        features: key of the features, which are numbers.
        target: key of the targets, which are numbers or text.

    Raises:
        ConfigError: the archive is damaged, lies about sizes, or does not hold two such arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {member.filename.removesuffix(_SUFFIX): member for member in archive.infolist()}
            _check_keys(archive, members, features, target, path)
            left = MOST_BYTES
            arrays = []
            for key in (features, target):
                arrays.append(_array(archive, members[key], left, path))
                left -= arrays[-1].nbytes
    except _DAMAGE as error:
        raise refused(
            f"must be a whole .npz archive, got a damaged one ({clipped(str(error), 60)}). Write it again.", path=path
        ) from None
    x, y = arrays
    if not x.ndim or not y.ndim or len(x) != len(y):
        raise refused(
            "must hold arrays with as many examples each,"
            f" got {quoted(features)} {list(x.shape)} and {quoted(target)} {list(y.shape)}.",
            path=path,
        )
    if not x.size or not y.size:
        raise refused(f"must hold examples, got {list(x.shape)} and {list(y.shape)}. Add examples.", path=path)
    if x.dtype.kind == "U":
        raise refused("must name an array of numbers, got one of text. Encode it.", "data.features", path)
    return x, y


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int, path: Path) -> NDArray[Any]:
    try:
        return read_array(archive, member, read_header(archive, member), most_bytes)
    except BadArrayError as error:
        raise refused(
            f"must hold plain arrays, got {quoted(member.filename)}, which {clean(str(error))}. Write it again.",
            path=path,
        ) from None


def _check_keys(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], features: str, target: str, path: Path
) -> None:
    for key, name in (("data.features", features), ("data.target", target)):
        if name not in members:
            found = [f"{clipped(k, 40)} ({_told(archive, member)})" for k, member in list(members.items())[:_SHOWN]]
            more = f" and {len(members) - _SHOWN} more" if len(members) > _SHOWN else ""
            raise refused(
                f"must name an array of the archive, got {quoted(name)}. It holds: "
                f"{', '.join(found) or 'nothing'}{more}.",
                key, path,
            )  # fmt: skip
    if features == target:
        raise refused(f"must not be the array of features, got {quoted(target)} for both.", "data.target", path)


def _told(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header | str:
    try:
        return clipped(str(read_header(archive, member)), 60)
    except BadArrayError as error:
        return str(error)
