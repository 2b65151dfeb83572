"""Files that are only appended to. What the disk refuses waits in memory, in order, until it takes it."""

import errno
import os
from collections import deque
from pathlib import Path

from trainer import files

_MOST_BYTES = 1 << 26


class Appending:
    """A file and the pieces that wait for it; a piece of which the disk took a part is gone on with where it stopped.

    Attributes:
        lost: pieces that were dropped, the oldest first, since more than 64 MiB waited.
    """

    def __init__(self, path: Path) -> None:
        """Take a file, which the first `flush` makes where it is missing."""
        self._path = path
        self._descriptor = -1
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._is_torn = False
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Return how many pieces wait."""
        return len(self._waiting)

    def append(self, piece: bytes) -> None:
        """Have a piece written by the next `flush`."""
        self._waiting.append(piece)
        self._bytes += len(piece)
        while self._bytes > _MOST_BYTES and len(self._waiting) > 2:
            place = int(self._is_torn)  # the rest of a piece of which the file has the beginning is kept
            self._bytes -= len(self._waiting[place])
            del self._waiting[place]
            self.lost += 1

    def flush(self) -> None:
        """Write what waits, each piece in one go. Raises OSError: the disk refuses it, and it goes on waiting."""
        if self._descriptor < 0:
            self._descriptor = files.open_to_append(self._path)
        while self._waiting:
            piece = self._waiting[0]
            written = os.write(self._descriptor, piece)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._bytes -= written
            self._is_torn = written < len(piece)
            if self._is_torn:
                self._waiting[0] = piece[written:]
            else:
                self._waiting.popleft()

    def give_up(self, instead: bytes) -> int:
        """Have the newest piece alone wait, after a line in the place of the others; return how many these were."""
        last = self._waiting.pop()
        dropped = len(self._waiting)
        self._waiting = deque([b"\n" * self._is_torn + instead + last])
        self._bytes = len(self._waiting[0])
        self._is_torn = False
        return dropped

    def sync(self) -> None:
        """Have everything that was written survive a power cut. Raises OSError."""
        os.fsync(self._descriptor)

    @property
    def offset(self) -> int:
        """Return the length of the file in bytes."""
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Close the file; what still waits is lost."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
