"""A program on a pseudo terminal, and every byte that it sent there."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pyte

PROGRAM = Path(sys.executable).with_name("nn-tui")
_SIZE = (140, 45)
_MOST_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_SETTLED_SECONDS = 2.0


class Watched:
    """`nn-tui` on a terminal of 140 by 45.

    Attributes:
        raw: all that it sent.
        process: it.
    """

    def __init__(self, *words: str | Path, environment: dict[str, str]) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", *reversed(_SIZE), 0, 0))
        self._screen = pyte.Screen(*_SIZE)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        kept = {key: value for key, value in os.environ.items() if key not in ("LINES", "COLUMNS", "NO_COLOR")}
        self.process = subprocess.Popen(
            [PROGRAM, *words], stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
            env={**kept, "TERM": "xterm-256color", **environment},
        )  # fmt: skip
        os.close(follower)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._leader)

    @property
    def text(self) -> str:
        """Return what the screen shows."""
        return "\n".join(self._screen.display)

    def press(self, keys: bytes, shows: Sequence[str] = ()) -> None:
        """Press keys, and wait as `until` does. Raises TimeoutError."""
        os.write(self._leader, keys)
        self.until(*shows)

    def until(self, *words: str) -> None:
        """Wait until the words are shown, and then a moment for what else comes. Raises TimeoutError."""
        self._wait(lambda: all(word in self.text for word in words), f"{words}")
        end = time.monotonic() + _SETTLED_SECONDS
        while self.read() and time.monotonic() < end:
            pass

    def until_gone(self, words: str) -> None:
        """Wait until the words are shown no more. Raises TimeoutError."""
        self._wait(lambda: words not in self.text, f"the end of {words}")

    def ended(self) -> int:
        """Wait for the end; return the exit code. Raises TimeoutError."""
        end = time.monotonic() + _MOST_SECONDS
        while self.read() or self.process.poll() is None:
            if time.monotonic() > end:
                raise TimeoutError(f"does not end; the terminal shows\n{self.text}")
        return self.process.returncode

    def read(self) -> bool:
        """Take what comes within a moment; return whether anything did."""
        if not select.select([self._leader], [], [], _LOOK_SECONDS)[0]:
            return False
        try:
            data = os.read(self._leader, 1 << 16)
        except OSError:  # it has ended
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _MOST_SECONDS
        while not condition():
            if time.monotonic() > end or (not self.read() and self.process.poll() is not None):
                raise TimeoutError(f"waited in vain for {what}; the terminal shows\n{self.text}")
