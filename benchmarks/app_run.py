"""A training in the app: open it on a preset, press the key that trains, wait for the end."""

from pathlib import Path

from benchmarks.bench import Bench
from terminals import PROGRAM, Terminal, wait_for

_RUN, _QUIT, _STOP = b"\x12", b"\x1b[21~", b"s"
_REST_SECONDS = 1.5
_SYNCHRONIZED_OUTPUT = (b"\x1b[?2026$p", b"\x1b[?2026;2$y")
"""Question and answer, as most present terminals give it: pictures may come in one piece, at some bytes more."""


def opened(bench: Bench, *words: str | Path, program: str | Path = PROGRAM) -> Terminal:
    """Return the app, or another program, started with these words in a terminal of 120 by 40, for a `with`."""
    environment = {**bench.environment, "COLORTERM": "truecolor"}
    return Terminal(*words, program=program, answers=[_SYNCHRONIZED_OUTPUT], **environment)


def train_in_app(bench: Bench, preset: Path) -> Path:
    """Start the app on a preset, train it, quit; return the run's folder."""
    with opened(bench, preset) as app:
        app.until_quiet(_REST_SECONDS)
        directory = press_run(app)
        wait_for_end(directory)
        app.until_quiet(_REST_SECONDS)  # until it has noticed the end it would ask
        app.press(_QUIT)
        app.ended()
    return directory


def press_run(app: Terminal) -> Path:
    """Press the key that trains; return the new run's folder. Looks seldom, and reads nothing, unlike `start_run`."""
    before = set(app.store.glob("*/events.jsonl"))
    app.press(_RUN)
    new: set[Path] = app.until(lambda: set(app.store.glob("*/events.jsonl")) - before, "a run", pause=0.1)
    return new.pop().parent


def stop_and_quit(app: Terminal) -> None:
    """Quit while a run is under way, which the app asks about."""
    app.press(_QUIT)
    app.until_shown("Stop (s)")
    app.press(_STOP)
    app.ended()


def wait_for_end(directory: Path) -> None:
    """Wait for a run's last record, without reading the others."""
    events = directory / "events.jsonl"
    wait_for(lambda: b'"kind":"finished"' in _last_line(events), "the end of a run", deadline=600, pause=0.25)


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().rstrip(b"\n").rpartition(b"\n")[2]
