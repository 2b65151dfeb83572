"""The bytes of a person's file, and what they are: told by the bytes, never by the file's name."""

import errno
import os
import stat
from pathlib import Path

from trainer.data.refusal import refused

MOST_BYTES = 2_000_000_000
"""Largest file, and largest sum of arrays in one, that is read into memory."""

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_REASONS = {
    errno.ENOENT: "must name a file, got a path where there is none. Check the spelling and the folder.",
    errno.ENOTDIR: "must name a file, got a path through something that is no folder. Check the path.",
    errno.EACCES: "must be readable, got a file or folder without that permission. Change it with chmod.",
    errno.ELOOP: "must name a file, got symbolic links that lead in a circle. Name the file itself.",
    errno.ENAMETOOLONG: "must name a file, got a path too long for this system. Shorten it.",
}
_MAGIC = (
    (b"\x93NUMPY", "a single .npy array. Save features and target into one .npz with numpy.savez"),
    (b"PAR1", "a Parquet file. Write it as CSV"),
    (b"\x89HDF", "an HDF5 file. Save its arrays into one .npz with numpy.savez"),
    (b"\x1f\x8b", "a gzip file. Unpack it first"),
    (b"BZh", "a bzip2 file. Unpack it first"),
    (b"\xfd7zXZ", "an xz file. Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file. Unpack it first"),
    (b"\x80", "a binary file, perhaps a pickle, which could run code. Write it as CSV or .npz"),
    (b"ARROW1", "an Arrow file. Write it as CSV"),
    (b"SQLite format 3", "a SQLite database. Export a table as CSV"),
    (b"\xff\xfe", "UTF-16 text. Save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text. Save it as UTF-8"),
)
_ZIP = b"PK"


def resolved(path: str, file_base: Path | None) -> Path:
    """Return the path of the file: "~" is the home folder, a relative path starts from `file_base`.

    Raises:
        ConfigError: no file can have such a path.
    """
    if "\0" in path:
        raise refused("must name a file, got a path with a NUL character. Remove it.")
    try:
        given = Path(path).expanduser()
    except RuntimeError:
        raise refused("must name a file, got a home folder of a user who is not known. Write the path out.") from None
    return (file_base or Path()) / given


def stamp(path: Path) -> tuple[int, int]:
    """Return size in bytes and time of the last change in nanoseconds. Raises as `read_content`."""
    try:
        status = path.stat()
    except OSError as error:
        raise _refused(path, error) from None
    return _stamp_of(path, status)


def read_content(path: Path) -> bytes:
    """Return the whole content of a regular file, following symbolic links, never waiting.

    Raises:
        ConfigError: it cannot be read, is no regular file, is empty or too large, or changes meanwhile.
    """
    # Looked at before it is opened: opening a device may already set it in motion.
    stamp(path)
    try:
        descriptor = os.open(path, _READ)
        with os.fdopen(descriptor, "rb") as file:
            before = _stamp_of(path, os.fstat(descriptor))
            content = file.read(before[0] + 1)
            after = _stamp_of(path, os.fstat(descriptor))
    except OSError as error:
        raise _refused(path, error) from None
    if before != after or len(content) != before[0]:
        raise refused("must not change while it is read, got a file that did. Wait until it is complete.", path=path)
    return content


def is_archive(content: bytes, path: Path) -> bool:
    """Return whether the bytes are an archive of arrays (.npz) rather than text.

    Raises:
        ConfigError: they are neither.
    """
    for magic, name in _MAGIC:
        if content.startswith(magic):
            raise refused(f"must be a CSV file in UTF-8 or an .npz archive, got {name}.", path=path)
    return content.startswith(_ZIP)


def _stamp_of(path: Path, status: os.stat_result) -> tuple[int, int]:
    if stat.S_ISDIR(status.st_mode):
        raise refused("must name a file, got a folder. Name a CSV or .npz file in it.", path=path)
    if not stat.S_ISREG(status.st_mode):
        raise refused("must name a regular file, got a pipe, socket or device. Copy its content to a file.", path=path)
    if not status.st_size:
        raise refused("must hold examples, got an empty file.", path=path)
    if status.st_size > MOST_BYTES:
        raise refused(
            f"must be at most {MOST_BYTES} bytes, got {status.st_size}. Train on a sample of the rows.", path=path
        )
    return status.st_size, status.st_mtime_ns


def _refused(path: Path, error: OSError) -> Exception:
    reason = _REASONS.get(error.errno or 0, f"must be readable, got {error.strerror}. Copy the file elsewhere.")
    return refused(reason, path=path)
