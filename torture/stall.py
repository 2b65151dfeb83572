"""Terminals that are not read for a while, as of a laptop that sleeps: the training must not notice it."""

import statistics
import time
from pathlib import Path

from torture.figure import Figure, say
from torture.terminal import BrokenPromiseError, Terminal
from trainer.events import Epoch
from trainer.log import Tail

_PRESET = """
schema = 1
name = "stalled"
data.source = "digits"
model.hidden = [64]
training.epochs = 1000000
callbacks.early_stopping.enabled = false
"""
_TIMES, _SECONDS = 20, 6.0
_SHORT_SECONDS = 2.0
_LEAST_PACE = 0.9
_MOST_SECONDS_TO_ANSWER = 1.0
_KEY_PLAN, _KEY_CURVES = b"4", b"1"


def stall(folder: Path, short: bool) -> list[Figure]:
    """Do not read a terminal while a run trains; return how the run went on, and how soon the screen answered."""
    preset = folder / "stalled.toml"
    preset.write_text(_PRESET)
    times, seconds = (1, _SHORT_SECONDS) if short else (_TIMES, _SECONDS)
    terminal = Terminal(folder / "runs", preset)
    paces: list[float] = []
    answers: list[float] = []
    wrong: list[str] = []
    try:
        directory = terminal.start_run()
        for number in range(times):
            say(f"stall {number + 1} of {times}")
            began = time.time()
            time.sleep(seconds)
            terminal.stall()
            stalled = time.time()
            # Keys that repaint much, so that the terminal is full at once; their answers come when it is read again.
            for _ in range(20):
                terminal.press(_KEY_PLAN + _KEY_CURVES)
            time.sleep(seconds)
            over = time.time()
            paces.append(_epochs(directory, stalled, over) / max(1, _epochs(directory, began, stalled)))
            answers.append(_answer(terminal))
    except BrokenPromiseError as error:
        wrong.append(str(error))
    finally:
        terminal.close()
    pace = statistics.median(paces) if paces else 0.0
    late = [seconds for seconds in answers if seconds > _MOST_SECONDS_TO_ANSWER]
    failures = len(wrong) + (0 if short else len(late) + (pace < _LEAST_PACE))
    note = f"pace while stalled/before {pace:.2f} (median); answered within {max(answers, default=0.0):.2f} s (most)"
    return [Figure(f"terminals not read for {seconds:.0f} s", times, failures, "; ".join([note, *wrong]))]


def _answer(terminal: Terminal) -> float:
    """Read the terminal again, press a key, and return the seconds until the screen shows what the key does."""
    began = time.monotonic()
    terminal.go_on()
    terminal.press(_KEY_PLAN)
    terminal.until_shown("layers", "FLOPs")
    answered = time.monotonic() - began
    terminal.press(_KEY_CURVES)
    terminal.until_shown("callbacks")
    return answered


def _epochs(directory: Path, start: float, end: float) -> int:
    records = Tail(directory / "events.jsonl").read_all()
    return sum(isinstance(event, Epoch) and start <= event.time < end for event in records)
