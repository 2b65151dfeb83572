"""The bytes of a person's file, and what they are: told by the bytes, never by the file's name."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from trainer import memory
from trainer.data.refusal import DataFile, refused

Format = Literal["csv", "parquet", "npz", "npy", "idx"]

MOST_BYTES = 2_000_000_000
"""Largest file, packed and unpacked, and largest sum of arrays in one, that is read into memory."""

NAMES: dict[Format, str] = {
    "csv": "a CSV file in UTF-8", "parquet": "a Parquet file", "npz": "an .npz archive", "npy": "a .npy file",
    "idx": "an IDX file",
}  # fmt: skip

Stamp = tuple[int, int]
"""Size of a file in bytes, and time of its last change in nanoseconds."""

CHANGED = "must not change while it is read, got a file that did. Wait until it is complete."

_TOO_LARGE = "Train on a sample of the rows, or save them as .npy, which streams."
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_REASONS = {
    errno.ENOENT: "must name a file or folder, got a path where there is none. Check the spelling and the folder.",
    errno.ENOTDIR: "must name a file or folder, got a path through something that is no folder. Check the path.",
    errno.EACCES: "must be readable, got a file or folder without that permission. Change it with chmod.",
    errno.ELOOP: "must name a file or folder, got symbolic links that lead in a circle. Name the file itself.",
    errno.ENAMETOOLONG: "must name a file or folder, got a path too long for this system. Shorten it.",
}
_GZIP = b"\x1f\x8b"
_FORMATS: tuple[tuple[bytes, Format], ...] = ((b"\x93NUMPY", "npy"), (b"PAR1", "parquet"), (b"PK", "npz"))
_STRANGERS = (
    (_GZIP, "a gzip file within another. Unpack it first"),
    (b"\x89HDF", "an HDF5 file. Save its arrays into one .npz with numpy.savez"),
    (b"\x89PNG", "a single picture. Name a folder of pictures"),
    (b"\xff\xd8\xff", "a single picture. Name a folder of pictures"),
    (b"BZh", "a bzip2 file. Unpack it first"),
    (b"\xfd7zXZ", "an xz file. Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file. Unpack it first"),
    (b"\x80", "a binary file, perhaps a pickle, which could run code. Write it as CSV or .npz"),
    (b"ARROW1", "an Arrow file. Write it as Parquet"),
    (b"SQLite format 3", "a SQLite database. Export a table as CSV"),
    (b"\xff\xfe", "UTF-16 text. Save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text. Save it as UTF-8"),
)
_IDX_TYPES = b"\x08\x09\x0b\x0c\x0d\x0e"


def resolved(path: str, file_base: Path | None, key: str) -> Path:
    """Return the path of the file: "~" is the home folder, a relative path starts from `file_base`.

    Raises:
        ConfigError: no file can have such a path.
    """
    if "\0" in path:
        raise refused("must name a file, got a path with a NUL character. Remove it.", key)
    try:
        given = Path(path).expanduser()
    except RuntimeError:
        message = "must name a file, got a home folder of a user who is not known. Write the path out."
        raise refused(message, key) from None
    return (file_base or Path()) / given


def stamp(file: DataFile) -> Stamp:
    """Return what is another whenever the content is. Raises ConfigError: there is no regular file, or it is empty."""
    try:
        status = file.path.stat()
    except OSError as error:
        raise unreadable(file, error) from None
    return stamp_of(file, status)


def read_content(file: DataFile) -> bytes:
    """Return the whole content of a regular file, unpacked if it is gzip, following symbolic links, never waiting.

    Raises:
        ConfigError: it cannot be read, is no regular file, is empty, damaged or too large, or changes meanwhile.
    """
    with opened(file) as (stored, descriptor):
        before = stamp_of(file, os.fstat(descriptor))
        if before[0] > MOST_BYTES:
            raise file.refused(f"must be at most {MOST_BYTES} bytes, got {before[0]}. {_TOO_LARGE}")
        # As it is, and as what is made of it.
        if lacking := memory.shortage_here(2 * before[0]):
            raise file.refused(f"must fit into memory, got a file that needs {lacking}. {_TOO_LARGE}")
        content = stored.read(before[0] + 1)
        after = stamp_of(file, os.fstat(descriptor))
    if before != after or len(content) != before[0]:
        raise file.refused(CHANGED)
    if content.startswith(_GZIP):
        from trainer.data.unpacking import unpacked

        return unpacked(content, MOST_BYTES, file)
    return content


@contextmanager
def opened(file: DataFile) -> Iterator[tuple[IO[bytes], int]]:
    """Open a regular file, following symbolic links, never waiting; give it and its descriptor.

    Raises:
        ConfigError: it cannot be read, is no regular file or is empty.
    """
    # Looked at before it is opened: opening a device may already set it in motion.
    stamp(file)
    try:
        descriptor = os.open(file.path, _READ)
        with os.fdopen(descriptor, "rb") as stored:
            yield stored, descriptor
    except OSError as error:
        raise unreadable(file, error) from None


def format_of(content: bytes, file: DataFile) -> Format:
    """Return what the bytes are; what is nothing else is text.

    Raises:
        ConfigError: they are known to be something that is not read.
    """
    for magic, found in _FORMATS:
        if content.startswith(magic):
            return found
    for magic, name in _STRANGERS:
        if content.startswith(magic):
            raise file.refused(f"must be {', '.join(list(NAMES.values())[:-1])} or {NAMES['idx']}, got {name}.")
    return "idx" if content.startswith(b"\0\0") and content[2:3] in _IDX_TYPES and len(content) > 2 else "csv"


def stamp_of(file: DataFile, status: os.stat_result) -> Stamp:
    """Return what `stamp` does, of what the system says of a file. Raises ConfigError: it is none, or empty."""
    if stat.S_ISDIR(status.st_mode):
        raise file.refused(
            "must name a file, got a folder. Name a file in it. Folders are for other sources, such as images."
        )
    if not stat.S_ISREG(status.st_mode):
        raise file.refused("must name a regular file, got a pipe, socket or device. Copy its content to a file.")
    if not status.st_size:
        raise file.refused("must hold examples, got an empty file.")
    return status.st_size, status.st_mtime_ns


def unreadable(file: DataFile, error: OSError) -> Exception:
    """Return the error to raise about what the system says of a file or folder."""
    return file.refused(
        _REASONS.get(error.errno or 0, f"must be readable, got {error.strerror}. Copy the file elsewhere.")
    )
