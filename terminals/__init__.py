"""The program on a pseudo terminal, as tests, torture and benchmarks have it: keys go in, a picture comes out.

A thread reads, as a terminal program does, and only stores what came, with its time. Pictures are worked out when they
are asked for, so that looking on costs the program nothing.
"""

import contextlib
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyte

from trainer.runs import peek, read
from trainer.store import live, run_folders, store

PROGRAM = Path(sys.executable).with_name("nn-tui")
DEADLINE_SECONDS = 120.0

_LOOK_SECONDS = 0.02
_REST_SECONDS = 1.0
"""How long the last bytes of a program that has ended may take."""

_RUN = b"\x12"
_OF_ANOTHER_TERMINAL = ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")
_CONTROLLED = (
    sys.executable, "-c",
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])",
)  # fmt: skip
"""What makes the terminal the session's own, and becomes the command behind it."""


class Chunk(NamedTuple):
    """Bytes that came at a time, in seconds of `time.time`."""

    time: float
    data: bytes


def wait_for(
    condition: Callable[[], Any], what: str, *, deadline: float = DEADLINE_SECONDS, pause: float = _LOOK_SECONDS
) -> Any:
    """Wait until something holds, and return it.

    Args:
        condition: what is looked at.
        what: it is, in words.
        deadline: in seconds from now on.
        pause: between two looks, in seconds.

    Raises:
        TimeoutError: it did not come to hold.
    """
    end = time.monotonic() + deadline
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(pause)
    return found


class Terminal:
    """A terminal with the program in it. Leaving it as a context manager leaves nothing behind.

    Attributes:
        size: columns and lines.
        store: the folder of runs that the program works on.
        process: the one that a shell would wait for.
        began: when it was started, in seconds of `time.time`.
        sent: when keys were last pressed, likewise.
        chunks: what it wrote, as far as it was read.
    """

    def __init__(
        self,
        *words: str | Path,
        size: tuple[int, int] = (120, 40),
        controls: bool = False,
        program: str | Path = PROGRAM,
        answers: Sequence[tuple[bytes, bytes]] = (),
        **environment: str,
    ) -> None:
        """Start the program.

        Args:
            *words: for the program.
            size: columns and lines.
            controls: whether the terminal controls the process, so that closing it sends SIGHUP.
            program: what is started, if not nn-tui itself.
            answers: of the terminal, each behind the question in the program's output that it answers.
            **environment: variables beside those of this process.
        """
        kept = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER_TERMINAL}
        environment = {**kept, "TERM": "xterm-256color", **environment}
        self.store = store(environment.get("NN_TUI_RUNS"))
        self.chunks: list[Chunk] = []
        self.sent = 0.0
        self._answers = answers
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._pictured = 0
        leader, follower = pty.openpty()
        self._leader = open(leader, "r+b", buffering=0)  # noqa: PTH123, SIM115
        self._modes = termios.tcgetattr(follower)
        self._set_size(size)
        self.began = time.time()
        self.process = subprocess.Popen(
            [*(_CONTROLLED if controls else ()), program, *words],
            stdin=follower, stdout=follower, stderr=follower, start_new_session=True, env=environment,
        )  # fmt: skip
        os.close(follower)
        self._start_reading()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What trains as well: it would go on without the process that was started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for directory in live(self.store):  # it left the group
            with contextlib.suppress(ProcessLookupError):
                os.kill(peek(directory).status.pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()

    @property
    def raw(self) -> bytes:
        """Return all that came."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def text(self) -> str:
        """Return what the screen shows."""
        came = self.chunks[self._pictured :]
        self._pictured += len(came)
        for chunk in came:
            self._stream.feed(chunk.data)
        return "\n".join(self._screen.display)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        self.sent = time.time()
        self._leader.write(keys)

    def resize(self, columns: int, lines: int) -> None:
        """Have another size from here on."""
        self._screen.resize(lines, columns)
        self._set_size((columns, lines))
        os.killpg(self.process.pid, signal.SIGWINCH)

    def until(self, condition: Callable[[], Any], what: str = "that", **how: float) -> Any:
        """Wait as `wait_for` does; what it raises tells what the terminal shows."""
        try:
            return wait_for(condition, what, **how)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the terminal shows\n{self.text}") from None

    def until_shown(self, *words: str) -> None:
        """Wait until all the words stand on the screen. Raises TimeoutError, at once where nothing more can come."""

        def are_shown() -> bool:
            is_over = not self._reader.is_alive()
            shown = all(word in self.text for word in words)
            if is_over and not shown:
                raise TimeoutError(f"the program ended without {words}")
            return shown

        self.until(are_shown, f"{words}")

    def until_quiet(self, seconds: float) -> None:
        """Wait until something came, and nothing came nor was pressed for so long. Raises TimeoutError."""
        self.until(
            lambda: self.chunks and time.time() - max(self.chunks[-1].time, self.sent) >= seconds,
            f"{seconds} s of rest",
        )

    def start_run(self) -> Path:
        """Press the key that trains; return the new run's folder, once it has epochs behind it. Raises TimeoutError."""
        before = run_folders(self.store)
        self.until_shown("learning_rate ~")
        self.press(_RUN)
        directory: Path = self.until(lambda: set(run_folders(self.store)).difference(before), "a run").pop()
        self.until(lambda: read(directory).status.epochs, "an epoch")
        self.until_shown("▶ running", "── loss")
        return directory

    def ended(self) -> int:
        """Wait for the end of the process, and return its exit code. Raises TimeoutError."""
        self.until(lambda: self.process.poll() is not None, "the end of the process")
        self._reader.join(_REST_SECONDS)
        return self.process.returncode

    def is_restored(self) -> bool:
        """Say whether line editing is as before, the normal screen is back and the cursor can be seen."""
        raw = self.raw
        on, off = raw.rfind(b"\x1b[?1049h"), raw.rfind(b"\x1b[?1049l")
        hidden, visible = raw.rfind(b"\x1b[?25l"), raw.rfind(b"\x1b[?25h")
        mouse, no_mouse = raw.rfind(b"\x1b[?1000h"), raw.rfind(b"\x1b[?1000l")
        has_modes = termios.tcgetattr(self._leader)[:4] == self._modes[:4]
        return 0 <= on < off and hidden < visible and mouse <= no_mouse and has_modes

    def stall(self) -> None:
        """Read nothing from here on."""
        self._bell.close()
        self._reader.join()

    def go_on(self) -> None:
        """Read again."""
        self.stall()
        self._start_reading()

    def hang_up(self) -> None:
        """Close the terminal, as a broken connection does: it reads as ended, and sends SIGHUP if it controls."""
        self.stall()
        self._leader.close()

    def _set_size(self, size: tuple[int, int]) -> None:
        self.size = size
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", *reversed(size), 0, 0))

    def _start_reading(self) -> None:
        self._bell, bell = socket.socketpair()
        self._reader = threading.Thread(target=self._read, args=(bell,), daemon=True)
        self._reader.start()

    def _read(self, bell: socket.socket) -> None:
        """Store what comes, until the other end of the bell is closed, or nobody has the terminal open any more."""
        with bell, contextlib.suppress(OSError):
            while bell not in select.select([self._leader, bell], [], [])[0]:
                at = time.time()
                if not (data := self._leader.read(1 << 16)):
                    return
                self.chunks.append(Chunk(at, data))
                for question, answer in self._answers:
                    if question in data:
                        self._leader.write(answer)
