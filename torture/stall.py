"""Terminals that are not read for a while, as of a laptop that sleeps: the training must not notice it."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from terminals import Terminal
from torture.figure import Figure, say
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
_TIMES, _SECONDS = 15, 5.0
_SHORT_SECONDS = 1.0
_KEYS_SECONDS = 2.0
"""How long the app may have for the keys that fill the terminal; their work is not the stall's."""
_LEAST_PACE = 0.9
_MOST_SECONDS_TO_ANSWER = 1.0
_KEY_PLAN, _KEY_CURVES, _KEYS = b"4", b"1", 10
_KEY_LAYERS, _ANSWER = b"3", b"gradient norm"
"""A page that the keys before did not show, and words that stand on it alone."""


def stall(folder: Path, short: bool) -> list[Figure]:
    """Do not read a terminal while a run trains; return how the run went on, and how soon the screen answered."""
    preset = folder / "stalled.toml"
    preset.write_text(_PRESET)
    times, seconds = (1, _SHORT_SECONDS) if short else (_TIMES, _SECONDS)
    paces: list[float] = []
    answers: list[float] = []
    usual: list[float] = []
    wrong: list[str] = []
    try:
        with Terminal(preset, controls=True, NN_TUI_RUNS=str(folder / "runs")) as terminal:
            directory = terminal.start_run()
            for number in range(times):
                say(f"stall {number + 1} of {times}")
                usual.append(_answer(terminal))
                before = _epochs_in(directory, seconds)
                terminal.stall()
                # Keys that repaint much, so that the terminal is full at once.
                terminal.press((_KEY_PLAN + _KEY_CURVES) * _KEYS)
                time.sleep(_KEYS_SECONDS)
                paces.append(_epochs_in(directory, seconds) / max(1, before))
                answers.append(_answer(terminal))
    except TimeoutError as error:
        wrong.append(str(error))
    pace = statistics.median(paces) if paces else 0.0
    late = [seconds for seconds in answers if seconds > _MOST_SECONDS_TO_ANSWER]
    failures = len(wrong) + (0 if short else len(late) + (pace < _LEAST_PACE))
    note = f"pace while stalled/before {pace:.2f} (median); a key answered {_words(answers)}, without {_words(usual)}"
    return [Figure(f"terminals not read for {seconds:.0f} s", times, failures, "; ".join([note, *wrong]))]


def _words(seconds: Sequence[float]) -> str:
    return f"after {statistics.median(seconds or [0.0]):.2f} s (most {max(seconds, default=0.0):.2f})"


def _answer(terminal: Terminal) -> float:
    """Read the terminal again, press a key, and return the seconds until the screen shows what the key does."""
    began = time.monotonic()
    known = len(terminal.raw)
    terminal.go_on()
    terminal.press(_KEY_LAYERS)
    terminal.until(lambda: terminal.raw.find(_ANSWER, known) >= 0, "the answer to a key")
    answered = time.monotonic() - began
    terminal.press(_KEY_CURVES)
    terminal.until_shown("callbacks")
    return answered


def _epochs_in(directory: Path, seconds: float) -> int:
    """Return how many epochs end within some seconds from now on."""
    tail = Tail(directory / "events.jsonl")
    tail.read_all()
    time.sleep(seconds)
    return sum(isinstance(event, Epoch) for event in tail.read_all())
