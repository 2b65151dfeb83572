"""One session of the app: from its first picture until its last run has ended, with a terminal or without.

The screen comes and goes; the training stays where it is, in a thread of this process.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from trainer.problems import ConfigError
from tui import signals, streams, unattended
from tui.limits import what_ends_it

if TYPE_CHECKING:
    from trainer.run import Run
    from tui.app import NnTui
    from tui.foreground import Parent
    from tui.training_host import TrainingHost


def hold(app: NnTui, parent: Parent) -> int:
    """Show the app and see its training through; return the exit code.

    Raises:
        ConfigError: the training that was to go on in the background could not begin.
    """
    host = app.train_screen.host
    answers = {
        signal.SIGHUP: app.lose_terminal,
        signal.SIGTERM: signals.asked_to_end(app.end, lambda: not host.is_busy or host.directory is None),
        signal.SIGUSR1: host.save,
        signal.SIGINT: app.ask_to_leave,
    }
    with signals.taken(answers) as taken:
        parent.watch(app.lose_terminal)
        way = app.run()
        streams.outlive_terminal()
        lost = {signal.SIGHUP: lambda: unattended.go_on(host.directory), signal.SIGINT: signals.interrupted(host.stop)}
        taken.answers = {**answers, **lost}
        if app.has_lost_terminal:
            return _go_on_unseen(host)
        if way == "detach":
            return _detach(host, parent)
        if host.is_busy and not host.is_ending:
            from tui.attending import accompany

            return accompany(host)
        host.wait()
        for line in host.losses:
            print(f"nn-tui: {line}", file=sys.stderr)
        return app.return_code or int(bool(host.losses))


def background_line(run: Run) -> str:
    """Return what is said of a run of this process that goes on in the background, or waits there."""
    limit = what_ends_it()
    does = "is paused" if run.status.state == "paused" else "goes on"
    line = (
        f"{run.name} {does} in the background, process {os.getpid()}: {run.directory}\n"
        "nn-tui shows it, nn-tui control steers it"
    )
    return f"{line}\n{limit}" if limit else line


def _go_on_unseen(host: TrainingHost) -> int:
    streams.leave_terminal(None)
    if host.wait_until_begun() is not None:
        unattended.go_on(host.directory)
    host.wait()
    return signals.INTERRUPTED if host.is_interrupted else 0


def _detach(host: TrainingHost, parent: Parent) -> int:
    """Have the prompt come back, and see the training through."""
    from trainer.runs import peek

    if host.is_busy and host.directory is None:
        print("preparing the run; the prompt comes back when it has begun", file=sys.stderr)
    if (outcome := host.wait_until_begun()) is not None and outcome.problems:
        raise ConfigError(outcome.problems)
    if outcome is not None and outcome.directory is not None:
        print(background_line(peek(outcome.directory)))
        sys.stdout.flush()
        unattended.go_on(outcome.directory, in_background=True)
    parent.let_go()
    host.wait()
    return 0
