"""A training in the app: open it on a preset, press the key that trains, wait for the end."""

import time
from pathlib import Path

from benchmarks.bench import NN_TUI, Bench
from benchmarks.pty_app import PtyApp

_RUN, _QUIT, _STOP = b"\x12", b"\x1b[21~", b"s"
_REST_SECONDS = 1.5
_MOST_SECONDS = 600


def opened(bench: Bench, preset: Path) -> PtyApp:
    """Return the app, started on a preset, for a `with`."""
    return PtyApp([NN_TUI, str(preset)], bench.environment)


def train_in_app(bench: Bench, preset: Path) -> Path:
    """Start the app on a preset, train it, quit; return the run's folder."""
    with opened(bench, preset) as app:
        app.wait_until_quiet(_REST_SECONDS)
        directory = press_run(app, bench)
        wait_for_end(directory)
        app.wait_until_quiet(_REST_SECONDS)  # until it has noticed the end it would ask
        app.quit(_QUIT)
    return directory


def press_run(app: PtyApp, bench: Bench) -> Path:
    """Press the key that trains; return the new run's folder."""
    store = bench.folder / "runs"
    before = set(store.glob("*/events.jsonl"))
    app.send(_RUN)
    end = time.time() + 60
    while not (new := set(store.glob("*/events.jsonl")) - before):
        if time.time() > end:
            raise SystemExit("no run began:\n" + "\n".join(app.picture()))
        time.sleep(0.1)
    return new.pop().parent


def stop_and_quit(app: PtyApp) -> None:
    """Quit while a run is under way, which the app asks about."""
    app.send(_QUIT)
    app.wait_for("Stop (s)")
    app.quit(_STOP)


def wait_for_end(directory: Path) -> None:
    """Wait for a run's last record, without reading the others."""
    end = time.time() + _MOST_SECONDS
    while b'"kind":"finished"' not in _last_line(directory / "events.jsonl"):
        if time.time() > end:
            raise SystemExit(f"the run in {directory} does not end")
        time.sleep(0.25)


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().rstrip(b"\n").rpartition(b"\n")[2]
