"""Chunks: consecutive rows of a file that is streamed.

Parts are drawn and epochs are ordered chunk by chunk: so files are read in long stretches, and there is little to keep
in mind of the order.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.data.direct import BLOCK
from trainer.data.split import Rows
from trainer.data.stored import Stored

_BYTES: Final = 1 << 21
"""Of a chunk at most, where a row has no more: a disk reads such stretches as fast as any."""

_LEAST: Final = 256
"""Chunks that a file has at least, where it has as many rows: parts and buffers are drawn from them."""

_PARTS, _ORDER = 0, 2
"""Purposes of random numbers, part of the meaning of `data.seed`; 1 is that of the points in the plane."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """Rows cut into chunks of one length, but for the last.

    Attributes:
        n_rows: of the file.
        length: rows of a chunk.
    """

    n_rows: int
    length: int

    @classmethod
    def of(cls, n_rows: int, row_bytes: int) -> "Chunks":
        """Return the chunks of a file, which depend on nothing else; in whole blocks, if so many rows are in one."""
        most = max(1, min(_BYTES // max(1, row_bytes), n_rows // _LEAST))
        whole = BLOCK // math.gcd(BLOCK, row_bytes)
        return cls(n_rows, most - most % whole or most)

    def __len__(self) -> int:
        return -(-self.n_rows // self.length)

    def bounds(self, chunk: int) -> tuple[int, int]:
        """Return the first row of a chunk and the one after its last."""
        start = chunk * self.length
        return start, min(start + self.length, self.n_rows)

    def of_array(self, array: Stored) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield each chunk with its rows of an array, shape [rows, columns].

        Raises:
            ConfigError: they cannot be read, or the file has changed since its header was.
        """
        with array.opened() as reader:
            for chunk in range(len(self)):
                start, stop = self.bounds(chunk)
                yield chunk, reader.rows(start, stop).reshape(stop - start, -1)
            reader.check()

    def sizes(self, chunks: Rows) -> Rows:
        """Return how many rows each of these chunks has."""
        return np.minimum(self.length, self.n_rows - chunks * self.length)

    def rows(self, chunks: Rows) -> int:
        """Return how many rows these chunks have together."""
        return int(self.sizes(chunks).sum())


def drawn(chunks: Chunks, validation: float, test: float, most_rows: int, seed: int) -> tuple[Rows, Rows, Rows]:
    """Return the chunks of the training, validation and test part, ascending.

    Args:
        chunks: of the file; training keeps at least one.
        validation: share that validates, 0 to below 1.
        test: share that tests, likewise.
        most_rows: that validate, and that test; what is more trains.
        seed: of the draw, which depends on nothing else.
    """
    most = max(1, most_rows // chunks.length)
    n_test = min(most, round(len(chunks) * test), len(chunks) - 1)
    n_validation = min(most, round(len(chunks) * validation), len(chunks) - 1 - n_test)
    order = _generator(seed, _PARTS).permutation(len(chunks))
    tests, validates, trains = np.split(order, [n_test, n_test + n_validation])
    return np.sort(trains), np.sort(validates), np.sort(tests)


def ordered(trains: Rows, seed: int, epoch: int) -> Rows:
    """Return the chunks that train in the order of an epoch, which is a function of the seed and the epoch alone."""
    return _generator(seed, _ORDER, epoch).permutation(trains)


def pieces(chunks: Chunks, order: Rows, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the rows from one place of an order of chunks to another, as stretches of the file: first row and count."""
    ends = np.cumsum(chunks.sizes(order))
    place = int(np.searchsorted(ends, start, side="right"))
    while start < stop:
        _, after = chunks.bounds(int(order[place]))
        row = after - (int(ends[place]) - start)
        count = min(after - row, stop - start)
        yield row, count
        start, place = start + count, place + 1


def _generator(seed: int, *purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=purpose)))
