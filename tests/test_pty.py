"""The program on a real terminal: what cannot be seen from inside the process."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from terminals import DEADLINE_SECONDS, PROGRAM, Terminal
from trainer.store import all_runs


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


def test_quitting_while_training_asks_saves_and_restores_the_terminal(
    opened: Callable[..., Terminal], long_preset: Path
):
    terminal = opened(long_preset, size=(80, 24))
    terminal.start_run()
    terminal.press(b"q")
    terminal.until_shown("A run is under way.", "Detach (d)", "Wait (w)", "Stop (s)", "Stay (esc)")
    terminal.press(b"s")
    assert terminal.ended() == 0
    assert terminal.is_restored()
    [run] = all_runs(Path(os.environ["NN_TUI_RUNS"]))
    assert (run.status.state, run.status.reason) == ("stopped", "stopped")


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
