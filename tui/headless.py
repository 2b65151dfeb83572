"""Training without a screen: a progress bar on a terminal, plain lines elsewhere. Follows the run as anybody would."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import presets
from trainer.config import parse_settings
from trainer.events import Epoch, Event, Finished, Layers, Started, Steps
from trainer.log import Tail
from trainer.preparation import prepare
from trainer.replicas import best, group_result, members, shown_state
from trainer.runs import Run, result
from trainer.store import store
from trainer.text import clean
from trainer.training import start_replicas, train_together
from tui import garbage
from tui.happenings import happening
from tui.wording import mean_and_std, metrics_line

EXIT_CODES = {"finished": 0, "stopped": 0, "failed": 1, "diverged": 3}
_FAILED, _INTERRUPTED = 1, 130
_QUIET = (Steps, Layers, Finished)
_LOOK_SECONDS = 0.05
_LINE_SECONDS = 1.0


def train(preset: str, settings: list[str], name: str, runs: Path | None, as_json: bool) -> int:
    """Train a preset; return the exit code. Raises ConfigError, RunError: nothing was created."""
    values = parse_settings(settings)
    found = presets.find(preset)
    config = found.permitted(found.load().changed({**values, **({"name": name} if name else {})}))
    prepared = prepare(config, found.base)
    started = start_replicas(prepared, store(runs))
    _, lead = started[0]
    cancelled = threading.Event()
    ended: list[Run] = []
    worker = threading.Thread(target=lambda: ended.extend(train_together(started, cancelled)), name="training")
    with _interrupts(cancelled):
        worker.start()
        _watch(worker, lead.path, config.training.epochs)
    run, *run.replicas = ended
    _tell_end(run, as_json)
    if any(one.lost for one in members(run)):
        return _FAILED
    if any(one.status.reason == "interrupted" for one in ended):
        return _INTERRUPTED
    return EXIT_CODES[shown_state(run, [one.status.state for one in ended])]


def _tell_end(run: Run, as_json: bool) -> None:
    for one in members(run):
        if one.lost:
            print(f"nn-tui: {clean(str(one.directory))} lacks {clean(one.lost)}", file=sys.stderr)
    if as_json:
        print(json.dumps(group_result(run) if run.replicas else result(run), allow_nan=False), flush=True)
        return
    for one in members(run):
        print(f"{one.status.state}: {clean(one.status.message)}")
        if (known := one.status.best) is not None:
            metrics = {name: curve.y[known.epoch] for name, curve in one.epochs.items() if known.epoch < len(curve.y)}
            print(f"epoch {known.epoch + 1}: {metrics_line(metrics)}")
        print(clean(str(one.directory)))
    if run.replicas and (found := best(run)):
        print(f"{run.name}: best {found[0]} {mean_and_std(found[1])}")


@contextmanager
def _interrupts(cancelled: threading.Event) -> Iterator[None]:
    """Have ctrl+c and a polite kill end the run, saved; a second one ends the program at once."""

    def ask(number: int, _frame: object) -> None:
        cancelled.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(worker: threading.Thread, directory: Path, epochs: int) -> None:
    """Show the run's records until the worker is done."""
    tail = Tail(directory / "events.jsonl")
    show = _bar if sys.stderr.isatty() else _lines
    with show(epochs) as tell:
        while worker.is_alive():
            worker.join(_LOOK_SECONDS)
            for event in tail.read():
                if isinstance(event, Started):
                    garbage.settle()
                tell(event)
        for event in tail.read_all():
            tell(event)


@contextmanager
def _bar(epochs: int) -> Iterator[Callable[[Event], None]]:
    # Here and not above: plain lines do without, and it takes as long to load as ten epochs of a small network.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[metrics]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as progress:
        task = progress.add_task("starting", total=epochs, metrics="")

        def tell(event: Event) -> None:
            if isinstance(event, Epoch):
                progress.update(
                    task, completed=event.epoch + 1, description=f"epoch {event.epoch + 1}/{epochs}",
                    metrics=metrics_line(event.metrics),
                )  # fmt: skip
            elif not isinstance(event, _QUIET):
                progress.console.print(happening(event), markup=False, soft_wrap=True)

        yield tell


@contextmanager
def _lines(epochs: int) -> Iterator[Callable[[Event], None]]:
    printed = -_LINE_SECONDS

    def tell(event: Event) -> None:
        nonlocal printed
        if isinstance(event, Epoch):
            last = event.epoch + 1 == epochs
            if last or time.monotonic() - printed >= _LINE_SECONDS:
                printed = time.monotonic()
                print(f"epoch {event.epoch + 1}/{epochs}  {metrics_line(event.metrics)}", file=sys.stderr)
        elif not isinstance(event, _QUIET):
            print(happening(event), file=sys.stderr)

    yield tell
