"""The two arrays of an .npz archive that examples are made of.

Nothing is ever extracted: the names in the archive are keys, whatever path they spell.
"""

import io
import zipfile
import zlib
from typing import IO, Any

from numpy.typing import NDArray

from trainer.data.content import MOST_BYTES
from trainer.data.npy_array import BadArrayError, Header, read_array, read_header
from trainer.data.parts import Arrays
from trainer.data.refusal import DataFile
from trainer.text import clean, clipped, quoted

_SHOWN = 8
_SUFFIX = ".npy"
# What zipfile raises on damaged archives, beside its own error; found by fuzzing it.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, OverflowError, IndexError,
)  # fmt: skip


def read_npz(content: bytes, file: DataFile, features: str, target: str) -> Arrays:
    """Return the arrays of features and targets.

    Args:
        content: of the archive.
        file: for messages.
        features: key of the features, which are numbers.
        target: key of the targets, which are numbers or text.

    Raises:
        ConfigError: the archive is damaged, lies about sizes, or does not hold two such arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {member.filename.removesuffix(_SUFFIX): member for member in archive.infolist()}
            _check_keys(archive, members, features, target, file)
            left = MOST_BYTES
            arrays = []
            for key in (features, target):
                arrays.append(_array(archive, members[key], left, file))
                left -= arrays[-1].nbytes
    except _DAMAGE as error:
        raise file.refused(
            f"must be a whole .npz archive, got a damaged one ({clipped(str(error), 60)}). Write it again."
        ) from None
    x, y = arrays
    return Arrays(file, x, y, clean(features), clean(target))


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int, file: DataFile) -> NDArray[Any]:
    try:
        with _opened(archive, member) as packed:
            return read_array(packed, member.file_size, most_bytes)
    except BadArrayError as error:
        raise file.refused(
            f"must hold plain arrays, got {quoted(member.filename)}, which {clean(str(error))}. Write it again."
        ) from None


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArrayError("is encrypted or packed in a way that NumPy does not use")
    return archive.open(member)


def _check_keys(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], features: str, target: str, file: DataFile
) -> None:
    for key, name in (("data.features", features), ("data.target", target)):
        if name not in members:
            found = [f"{clipped(k, 40)} ({_told(archive, member)})" for k, member in list(members.items())[:_SHOWN]]
            more = f" and {len(members) - _SHOWN} more" if len(members) > _SHOWN else ""
            raise file.refused(
                f"must name an array of the archive, got {quoted(name)}. It holds: "
                f"{', '.join(found) or 'nothing'}{more}.",
                key=key,
            )
    if features == target:
        raise file.refused(f"must not be the array of features, got {quoted(target)} for both.", key="data.target")


def _told(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header | str:
    try:
        with _opened(archive, member) as packed:
            return clipped(str(read_header(packed)), 60)
    except BadArrayError as error:
        return str(error)
