"""The app on a pseudo terminal that can be closed under it, with a signal or without, or not be read for a while."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte

from trainer.run import Run
from trainer.runs import read
from trainer.store import all_runs

PROGRAM = Path(sys.executable).with_name("nn-tui")
RUN, QUIT, STOP, PAUSE = b"\x12", b"\x1b[21~", b"\x1bOS", b"\x1b[15~"

_CONTROLLED = (
    sys.executable, "-c",
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])",
)  # fmt: skip
"""What makes the terminal the session's own, and becomes the command behind it."""

_SIZE = (120, 40)
_MOST_SECONDS = 120.0
_LOOK_SECONDS = 0.02


class BrokenPromiseError(Exception):
    """What was promised did not come."""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something holds, and return it. Raises BrokenPromiseError."""
    end = time.monotonic() + _MOST_SECONDS
    while not (found := condition()):
        if time.monotonic() > end:
            raise BrokenPromiseError(f"waited in vain for {what}")
        time.sleep(_LOOK_SECONDS)
    return found


class Terminal:
    """A terminal of 120 by 40 with the app in it; a thread reads it, as a terminal program does.

    Attributes:
        store: the folder of runs that the app works on.
        process: the one that a shell would wait for.
        came: all that was written to the terminal, as far as it was read.
    """

    def __init__(self, store: Path, *words: str | Path, controls: bool = True, program: str | Path = PROGRAM) -> None:
        """Start the app.

        Args:
            store: folder of runs.
            words: for the app.
            controls: whether the terminal controls the process, so that closing it sends SIGHUP.
            program: what starts the app, if not its own program.
        """
        self.store = store
        self.came = bytearray()
        self._leader, follower = pty.openpty()
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", *reversed(_SIZE), 0, 0))
        self._screen = pyte.Screen(*_SIZE)
        self._stream = pyte.ByteStream(self._screen)
        self._may_read, self._is_closed = threading.Event(), False
        self._may_read.set()
        environment = {**os.environ, "TERM": "xterm-256color", "NN_TUI_RUNS": str(store)}
        command = [str(program), *map(str, words)]
        self.process = subprocess.Popen(
            [*(_CONTROLLED if controls else ()), *command],
            stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
            env={key: value for key, value in environment.items() if key not in ("LINES", "COLUMNS", "NO_COLOR")},
        )  # fmt: skip
        os.close(follower)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._leader, keys)

    @property
    def text(self) -> str:
        """Return what the screen shows."""
        return "\n".join(self._screen.display)

    def until_shown(self, *words: str) -> None:
        """Wait until all the words stand on the screen. Raises BrokenPromiseError."""
        try:
            wait_for(lambda: all(word in self.text for word in words), f"{words} on the screen")
        except BrokenPromiseError as error:
            raise BrokenPromiseError(f"{error}; it shows\n{self.text}") from None

    def start_run(self) -> Path:
        """Press the key that trains; return the new run's folder, once the run has epochs behind it."""
        before = {run.directory for run in all_runs(self.store)}
        self.until_shown("learning_rate ~")
        self.press(RUN)
        new = wait_for(lambda: [run for run in all_runs(self.store) if run.directory not in before], "a run")
        directory = new[0].directory
        wait_for(lambda: read(directory).status.epochs, "an epoch")
        return Path(directory)

    def stall(self) -> None:
        """Read nothing from here on."""
        self._may_read.clear()

    def go_on(self) -> None:
        """Read again."""
        self._may_read.set()

    def hang_up(self) -> None:
        """Close the terminal, as a broken connection does."""
        self._is_closed = True
        self._may_read.set()
        self._reader.join()
        os.close(self._leader)

    def exit_code(self) -> int:
        """Wait for the end of the process that a shell would wait for. Raises BrokenPromiseError."""
        try:
            return self.process.wait(_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            raise BrokenPromiseError("the process does not end") from None

    def close(self) -> None:
        """Have nothing left behind."""
        for run in all_runs(self.store):
            if run.is_live:
                os.kill(run.status.pid, 9)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if not self._is_closed:
            self.hang_up()

    def _read(self) -> None:
        while not self._is_closed:
            self._may_read.wait()
            if select.select([self._leader], [], [], _LOOK_SECONDS)[0]:
                try:
                    data = os.read(self._leader, 1 << 16)
                except OSError:
                    return
                self.came += data
                self._stream.feed(data)


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def what_is_missing(run: Run) -> str:
    """Return what a finished run's directory lacks to be whole; "" for nothing."""
    import json

    from trainer import checkpoints
    from trainer.problems import RunError

    if run.shown_state != "finished":
        return f"it shows as {run.shown_state}: {run.status.message}"
    lines = (run.directory / "events.jsonl").read_bytes().splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    if [record["seq"] for record in records] != list(range(len(records))) or not lines[-1].endswith(b"\n"):
        return "records are missing"
    if records[-1]["kind"] != "finished":
        return "the last record is another"
    if any(run.directory.rglob("*.tmp")):
        return "a temporary file is left"
    try:
        found = [checkpoints.load(path) for path in (run.directory / "checkpoints").glob("*.safetensors")]
    except RunError as error:
        return str(error)
    return "" if found else "it has no checkpoint"
