"""Key presses while training at full speed: from the write to the terminal to the bytes that answer it.

The keys move the focus in the form, down and up again; the answer is the field at its new place, painted as the one in
focus: its value is bold, its label marked. Keys come at random moments, as a person's do, so that no rhythm of the app
favours them.
"""

import random
import re
import statistics
import time

from benchmarks.app_run import opened, press_run, stop_and_quit
from benchmarks.bench import Bench, say
from benchmarks.report import Result
from terminals import Terminal

_DOWN, _UP = b"\x1b[B", b"\x1b[A"
_IN_FOCUS = re.compile(rb"\x1b\[\d+;25H\x1b\[1;|" + "›".encode())
"""Something bold where values begin, or the mark."""

_EPOCHS = 1_000_000
_PAUSES = (0.05, 0.15)
_WARM_UP_SECONDS = 3.0
_MOST_SECONDS = 5.0


def measure(bench: Bench) -> list[Result]:
    """Return the results of one run in the app."""
    say("key presses while training")
    patient = {"callbacks__reduce_lr_on_plateau__patience": _EPOCHS}
    with opened(bench, bench.digits.preset(_EPOCHS, **patient)) as app:
        app.until_quiet(1.5)
        app.press(_DOWN)
        press_run(app)
        time.sleep(_WARM_UP_SECONDS)
        chance = random.Random(0)
        waits = [_answered(app, _UP if press % 2 else _DOWN, chance) for press in range(bench.presses)]
        stop_and_quit(app)
    p99 = statistics.quantiles(waits, n=100, method="inclusive")[-1]
    what = "key press to repaint while training"
    return [
        Result(f"{what}, p50", "", None, False, (statistics.median(waits),), "ms", f"{len(waits)} presses"),
        Result(f"{what}, p99", "", 50, False, (p99,), "ms", f"the slowest took {max(waits):.0f} ms"),
    ]


def _answered(app: Terminal, key: bytes, chance: random.Random) -> float:
    """Press a key after a moment; return the milliseconds to the answer."""
    time.sleep(chance.uniform(*_PAUSES))
    seen = len(app.chunks)
    app.press(key)

    def answered() -> float | None:
        return next((chunk.time for chunk in app.chunks[seen:] if _IN_FOCUS.search(chunk.data)), None)

    at = app.until(answered, "the answer to a key", deadline=_MOST_SECONDS, pause=0.002)
    return float(at - app.sent) * 1000
