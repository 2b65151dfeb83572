"""The program on a real terminal: what cannot be seen from inside the process."""

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyte
import pytest

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

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._leader)
        os.close(self._follower)

    def _resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@pytest.fixture
def opened() -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def open_it(*words: str | Path, size: tuple[int, int] = (120, 40), **environment: str) -> Terminal:
        terminals.append(Terminal(list(map(str, words)), size, **environment))
        return terminals[-1]

    yield open_it
    for terminal in terminals:
        terminal.close()


def is_whole(terminal: Terminal) -> bool:
    """Say whether form, panels with their frames and curves, the last record and the footer are all there."""
    words = ("learning_rate ~", "✓ finished iris-first", "── loss", "── accuracy", "── learning_rate", "╭─ callbacks",
             "early_stopping  ▰", "╭─ events", "● finished: stopped early", "f10 Quit")  # fmt: skip
    has_frames = terminal.text.count("╭") == terminal.text.count("╯") == 5
    has_curves = any("⠁" <= character <= "⣿" for character in terminal.text)
    return has_frames and has_curves and all(word in terminal.text for word in words)


def test_a_session_starts_trains_survives_resizing_and_quits_without_a_trace(opened: Callable[..., Terminal]):
    terminal = opened("iris-first")
    terminal.until_shown("iris-first", "learning_rate", "no run yet: ctrl+r trains what the form says", "f10 Quit")
    terminal.press(b"\x12")
    terminal.until_shown("✓ finished", "── loss")
    terminal.until(lambda: is_whole(terminal))
    terminal.resize(20, 5)
    terminal.until(lambda: "f3 Form" not in terminal.text and "finished" in terminal.text)
    terminal.resize(120, 40)
    terminal.until(lambda: is_whole(terminal))
    terminal.press(b"q")
    assert terminal.ended() == 0
    assert terminal.is_restored()
    assert b"Traceback" not in terminal.raw
    [run] = all_runs(Path(os.environ["NN_TUI_RUNS"]))
    assert run.shown_state == "finished"


def test_quitting_while_training_asks_saves_and_restores_the_terminal(opened: Callable[..., Terminal], tmp_path: Path):
    (tmp_path / "long.toml").write_text(LONG)
    terminal = opened(tmp_path / "long.toml", size=(80, 24))
    terminal.until_shown("learning_rate")
    terminal.press(b"\x12")
    terminal.until_shown("▶ running", "── loss")
    terminal.press(b"q")
    terminal.until_shown("A run is under way.")
    terminal.press(b"y")
    assert terminal.ended() == 0
    assert terminal.is_restored()
    [run] = all_runs(Path(os.environ["NN_TUI_RUNS"]))
    assert (run.status.state, run.status.reason) == ("stopped", "interrupted")


def test_a_polite_kill_ends_the_app_and_leaves_no_run_that_seems_alive(opened: Callable[..., Terminal], tmp_path: Path):
    (tmp_path / "long.toml").write_text(LONG)
    terminal = opened(tmp_path / "long.toml")
    terminal.until_shown("learning_rate")
    terminal.press(b"\x12")
    terminal.until_shown("▶ running", "── loss")
    terminal.process.terminate()
    terminal.ended()
    [run] = all_runs(Path(os.environ["NN_TUI_RUNS"]))
    assert run.shown_state in ("stopped", "crashed")


def test_nothing_a_stranger_named_reaches_the_terminal_as_a_command(opened: Callable[..., Terminal]):
    folder = Path(os.environ["XDG_CONFIG_HOME"]) / "nn-tui" / "presets"
    folder.mkdir(parents=True)
    (folder / "a\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x07.toml").write_text('schema = 1\nname = "[/]"\n')
    terminal = opened("iris-first")
    terminal.until_shown("learning_rate")
    terminal.press(b"\x0f")
    terminal.until_shown("Open a preset", "owned")
    assert b"\x1b]0;owned" not in terminal.raw
    assert b"\x1b]52" not in terminal.raw


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_terminal_that_can_show_no_screen_is_refused_in_one_line(opened: Callable[..., Terminal], name: str):
    terminal = opened("iris-first", TERM=name)
    assert terminal.ended() == 2
    lines = [line for line in terminal.raw.decode().splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("nn-tui: TERM is")
    assert "nn-tui train PRESET" in lines[0]
    assert "\x1b" not in lines[0]


def test_an_unknown_preset_is_one_line_and_nothing_is_drawn(opened: Callable[..., Terminal]):
    terminal = opened("iris-frist")
    assert terminal.ended() == 2
    lines = [line for line in terminal.raw.decode().splitlines() if line.strip()]
    assert len(lines) == 1
    assert "Did you mean iris-first?" in lines[0]
    assert "\x1b" not in lines[0]


def test_without_a_terminal_the_app_refuses_in_one_line():
    done = subprocess.run(
        [PROGRAM, "iris-first"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nn-tui: the app needs a terminal. Train without a screen: nn-tui train PRESET\n"
