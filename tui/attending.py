"""Attending a training without a screen: a progress bar on a terminal, plain lines elsewhere, and how it ended.

It follows the run's directory as anybody would.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.events import Epoch, Event, Finished, HyperparameterSet, Layers, Started, Steps
from trainer.log import Tail
from trainer.problems import ConfigError
from trainer.replicas import at_best, best, members, shown_state
from trainer.results import group_result, result
from trainer.run import Run
from trainer.runs import read
from trainer.schema import EPOCHS
from trainer.text import clean
from trainer.training import Runs, train_together
from tui import garbage, signals, streams, unattended
from tui.happenings import happening, is_routine
from tui.session import background_line
from tui.steering import Steering
from tui.wording import QUIET, mean_and_std, metrics_line

if TYPE_CHECKING:
    from tui.foreground import Parent
    from tui.training_host import TrainingHost

EXIT_CODES = {"finished": 0, "stopped": 0, "failed": 1, "diverged": 3}
_FAILED = 1
_QUIET = (Steps, Layers, Finished)
_LOOK_SECONDS = 0.05
_LINE_SECONDS = 1.0
_SILENCE_SECONDS = 3.0


def attend(
    start: Callable[[], Runs],
    as_json: bool,
    parent: "Parent | None" = None,
    lead: Path | None = None,
) -> int:
    """Begin runs and see them to their end, telling what happens; return the exit code.

    Args:
        start: makes or opens them.
        as_json: whether the result is told as JSON.
        parent: the process that the shell waits for, which is let go of once the runs have begun; None where there is
            no other, and the training stays in the foreground.
        lead: folder of the run that leads them, where not all of its group train.

    Raises:
        ConfigError, RunError: what `start` raises.
    """
    streams.outlive_terminal()
    steering = Steering()
    with signals.taken(_until_begun()) as taken:
        waiting = threading.Timer(_SILENCE_SECONDS, print, ("reading or fetching the data ...",), {"file": sys.stderr})
        waiting.daemon = True
        waiting.start()
        try:
            started = start()
        finally:
            waiting.cancel()
        _, first = started[0]
        steering.directory = lead or first.path
        unattended.forget(first.path)
        tail = Tail(first.path / "events.jsonl")
        tail.read_all()
        ended: list[Run] = []
        worker = threading.Thread(
            target=lambda: ended.extend(train_together(started, steering.cancelled)), name="training"
        )
        taken.answers = _steered(steering, is_saved=lambda: bool(ended))
        if parent is not None:
            _go_into_background(first.run, parent, as_json)
        worker.start()
        try:
            _watch(worker, tail, first.run)
        finally:
            worker.join()
        run, *run.replicas = ended
        return _end(read(lead) if lead else run, steering.is_interrupted, as_json)


def accompany(host: "TrainingHost") -> int:
    """Show a training that its screen has left, as `train` shows its own, until its end; return the exit code.

    Raises:
        ConfigError: it could not begin.
    """
    outcome = host.wait_until_begun()
    if outcome is not None and outcome.problems:
        raise ConfigError(outcome.problems)
    if (directory := host.directory) is None or host.thread is None:
        return 0
    tail = Tail(directory / "events.jsonl")
    tail.read_all()
    shown = read(directory)
    print(f"{shown.name}: {directory}", file=sys.stderr)
    _watch(host.thread, tail, shown)
    return _end(read(directory), host.is_interrupted, as_json=False)


def _steered(steering: Steering, is_saved: Callable[[], bool]) -> signals.Answers:
    """Return what signals do to a training that no screen shows."""
    return {
        signal.SIGHUP: lambda: unattended.go_on(steering.directory),
        signal.SIGTERM: signals.asked_to_end(steering.end, is_saved),
        signal.SIGUSR1: steering.save,
        signal.SIGINT: signals.interrupted(steering.stop),
    }


def _until_begun() -> signals.Answers:
    """Return what signals do before there is a run: nothing that would have to be saved is there."""
    at_once = {number: signals.die_by(number) for number in (signal.SIGTERM, signal.SIGINT)}
    return {**at_once, signal.SIGHUP: lambda: streams.leave_terminal(None)}


def _go_into_background(run: Run, parent: "Parent", as_json: bool) -> None:
    told = json.dumps({**result(run), "pid": os.getpid()}, allow_nan=False) if as_json else ""
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know; the run goes on all the same
        print(told or background_line(run), flush=True)
    unattended.go_on(run.directory, in_background=True)
    parent.let_go()


def _end(run: Run, is_interrupted: bool, as_json: bool) -> int:
    """Tell how a run ended; return the exit code."""
    if (since := streams.left_at()) is not None:
        unattended.mark(run.directory, since)
    _tell_end(run, as_json)
    if any(one.lost for one in members(run)):
        return _FAILED
    if is_interrupted:
        return signals.INTERRUPTED
    return EXIT_CODES[shown_state(run, [one.status.state for one in members(run)])]


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
            print(f"epoch {known.epoch + 1}: {metrics_line(one.metrics_at(known.epoch))}")
        print(clean(str(one.directory)))
    if run.replicas and (found := best(run)):
        print(f"{run.name}: best {found[0]} {mean_and_std(found[1])}")
        spreads = {name: it for name, it in at_best(run).items() if name not in (found[0], *QUIET)}
        print("at the best epochs: " + ", ".join(f"{clean(name)} {mean_and_std(it)}" for name, it in spreads.items()))


def _watch(worker: threading.Thread, tail: Tail, run: Run) -> None:
    """Show the records that come until the worker is done."""
    show = _bar if sys.stderr.isatty() else _lines
    with show(_Plan(run)) as tell:
        while worker.is_alive():
            worker.join(_LOOK_SECONDS)
            for event in tail.read():
                if isinstance(event, Started):
                    garbage.settle()
                tell(event)
        for event in tail.read_all():
            tell(event)


class _Plan:
    """How many epochs a run is to have, which may change, and how many updates an epoch has."""

    def __init__(self, run: Run) -> None:
        self.epochs = run.status.epochs_planned
        self.steps_per_epoch = run.steps_per_epoch

    def follow(self, event: Event) -> None:
        """Take note of what changes it."""
        if isinstance(event, Started):
            self.steps_per_epoch = event.steps_per_epoch
        elif isinstance(event, HyperparameterSet) and event.key == EPOCHS and isinstance(event.to, int):
            self.epochs = event.to


@contextmanager
def _bar(plan: _Plan) -> Iterator[Callable[[Event], None]]:
    # Here and not above: plain lines do without, and it takes as long to load as ten epochs of a small network.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # what is left of the line; all else stays whole
    columns = (
        TextColumn("{task.description}"), BarColumn(16), TaskProgressColumn(), TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[metrics]}", table_column=rest),
    )  # fmt: skip
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        task = progress.add_task("starting", total=plan.epochs, metrics="")

        def tell(event: Event) -> None:
            if streams.left_at() is not None:  # a log has no use for a bar
                progress.stop()
                console.quiet = True
                return
            plan.follow(event)
            if isinstance(event, Steps | Epoch):
                done = event.step / plan.steps_per_epoch
                words = f"epoch {min(int(done) + isinstance(event, Steps), plan.epochs)}/{plan.epochs}"
                progress.update(task, completed=done, total=plan.epochs, description=words)
            if isinstance(event, Epoch):
                progress.update(task, metrics=metrics_line(event.metrics))
            elif _is_told(event):
                console.print(happening(event), markup=False, soft_wrap=True)

        yield tell


@contextmanager
def _lines(plan: _Plan) -> Iterator[Callable[[Event], None]]:
    printed = -_LINE_SECONDS

    def tell(event: Event) -> None:
        nonlocal printed
        plan.follow(event)
        if isinstance(event, Epoch):
            last = event.epoch + 1 == plan.epochs
            if last or time.monotonic() - printed >= _LINE_SECONDS:
                printed = time.monotonic()
                print(f"epoch {event.epoch + 1}/{plan.epochs}  {metrics_line(event.metrics)}", file=sys.stderr)
        elif _is_told(event):
            print(happening(event), file=sys.stderr)

    yield tell


def _is_told(event: Event) -> bool:
    """Return whether a record has a line of its own."""
    return not (isinstance(event, _QUIET) or is_routine(event))
