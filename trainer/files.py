"""Files that are whole or absent: the few operations that run directories and checkpoints rest on.

Every call on the file system that may fail half-way goes through `os` here, so that tests can make each of them fail.
Everything created belongs to its owner alone (folders 0700, files 0600): runs live on shared machines. Only in a folder
of mode 2750, which its owner shares with a group, is what is created there for that group to read.
"""

import contextlib
import errno
import io
import os
import pwd
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from trainer import failpoints

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that somebody left in a store would wait for ever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# macOS refuses a single write of 2 GiB or more, Linux cuts it short.
_CHUNK = 1 << 26
_OWN, _SHARED = (0o700, 0o600), (0o2750, 0o640)
"""Modes of folders and files."""

_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP}


def replace_atomically(path: Path, data: bytes, durable: bool) -> None:
    """Give `path` the content `data`, such that a reader sees the old content or the new one and nothing between.

    Args:
        path: the file; its folder must exist. A symbolic link is replaced, not followed.
        data: the whole new content.
        durable: whether to return only once the content and its name survive a power cut (about 4 ms for 1 MB);
            without it they survive the death of this process.

    Raises:
        OSError: nothing was replaced and no temporary file is left, except that a failure of the last step, the
            sync of the folder, leaves the new content in place.
    """
    with _opened_folder(path.parent) as folder:
        temporary = f".{path.name}.{secrets.token_hex(8)}.tmp"
        try:
            _write_new(folder, temporary, data, durable)
            failpoints.pass_by("temporary written")
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            failpoints.pass_by("renamed")
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        if durable:
            _sync_folder(folder)


def make_folder(path: Path) -> None:
    """Create the folder, durably, unless it exists; its parent must exist, and passes on whether it is shared."""
    _make(path, passed_on=True)


def make_folders(path: Path) -> None:
    """Create the folder, and those above it that are missing; each belongs to its owner alone, wherever it lies."""
    if not path.is_dir():
        if path.parent != path:
            make_folders(path.parent)
        _make(path, passed_on=False)


def is_open_to_group(folder: os.stat_result) -> bool:
    """Say whether a folder is one that its owner shares with its group, to be read."""
    return stat.S_IMODE(folder.st_mode) == _SHARED[0]


def share(path: Path, *, with_group: int | None) -> None:
    """Let a group read a file or folder of ours, and what is created in it from now on; None for nobody.

    A symbolic link is not followed.

    Args:
        path: the file or folder.
        with_group: number of the group, one that we belong to.

    Raises:
        OSError: it is not ours, or we are not of that group.
    """
    descriptor = os.open(path, _READ)
    try:
        modes = _OWN if with_group is None else _SHARED
        if with_group is not None:
            os.fchown(descriptor, -1, with_group)
        os.fchmod(descriptor, modes[0] if stat.S_ISDIR(os.fstat(descriptor).st_mode) else modes[1])
    finally:
        os.close(descriptor)


def open_to_append(path: Path) -> int:
    """Open a file to be appended to, made where it is missing; return its descriptor.

    Raises:
        OSError: it cannot be opened, or is a symbolic link, folder, FIFO, socket or device.
    """
    return _regular(path, _APPEND)


def remove(path: Path) -> None:
    """Remove the file; one that is gone already is fine."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 see the module's first lines


def is_temporary(name: str) -> bool:
    """Say whether a file of that name is what an interrupted call of `replace_atomically` leaves."""
    return bool(_TEMPORARY.fullmatch(name))


def owner_trouble(status: os.stat_result, owner: int | None = None) -> str:
    """Return why a file or folder is not its user's alone to write, or ""; None for the one whose process this is."""
    if status.st_uid != (os.getuid() if owner is None else owner):
        return f"belongs to another user ({_user_name(status.st_uid)})"
    return "can be written by others" if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) else ""


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def remove_temporaries(folder: Path) -> None:
    """Remove what interrupted calls of `replace_atomically` left; only for the one who may write the folder."""
    for path in folder.glob(".*.tmp"):
        if is_temporary(path.name):
            remove(path)


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading, without waiting and without following a symbolic link.

    Raises:
        OSError: it cannot be opened, or is a folder, FIFO, socket or device.
    """
    descriptor = _regular(path, _READ)
    with os.fdopen(descriptor, "rb") as file:
        yield file


def ends_a_line(path: Path) -> bool:
    """Say whether a file is empty or ends in a line end, so that a line can be appended. Raises as `open_regular`."""
    with open_regular(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) in (b"", b"\n")


def read_regular(path: Path, limit: int) -> bytes:
    """Return the first bytes of a regular file, at most `limit`. Raises as `open_regular`."""
    with open_regular(path) as file:
        # Not simply `limit`: read() reserves the memory first, and a limit may come from a file that lies.
        return file.read(min(limit, os.fstat(file.fileno()).st_size))


def _make(path: Path, *, passed_on: bool) -> None:
    try:
        os.mkdir(path, _OWN[0])  # noqa: PTH102 see the module's first lines
    except FileExistsError:
        if path.is_dir():
            return
        raise
    with _opened_folder(path.parent) as parent:
        mode = _SHARED[0] if passed_on and is_open_to_group(os.fstat(parent)) else _OWN[0]
        os.chmod(path, mode)  # noqa: PTH101 as above
        _sync_folder(parent)


def _regular(path: Path, flags: int) -> int:
    """Open a file and return its descriptor. Raises OSError: also if it is no regular file."""
    descriptor = os.open(path, flags, _OWN[1])
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if flags & os.O_CREAT and is_open_to_group(os.stat(path.parent)):  # noqa: PTH116 as in `make_folder`
            os.fchmod(descriptor, _SHARED[1])
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _write_new(folder: int, name: str, data: bytes, durable: bool) -> None:
    descriptor = os.open(name, _CREATE, _OWN[1], dir_fd=folder)
    try:
        if is_open_to_group(os.fstat(folder)):
            os.fchmod(descriptor, _SHARED[1])
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:_CHUNK]) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(descriptor: int) -> None:
    """Make the folder's names durable, where the file system knows how; some network ones do not."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
