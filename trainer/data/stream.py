"""Training examples that stay in their files: in which order an epoch has them, and how they are read on their way."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.data.chunks import Chunks, ordered, pieces
from trainer.data.scaling import Floats, Scaling
from trainer.data.split import Rows
from trainer.data.stored import Reader, Stored
from trainer.data.target import indices_of

_BUFFER_BYTES: Final = 1 << 27
"""What the features of a buffer take as 32-bit floats, where nothing else is asked for."""

_NATIVE: Final = {np.dtype(kind).str for kind in ("f4", "f2", "i2", "u2", "i1", "u1")}
"""Types of which a device makes 32-bit floats without loss: a buffer holds them as the file does."""


OfOne = tuple[tuple[int, ...], np.dtype[Any]]
"""Shape and type of one example."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Training examples in their files.

    Attributes:
        x: features; a row is an example.
        y: targets.
        chunks: of the examples.
        trains: those that train.
        seed: of their order.
        classes: values of the target in order; none for numbers.
        label_counts: training examples of each class.
        x_scaling, y_scaling: as trained on.
        y_mean: of the targets of the training part, as trained on.
        least_target: of all targets, in their own units.
    """

    x: Stored
    y: Stored
    chunks: Chunks
    trains: Rows
    seed: int
    classes: NDArray[Any]
    label_counts: NDArray[np.int64]
    x_scaling: Scaling
    y_scaling: Scaling
    y_mean: Floats
    least_target: float

    @property
    def n_train(self) -> int:
        """Return how many examples train."""
        return self.chunks.rows(self.trains)

    @property
    def outlines(self) -> tuple[OfOne, OfOne]:
        """Return shape and type of an example's features and of its target, as a buffer holds them."""
        x = buffered(self.x)
        features = int(np.prod(self.x.shape[1:], dtype=np.int64))
        y = ((), np.dtype(np.int32)) if len(self.classes) else ((len(self.y_mean),), np.dtype(np.float32))
        return ((features,), x), y

    @property
    def is_scaled_here(self) -> bool:
        """Return whether features are scaled on the host, in double precision: devices lack numbers of their type."""
        return buffered(self.x) != np.dtype(self.x.dtype)

    @contextmanager
    def opened(self) -> Iterator["StreamReader"]:
        """Open the files. Raises ConfigError: one is not what it was, or cannot be read."""
        with self.x.opened() as x, self.y.opened() as y:
            yield StreamReader(self, x, y)

    def stretches(self, epoch: int, start: int, stop: int, *, shuffled: bool) -> Iterator[tuple[int, int]]:
        """Yield the rows of a part of an epoch as stretches of the files: first row and count.

        Args:
            epoch: from 0.
            start: place of the first within the epoch.
            stop: place after the last.
            shuffled: whether the chunks are in the epoch's own order, or in that of the file.
        """
        order = ordered(self.trains, self.seed, epoch) if shuffled else self.trains
        return pieces(self.chunks, order, start, stop)


class StreamReader:
    """Reads examples of a stream, as they train; for one thread at a time."""

    def __init__(self, stream: Stream, x: Reader, y: Reader) -> None:
        self._stream = stream
        self._x, self._y = x, y

    def place(self, row: int) -> int:
        """Return the byte of the file with which the features of a row begin."""
        return self._stream.x.place(row)

    def read_into(self, row: int, x: NDArray[Any], y: NDArray[Any]) -> None:
        """Fill these examples of a buffer with those from a row of the files on, of one chunk. Raises ConfigError."""
        if self._stream.is_scaled_here:
            x[:] = self.features(row, row + len(x))
        else:
            self._x.read_into(row, x)
        y[:] = self.targets(row, row + len(y))

    def check(self) -> None:
        """Raise ConfigError if a file is not what it was."""
        self._x.check()
        self._y.check()

    def features(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return features scaled, as a resident example has them."""
        return self._stream.x_scaling.apply(self._x.rows(start, stop).reshape(stop - start, -1))

    def targets(self, start: int, stop: int) -> NDArray[Any]:
        """Return class indices, or numbers scaled."""
        stream, values = self._stream, self._y.rows(start, stop).reshape(stop - start, -1)
        if len(stream.classes):
            return indices_of(values[:, 0], stream.classes, stream.y.file)
        return stream.y_scaling.apply(values.astype(np.float64))


def buffered(x: Stored) -> np.dtype[Any]:
    """Return the type in which a buffer holds features: the file's own, where devices know it."""
    own = np.dtype(x.dtype)
    return own if own.str in _NATIVE else np.dtype(np.float32)


def buffer_of(asked: int, n_features: int) -> int:
    """Return how many examples a buffer holds, before it is made of whole batches.

    Args:
        asked: `data.buffer_size`.
        n_features: of an example.
    """
    return asked or max(1, _BUFFER_BYTES // (4 * n_features))
