"""Disks that refuse. In place of the kernel they have calls on the files of one folder fail, as it has them."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

CALLS = ("open", "write", "fsync", "replace", "mkdir", "unlink", "ftruncate", "truncate", "posix_fallocate")


class _Disk:
    """Stands between `os` and the files of a folder while it is entered.

    Attributes:
        calls: how many there were on these files.
        failed: how many of them failed.
    """

    def __init__(self, folder: Path) -> None:
        self.calls = self.failed = 0
        self.folder = folder
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        self._kept = {name: getattr(os, name) for name in CALLS if hasattr(os, name)}
        for name, call in self._kept.items():
            setattr(os, name, self._watched(name, call))
        return self

    def __exit__(self, *_: object) -> None:
        for name, call in self._kept.items():
            setattr(os, name, call)

    def do(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do a call on a file of the folder, or have it fail."""
        raise NotImplementedError

    def refuse(self, code: int) -> OSError:
        """Return the error of a call that fails."""
        self.failed += 1
        return OSError(code, os.strerror(code))

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            only_reads = name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_DIRECTORY)
            places = (args[0], *map(kwargs.get, ("dir_fd", "src_dir_fd")))
            if only_reads or not any(map(self._is_ours, places)):
                return call(*args, **kwargs)
            with self._lock:
                self.calls += 1
                return self.do(name, call, *args, **kwargs)

        return watched

    def _is_ours(self, what: Any) -> bool:
        if isinstance(what, int):
            try:
                what = Path(f"/proc/self/fd/{what}").readlink()
            except OSError:
                return False
        return str(what).startswith(str(self.folder))


class FaultyDisk(_Disk):
    """Has calls fail by their number."""

    def __init__(self, folder: Path, code: int = 0, first: int = 0, last: int | None = None) -> None:
        """Make a disk.

        Args:
            folder: whose files are meant.
            code: error number.
            first: number of the first call that fails, from 1; 0 for none.
            last: number of the last one; None for no end.
        """
        super().__init__(folder)
        self._code = code
        self._failing = range(first, (1 << 62) if last is None else last + 1) if first else range(0)

    def do(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Do the call unless it is its turn to fail."""
        if self.calls in self._failing:
            raise self.refuse(self._code)
        return call(*args, **kwargs)


class SmallDisk(_Disk):
    """Holds so many bytes in the files of the folder, and takes of a write what there is room for.

    Attributes:
        capacity: bytes; may be changed while the disk is used.
    """

    def __init__(self, folder: Path, capacity: int) -> None:
        super().__init__(folder)
        self.capacity = capacity

    @property
    def room(self) -> int:
        """Return the bytes that are free."""
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return max(0, self.capacity - sum(path.stat().st_size for path in paths))

    def do(self, name: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Do the call as far as there is room."""
        room = self.room
        if name == "write":
            if not room and len(args[1]):
                raise self.refuse(errno.ENOSPC)
            return call(args[0], args[1][:room])
        if name == "posix_fallocate" and args[2] - os.fstat(args[0]).st_size > room:
            raise self.refuse(errno.ENOSPC)
        return call(*args, **kwargs)
