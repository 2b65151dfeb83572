"""Room on the disk that a run holds from its first moment on, so that it can say its last words on a full one."""

import os
from pathlib import Path
from typing import Final

from trainer import files

NAME: Final = "reserve"
SIZE: Final = 1 << 18
"""Bytes: some hundred records, and `run.json` a few times."""

STEP: Final = 1 << 15
"""Bytes given back at a time."""


class Reserve:
    """The room of one run. What is given back is taken again as soon as the disk has it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._held = 0

    def hold(self) -> None:
        """Take all the room. Raises OSError: the disk has not that much."""
        if self._held == SIZE:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _allocate(descriptor)
        except OSError:
            os.ftruncate(descriptor, self._held)
            raise
        finally:
            os.close(descriptor)
        self._held = SIZE

    def lend(self, size: int = STEP) -> None:
        """Give some of the room back to the disk. Raises OSError."""
        self._held = max(0, self._held - size)
        os.truncate(self._path, self._held)

    def release(self) -> None:
        """Give all of it back. Raises OSError."""
        files.remove(self._path)
        self._held = 0


def _allocate(descriptor: int) -> None:
    # A file without content takes no room, whatever its length; and macOS has no call that reserves some.
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, SIZE)
    else:
        os.pwrite(descriptor, os.urandom(SIZE), 0)
