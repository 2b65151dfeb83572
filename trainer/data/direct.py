"""Reading past the system's cache, by blocks, into the place where the bytes are wanted if that lies as the blocks do.

A file larger than memory passes through the cache for nothing: what is read again is gone by then, and to find pages,
copy them and drop them takes three times the processor's time of having the disk write where the bytes are wanted.
"""

import fcntl
import mmap
import os
from contextlib import suppress
from typing import Final

import numpy as np

BLOCK: Final = 4096
"""Bytes of which such reads take whole ones, in the file and in memory: what any disk is content with."""

_AT_ONCE: Final = 1 << 20


class Direct:
    """Reads a file; for one thread at a time."""

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor, by which nobody else reads from now on. Raises OSError: it cannot be read so."""
        self._descriptor = descriptor
        self._spare = memoryview(mmap.mmap(-1, _AT_ONCE + BLOCK))  # begins with a page, and so with a block
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT)
        try:
            os.preadv(descriptor, [self._spare[:BLOCK]], 0)
        except OSError:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
            raise

    def read_into(self, place: int, into: memoryview) -> bool:
        """Fill bytes with those of the file from a place on; return whether it has so many. Raises OSError."""
        end = place + len(into)
        first, last = _up(place), end - end % BLOCK
        if first >= last or (np.frombuffer(into, np.uint8).ctypes.data - place) % BLOCK:
            return self._through_spare(place, into)
        return (
            self._in_place(first, into[first - place : last - place])
            and self._through_spare(place, into[: first - place])
            and self._through_spare(last, into[last - place :])
        )

    def _in_place(self, place: int, into: memoryview) -> bool:
        while into:
            got = os.preadv(self._descriptor, [into], place)
            if not got:
                return False
            place, into = place + got, into[got:]
            if got % BLOCK:  # cut short by the file's end, or by a system that brings what it has
                return self._through_spare(place, into)
        return True

    def _through_spare(self, place: int, into: memoryview) -> bool:
        while into:
            before = place % BLOCK
            wanted = min(len(into), _AT_ONCE)
            got = os.preadv(self._descriptor, [self._spare[: _up(before + wanted)]], place - before) - before
            if got <= 0:
                return False
            count = min(got, wanted)
            into[:count] = self._spare[before : before + count]
            place, into = place + count, into[count:]
        return True


def direct(descriptor: int) -> Direct | None:
    """Return what reads a file so; None where the system or the file's own cannot."""
    if hasattr(os, "O_DIRECT"):
        with suppress(OSError):
            return Direct(descriptor)
    return None


def _up(place: int) -> int:
    return -(-place // BLOCK) * BLOCK
