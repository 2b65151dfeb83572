"""A program in a terminal of its own, 120 columns by 40 lines: a real pty, drained at once, so that nothing waits.

What came is kept with its times; pictures are worked out afterwards, so that the measuring costs the measured nothing.
"""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import pyte

COLUMNS, LINES = 120, 40
_READ_AT_ONCE = 1 << 16
_SYNCHRONIZED_OUTPUT = (b"\x1b[?2026$p", b"\x1b[?2026;2$y")
"""Question and answer, as most present terminals give it: pictures may come in one piece, at some bytes more."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that came at a time, in seconds of `time.time`."""

    time: float
    data: bytes


class PtyApp:
    """A started program. Use as a context manager: leaving it ends the program.

    Attributes:
        chunks: what it wrote.
        began: when it was started.
        sent: when keys were last pressed.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it."""
        self.chunks: list[Chunk] = []
        self.sent = 0.0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.began = time.time()
        self._process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env=_terminal(environment), start_new_session=True
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def __enter__(self) -> "PtyApp":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(20)
        os.close(self._master)

    def send(self, keys: bytes) -> None:
        """Press keys."""
        self.sent = time.time()
        os.write(self._master, keys)

    def wait_until_quiet(self, seconds: float, limit: float = 60) -> None:
        """Wait until something came and then nothing for so long."""
        end = time.time() + limit
        while not self.chunks or time.time() - self.chunks[-1].time < seconds:
            if time.time() > end or self._process.poll() is not None:
                raise SystemExit("the app came to no rest, or ended:\n" + "\n".join(self.picture()))
            time.sleep(0.05)

    def wait_for(self, words: str, limit: float = 60) -> None:
        """Wait until these words stand on the screen."""
        end = time.time() + limit
        while not any(words in line for line in self.picture()):
            if time.time() > end or self._process.poll() is not None:
                raise SystemExit(f"the app never showed {words!r}:\n" + "\n".join(self.picture()))
            time.sleep(0.2)

    def quit(self, keys: bytes) -> None:
        """Press keys, and wait for the end."""
        self.send(keys)
        self._process.wait(20)

    def bytes_between(self, start: float, end: float) -> int:
        """Return how many bytes came."""
        return sum(len(chunk.data) for chunk in list(self.chunks) if start <= chunk.time < end)

    def picture(self) -> list[str]:
        """Return the lines on the screen now."""
        return _replay(self.chunks)[-1][1] if self.chunks else []

    def seconds_to(self, picture: list[str]) -> float:
        """Return the seconds from the start to the first time that the screen showed exactly these lines."""
        return next(at for at, lines in _replay(self.chunks) if lines == picture) - self.began

    def seconds_to_words(self, words: Sequence[str]) -> float:
        """Return the seconds from the start to the first time that all these words stood on the screen."""
        for at, lines in _replay(self.chunks):
            text = "\n".join(lines)
            if all(word in text for word in words):
                return at - self.began
        raise SystemExit(f"never painted all of {', '.join(words)}:\n" + "\n".join(self.picture()))

    def _drain(self) -> None:
        question, answer = _SYNCHRONIZED_OUTPUT
        while True:
            try:
                data = os.read(self._master, _READ_AT_ONCE)
            except OSError:
                return
            if not data:
                return
            self.chunks.append(Chunk(time.time(), data))
            if question in data:
                os.write(self._master, answer)


def _terminal(environment: Mapping[str, str]) -> dict[str, str]:
    plain = {key: value for key, value in environment.items() if key not in ("LINES", "COLUMNS", "NO_COLOR")}
    return {**plain, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _replay(chunks: Sequence[Chunk]) -> list[tuple[float, list[str]]]:
    """Return what the screen showed after each chunk."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    shown = []
    for chunk in list(chunks):
        stream.feed(chunk.data)
        shown.append((chunk.time, list(screen.display)))
    return shown
