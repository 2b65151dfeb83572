"""The program on a real terminal, for tests: a pty with a picture of what it shows."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte

from trainer.store import all_runs

PROGRAM = Path(sys.executable).with_name("nn-tui")
DEADLINE_SECONDS = 60.0
LONG = (
    'schema = 1\nname = "long"\n[data]\nsource = "iris"\n[model]\nhidden = [8]\n'
    "[training]\nepochs = 1000000\nbatch_size = 16\n"
)

# The last two tell a program that its terminal has another size than it has; test runners set them.
_NOT_KEPT = ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")


class Terminal:
    """A pseudo terminal with the program in it, and a picture of what it shows."""

    def __init__(self, words: list[str], size: tuple[int, int], **environment: str) -> None:
        self.size = size
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self._is_closed = False
        self._leader, follower = pty.openpty()
        self._resize(*size)
        self.modes = termios.tcgetattr(follower)
        kept = {key: value for key, value in os.environ.items() if key not in _NOT_KEPT}
        self.process = subprocess.Popen(
            [PROGRAM, *words], stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
            env={**kept, "TERM": "xterm-256color", **environment},
        )  # fmt: skip
        self._follower = follower

    def press(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        self._resize(columns, lines)
        os.killpg(self.process.pid, signal.SIGWINCH)

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def until(self, condition: Callable[[], Any]) -> None:
        """Read what the program writes until the condition holds."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain; the terminal shows\n{self.text}")
            self.read(0.05)

    def start_long_run(self) -> Path:
        """Press the key that trains; return the folder of the run when it is under way."""
        self.until_shown("learning_rate ~")
        self.press(b"\x12")
        self.until_shown("▶ running", "── loss")
        return all_runs(Path(os.environ["NN_TUI_RUNS"]))[0].directory

    def open_a_while(self, path: Path, text: str) -> None:
        """Read on until a file has a text in it."""
        self.until(lambda: path.is_file() and text in path.read_text())

    def until_shown(self, *words: str) -> None:
        self.until(lambda: all(word in self.text for word in words))

    def read(self, seconds: float = 0.0) -> None:
        while select.select([self._leader], [], [], seconds)[0]:
            data = os.read(self._leader, 1 << 16)
            self.raw += data
            self._stream.feed(data)
            seconds = 0.0

    def ended(self) -> int:
        """Wait for the end; return the exit code."""
        self.until(lambda: self.process.poll() is not None)
        self.read()
        return self.process.returncode

    def is_restored(self) -> bool:
        """Say whether line editing is as before, the normal screen is back and the cursor can be seen."""
        on, off = self.raw.rfind(b"\x1b[?1049h"), self.raw.rfind(b"\x1b[?1049l")
        hidden, visible = self.raw.rfind(b"\x1b[?25l"), self.raw.rfind(b"\x1b[?25h")
        mouse, no_mouse = self.raw.rfind(b"\x1b[?1000h"), self.raw.rfind(b"\x1b[?1000l")
        return (
            0 <= on < off and hidden < visible and mouse <= no_mouse
            and termios.tcgetattr(self._follower)[:4] == self.modes[:4]
        )  # fmt: skip

    def waited(self) -> int:
        """Wait for the end without reading; return the exit code."""
        return self.process.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for run in all_runs(Path(os.environ["NN_TUI_RUNS"])):
            if run.is_live:  # it left the group
                os.kill(run.status.pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()
        os.close(self._follower)

    def hang_up(self) -> None:
        """Close the terminal; the process reads its end, and gets no signal, since the terminal is not its own."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._leader)

    def _resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
