"""Bytes to a terminal of 120 by 40: at rest before and after a run, and while training at full speed."""

import time

from benchmarks.app_run import opened, press_run, wait_for_end
from benchmarks.bench import Bench, say
from benchmarks.report import Result
from terminals import Terminal
from trainer.events import Epoch
from trainer.log import Tail

_IDLE_SECONDS = 5.0
_QUIET_SECONDS = 3.0
_KIB = 1024


def measure(bench: Bench) -> list[Result]:
    """Return the results of one run in the app."""
    with opened(bench, bench.digits.preset(bench.terminal_epochs)) as app:
        app.until_quiet(_QUIET_SECONDS)
        say("bytes at rest, before a run")
        before = _at_rest(app)
        say("bytes while training")
        directory = press_run(app)
        wait_for_end(directory)
        times = [event.time for event in Tail(directory / "events.jsonl").read_all() if isinstance(event, Epoch)]
        app.until_quiet(_QUIET_SECONDS)
        say("bytes at rest, after it")
        after = _at_rest(app)
        training = _each_second(app, times[0], times[-1])
    seconds = times[-1] - times[0]
    note = f"each second of {seconds:.0f}; over all of them {sum(training) / len(training):.1f} KiB/s"
    return [
        Result("bytes to the terminal, training", "", 8, False, tuple(training), "KiB/s", note),
        Result("bytes to the terminal, at rest before a run", "", 0, False, (before,), "bytes in 5 s"),
        Result("bytes to the terminal, at rest after a run", "", 0, False, (after,), "bytes in 5 s"),
    ]


def _at_rest(app: Terminal) -> float:
    began = time.time()
    time.sleep(_IDLE_SECONDS)
    return float(_bytes_between(app, began, began + _IDLE_SECONDS))


def _each_second(app: Terminal, start: float, end: float) -> list[float]:
    """Return the KiB of each whole second."""
    whole = max(1, int(end - start))
    return [_bytes_between(app, start + second, start + second + 1) / _KIB for second in range(whole)]


def _bytes_between(app: Terminal, start: float, end: float) -> int:
    return sum(len(chunk.data) for chunk in app.chunks if start <= chunk.time < end)
