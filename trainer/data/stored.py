"""An array that stays in its .npy file: its rows are read when they are needed, into memory that is there already.

They are read, not mapped. The system ends a process that looks at the lost part of a mapped file that was cut short,
where a read is refused in one line; and mapped pages count as memory of the process for as long as nobody needs them.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from trainer import memory
from trainer.data.content import CHANGED, Stamp, opened, stamp_of
from trainer.data.direct import direct
from trainer.data.npy_array import BadArrayError, as_stored, as_values, sound_header
from trainer.data.npy_file import bad_array
from trainer.data.refusal import DataFile
from trainer.liveness import is_shared


@dataclass(frozen=True, slots=True)
class Stored:
    """An array in its file.

    Attributes:
        file: it lies in.
        dtype: as the file names it.
        shape: of all; its first axis has the rows.
        fortran: whether the values of a column lie together, and not those of a row.
        offset: in bytes, of the first row.
        stamp: of the file when its header was read.
    """

    file: DataFile
    dtype: str
    shape: tuple[int, ...]
    fortran: bool
    offset: int
    stamp: Stamp

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        """Return the bytes of a row in the file."""
        return math.prod(self.shape[1:]) * np.dtype(self.dtype).itemsize

    def place(self, row: int) -> int:
        """Return the byte of the file with which a row begins."""
        return self.offset + row * self.row_bytes

    @property
    def outline(self) -> NDArray[Any]:
        """Return an array of this shape and type that holds nothing."""
        return np.broadcast_to(np.zeros((), self.dtype), self.shape)

    @contextmanager
    def opened(self) -> Iterator["Reader"]:
        """Open the file. Raises ConfigError: it is not the one that it was, or cannot be read."""
        with opened(self.file) as (stored, descriptor):
            reader = Reader(self, stored, descriptor)
            reader.check()
            yield reader


class Reader:
    """Reads rows; for one thread at a time."""

    def __init__(self, array: Stored, stored: IO[bytes], descriptor: int) -> None:
        self.array = array
        self._file: Any = stored.raw  # type: ignore[attr-defined]
        self._descriptor = descriptor
        # What is larger than memory is gone from the system's cache before it is read again.
        passes_by = array.stamp[0] > (memory.installed() or math.inf)
        self._direct = direct(descriptor) if passes_by and not is_shared(array.file.path) else None
        self._drops = passes_by and not self._direct and hasattr(os, "posix_fadvise")

    def read_into(self, start: int, rows: NDArray[Any]) -> None:
        """Fill these rows, of the file's own type and shape, with those from `start` on.

        Raises:
            ConfigError: the file ends before.
        """
        place, wanted = self.array.place(start), rows.reshape(-1).data.cast("B")
        if not (self._direct.read_into(place, wanted) if self._direct else self._read(place, wanted)):
            raise self.array.file.refused(CHANGED)
        if self._drops:  # now, which costs less time than when memory is short
            os.posix_fadvise(self._descriptor, place, len(wanted), os.POSIX_FADV_DONTNEED)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows in the machine's byte order. Raises ConfigError."""
        array = self.array
        stored = np.empty((stop - start, *array.shape[1:]), as_stored(array.dtype))
        self.read_into(start, stored)
        try:
            return as_values(stored, array.dtype)
        except BadArrayError as error:
            raise bad_array(array.file, error) from None

    def _read(self, place: int, wanted: memoryview) -> bool:
        """Fill the bytes; return whether the file has so many."""
        self._file.seek(place)
        while wanted:
            got = self._file.readinto(wanted)
            if not got:
                return False
            wanted = wanted[got:]
        return True

    def check(self) -> None:
        """Raise ConfigError if the file is not the one that it was."""
        if stamp_of(self.array.file, os.fstat(self._descriptor)) != self.array.stamp:
            raise self.array.file.refused(CHANGED)


def stored_in(file: DataFile) -> Stored | None:
    """Return the array that a file holds, of which only the header is read; None if it is no .npy file.

    Raises:
        ConfigError: it cannot be read, or its header lies or means no plain array.
    """
    with opened(file) as (stored, descriptor):
        stamp = stamp_of(file, os.fstat(descriptor))
        if stored.read(6) != b"\x93NUMPY":
            return None
        stored.seek(0)
        try:
            header = sound_header(stored, stamp[0])
        except BadArrayError as error:
            raise bad_array(file, error) from None
    fortran = header.fortran and len(header.shape) > 1
    return Stored(file, header.dtype, header.shape, fortran, header.offset, stamp)
