"""Where a call has its training examples from: all lie on the devices, or a thread brings them buffer by buffer.

There are two buffers. While the devices train on what came out of one, the other is filled and sent to them. A buffer
is filled again once no call looks at it any more, so that no device need copy it: the CPU does not.
"""

import itertools
import math
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

import jax
import numpy as np
from jax.sharding import Sharding
from numpy.typing import NDArray

from trainer import placement, program
from trainer.data.aligned import ALIGNMENT
from trainer.data.direct import BLOCK
from trainer.data.splits import Splits
from trainer.data.stream import Stream, StreamReader
from trainer.shape import Shape
from trainer.state import Data, Own

_BUFFERS: Final = 2


class Feed:
    """Examples that all lie on the devices.

    Attributes:
        data: what a call is given, as of the last `at`.
        waited: seconds for which the training has waited for examples.
    """

    def __init__(self, data: Data) -> None:
        self.data = data
        self.waited = 0.0

    def at(self, step: int) -> Data:  # noqa: ARG002
        """Return what the call that begins after so many updates is given; wait for it, if need be."""
        return self.data

    def updates_left(self, step: int) -> int:  # noqa: ARG002
        """Return how many updates that call may make at most."""
        return sys.maxsize

    def move(self, data: Data, place: Sharding) -> None:  # noqa: ARG002
        """Have the data of other members, on other devices perhaps, from now on."""
        self.data = data

    def close(self) -> None:
        """Let go of files and threads."""


class _Memory:
    """Memory of the host for an array."""

    def __init__(self, count: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = (count, *shape), dtype
        self._size = math.prod(self._shape) * dtype.itemsize
        self._whole = np.zeros(self._size + 2 * BLOCK, np.uint8)

    def array(self, place: int = 0) -> NDArray[Any]:
        """Return it as an array that begins where the CPU takes it over as it is.

        If that can be, it lies in the memory's blocks as a place of a file in the file's: the disk then writes into it.
        """
        start = -self._whole.ctypes.data % BLOCK + (place % BLOCK if place % ALIGNMENT == 0 else 0)
        return self._whole[start : start + self._size].view(self._dtype).reshape(self._shape)


class _Buffer(NamedTuple):
    """Memory of the host for examples."""

    x: _Memory
    y: _Memory


class _Filled(NamedTuple):
    """A buffer that holds examples: which of all buffers of the training it is, and what the devices have of it."""

    number: int
    buffer: _Buffer
    x: Any
    y: Any


class Streamed(Feed):
    """Examples that stay in their files. All methods but the thread's own are for the training thread."""

    def __init__(self, stream: Stream, shape: Shape, data: Data, place: Sharding, step: int = 0) -> None:
        """Begin to read.

        Args:
            stream: the examples that train.
            shape: says how many make a buffer and an epoch.
            data: all else, on the devices; `x` and `y` are replaced by those of the buffers.
            place: devices to bring them to.
            step: updates already done.
        """
        super().__init__(data)
        self._stream, self._shape, self._place = stream, shape, place
        self._free: SimpleQueue[_Buffer | None] = SimpleQueue()
        self._filled: SimpleQueue[_Filled | Exception] = SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(_Buffer(*(_Memory(shape.buffer, *outline) for outline in stream.outlines)))
        self._current: _Filled | None = None
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._read_all, args=(self._number_at(step),), name="feed", daemon=True)
        self._thread.start()

    def at(self, step: int) -> Data:
        """Return the data with the buffer that the update after so many trains on. Raises what reading it raised."""
        number = self._number_at(step)
        if self._current is None or self._current.number != number:
            self._take(number)
        return self.data

    def updates_left(self, step: int) -> int:
        """Return the updates until the end of the buffer, or of the epoch."""
        place = step % self._shape.steps_per_epoch
        return min(
            self._shape.steps_per_buffer - place % self._shape.steps_per_buffer, self._shape.steps_per_epoch - place
        )

    def move(self, data: Data, place: Sharding) -> None:
        """Have the data of other members, and bring examples to other devices, from now on."""
        self._place = place
        super().move(data, place)

    def close(self) -> None:
        """End the thread."""
        self._is_closed.set()
        self._free.put(None)
        self._thread.join()

    def _number_at(self, step: int) -> int:
        epoch, place = divmod(step, self._shape.steps_per_epoch)
        return epoch * self._shape.buffers_per_epoch + place // self._shape.steps_per_buffer

    def _take(self, number: int) -> None:
        if self._current is not None:
            self._free.put(self._current.buffer)
        began = time.perf_counter()
        filled = self._filled.get()
        self.waited += time.perf_counter() - began
        if isinstance(filled, Exception):
            self._filled.put(filled)
            raise filled
        assert filled.number == number
        self._current = filled
        x, y = jax.device_put((filled.x, filled.y), self._place)
        self.data = self.data._replace(x=x, y=y)

    def _read_all(self, first: int) -> None:
        """Fill buffers in their order, as long as there are free ones; this is the thread."""
        try:
            with self._stream.opened() as reader:
                for number in itertools.count(first):
                    buffer = self._free.get()
                    if buffer is None or self._is_closed.is_set():
                        return
                    self._filled.put(self._fill(reader, number, buffer))
        except Exception as error:  # noqa: BLE001 whoever waits for a buffer is told
            self._filled.put(error)

    def _fill(self, reader: StreamReader, number: int, buffer: _Buffer) -> _Filled:
        shape = self._shape
        epoch, place = divmod(number, shape.buffers_per_epoch)
        start = place * shape.buffer
        stop = min(start + shape.buffer, shape.n_train)
        shuffled = shape.buffer < shape.n_train
        stretches = [*self._stream.stretches(epoch, start, stop, shuffled=shuffled)]
        held_x, held_y = buffer.x.array(reader.place(stretches[0][0])), buffer.y.array()
        done = 0
        for row, count in stretches:
            if self._is_closed.is_set():
                break
            rows = slice(done, done + count)
            reader.read_into(row, held_x[rows], held_y[rows])
            done += count
        reader.check()
        # Waited for here, so that the training thread finds the examples on the devices.
        x, y = jax.block_until_ready(jax.device_put((held_x, held_y), self._place))
        return _Filled(number, buffer, x, y)


def feed_of(splits: Splits, shape: Shape, own: Own = Own(), step: int = 0) -> Feed:  # noqa: B008 a tuple never changes
    """Return what brings the examples, with what each member has of its own, to the devices that train.

    Args:
        splits: the examples.
        shape: what is compiled in.
        own: what each member has of its own.
        step: updates already done.
    """
    places = placement.of_data(shape)
    if splits.stream is None:
        return Feed(program.place(splits, places, own))
    data = program.examples(splits, own, shape.buffer)
    held = jax.device_put(data._replace(x=(), y=()), places)  # type: ignore[arg-type]
    return Streamed(splits.stream, shape, held._replace(x=data.x, y=data.y), placement.whole(shape), step)
