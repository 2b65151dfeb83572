"""Hang-ups: the terminal is closed while a run trains, in half of the cases with SIGHUP, in half it only ends.

The run has to go on in its process, at its pace, and to end whole; the process, to burn nothing beside and exit with 0.
"""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terminals import Terminal, wait_for
from torture.figure import Figure, say
from torture.missing import what_is_missing
from trainer.commands import Pause, Resume, Set, send
from trainer.events import Epoch
from trainer.log import Tail
from trainer.runs import peek, read

_PRESET = """
schema = 1
name = "hung-up"
data.source = "digits"
model.hidden = [64]
training.epochs = 1000000
callbacks.early_stopping.enabled = false
"""
_TIMES = 100
_SECONDS, _SHORT_SECONDS = 1.0, 0.2
"""How long the pace is taken before a hang-up and after it."""
_EPOCHS_MORE = 100
_IDLE_SECONDS, _LOOKS = 0.5, 3
_MOST_IDLE = 0.05
"""Cores that a paused run may keep busy."""
_LEAST_PACE = 0.9
"""Pace after the hang-up, against that before it, in the middle of all cases."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One hang-up: what was wrong, the pace after it over that before, and the cores busy while the run was paused."""

    wrong: str
    pace: float | None = None
    idle: float | None = None


def hang_up(folder: Path, short: bool) -> list[Figure]:
    """Close terminals; return a figure for each kind."""
    preset = folder / "hung-up.toml"
    preset.write_text(_PRESET)
    figures = []
    for controls, kind in ((True, "with SIGHUP"), (False, "without, the terminal only ends")):
        seconds, times = (_SHORT_SECONDS, 1) if short else (_SECONDS, _TIMES // 2)
        cases = [_case(preset, number, controls, seconds) for number in range(times)]
        figures.append(_figure(f"terminals closed under a training, {kind}", cases, short))
    return figures


def _figure(what: str, cases: Sequence[_Case], short: bool) -> Figure:
    paces = [case.pace for case in cases if case.pace is not None]
    idle = [case.idle for case in cases if case.idle is not None]
    wrong = [case.wrong for case in cases if case.wrong]
    pace = statistics.median(paces) if paces else 0.0
    # A few cases on a busy machine say nothing of the pace.
    failures = len(wrong) + (not short and pace < _LEAST_PACE)
    note = f"pace after/before {pace:.2f} (median); cores busy while paused {max(idle, default=0.0):.3f} (most)"
    return Figure(what, len(cases), failures, "; ".join([note, *wrong[:3]]))


def _case(preset: Path, number: int, controls: bool, seconds: float) -> _Case:
    """Hang up once; every fifth run is paused afterwards, to see what the process does when it has nothing to do."""
    say(f"hang-up {number + 1}, {'with SIGHUP' if controls else 'terminal ends'}")
    try:
        with Terminal(preset, controls=controls, NN_TUI_RUNS=str(preset.parent / "runs")) as terminal:
            return _hung_up(terminal, number, seconds)
    except TimeoutError as error:
        return _Case(str(error))


def _hung_up(terminal: Terminal, number: int, seconds: float) -> _Case:
    directory = terminal.start_run()
    time.sleep(seconds + 0.01 * number)  # at another moment each time
    pid, at = peek(directory).status.pid, time.time()
    terminal.hang_up()
    time.sleep(seconds)
    pace = _pace(directory, at - seconds, at, at + seconds)
    idle = _idle(directory, pid) if number % 5 == 0 else None
    send(directory, Set(by="torture", key="training.epochs", value=read(directory).status.epochs + _EPOCHS_MORE))
    code = terminal.ended()
    run = read(directory)
    wrong = what_is_missing(run)
    if code != 0:
        wrong = f"exit code {code}; {wrong}"
    if run.status.pid != pid:
        wrong = f"another process trained on; {wrong}"
    if idle is not None and idle > _MOST_IDLE:
        wrong = f"{idle:.2f} cores busy for nothing; {wrong}"
    return _Case(wrong, pace, idle)


def _idle(directory: Path, pid: int) -> float:
    """Return how many cores a process keeps busy while its run is paused."""
    send(directory, Pause(by="torture"))
    wait_for(lambda: peek(directory).status.state == "paused", "the pause")
    # What is busy for nothing is so all the time; what is still being written or compiled comes to an end.
    used = min(_busy(pid) for _ in range(_LOOKS))
    send(directory, Resume(by="torture"))
    return used


def _busy(pid: int) -> float:
    before = _processor_seconds(pid)
    time.sleep(_IDLE_SECONDS)
    return (_processor_seconds(pid) - before) / _IDLE_SECONDS


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process, all threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pace(directory: Path, start: float, at: float, end: float) -> float | None:
    """Return the epochs from a moment to the end over those from the start to it; None if there were none before."""
    times = [event.time for event in Tail(directory / "events.jsonl").read_all() if isinstance(event, Epoch)]
    before = sum(start <= time < at for time in times)
    return sum(at <= time < end for time in times) / before if before else None
