"""Writing to a terminal that may take its time, stand still, or be gone: never waiting, never failing.

A terminal that is not read, on a laptop that sleeps say, takes a few kilobytes and then nothing. Then the frame that
was begun waits for its rest, the ones behind it are dropped as a whole, and when all is written the screen is painted
anew.
"""

import asyncio
import os
import select
from collections import deque
from collections.abc import Callable

_MOST_WAITING = 32 << 10
"""Bytes that may wait behind a frame that was begun: a slow line catches up, for one that stands they are dropped."""

_PATIENCE_SECONDS = 1.0
"""How long the last bytes may wait, at the end, for a terminal that takes none."""


class Outlet:
    """The way out to a terminal. All methods are for the thread of the event loop.

    Attributes:
        is_gone: whether the terminal takes nothing any more, for good.
    """

    def __init__(self, descriptor: int, painted_anew: Callable[[], None], gone: Callable[[], None]) -> None:
        """Write to a descriptor that does not block.

        Args:
            descriptor: of the terminal; stays open.
            painted_anew: called when frames were dropped and the terminal takes some again.
            gone: called once, when it turns out that there is no terminal any more.
        """
        self.is_gone = False
        self._descriptor = descriptor
        self._painted_anew, self._gone = painted_anew, gone
        self._loop = asyncio.get_running_loop()
        self._frame: list[str] = []
        self._waiting: deque[memoryview] = deque()
        self._has_begun = self._has_dropped = self._waits = False

    def write(self, text: str) -> None:
        """Add to the frame; without a `flush` it goes out when the loop comes round."""
        if not self._frame:
            self._loop.call_soon(self.flush)
        self._frame.append(text)

    def flush(self) -> None:
        """Send the frame off, or drop it where too much waits."""
        if not self._frame:
            return
        data = "".join(self._frame).encode(errors="replace")
        self._frame.clear()
        if self.is_gone or self._has_dropped:
            return
        if self._has_begun and sum(map(len, self._waiting)) + len(data) > _MOST_WAITING:
            self._drop()
            self._has_dropped = True
        else:
            self._waiting.append(memoryview(data))
            self._drain()

    def finish_picture(self) -> None:
        """Drop what waits, so that what is written from here on, the last things, comes right after the frame begun."""
        self.flush()
        self._drop()
        self._has_dropped = False

    def close(self) -> None:
        """Write what is left, as long as the terminal takes any of it."""
        self.flush()
        while self._waiting and select.select([], [self._descriptor], [], _PATIENCE_SECONDS)[1]:
            self._drain()
        self._wait_for_room(False)
        self.is_gone = True

    def give_up(self) -> None:
        """Take note that the terminal is gone."""
        if not self.is_gone:
            self.is_gone = True
            self._waiting.clear()
            self._wait_for_room(False)
            self._gone()

    def _drop(self) -> None:
        while len(self._waiting) > self._has_begun:
            self._waiting.pop()

    def _drain(self) -> None:
        try:
            while self._waiting:
                rest = self._waiting[0]
                taken = os.write(self._descriptor, rest)
                self._has_begun = taken < len(rest)
                if self._has_begun:
                    self._waiting[0] = rest[taken:]
                else:
                    self._waiting.popleft()
        except BlockingIOError:
            self._has_begun = True
            self._wait_for_room(True)
        except OSError:
            self.give_up()
        else:
            self._wait_for_room(False)
            if self._has_dropped:
                self._has_dropped = False
                self._painted_anew()

    def _wait_for_room(self, waits: bool) -> None:
        if waits and not self._waits:
            self._loop.add_writer(self._descriptor, self._drain)
        elif self._waits and not waits:
            self._loop.remove_writer(self._descriptor)
        self._waits = waits
