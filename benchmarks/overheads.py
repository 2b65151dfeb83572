"""What a run costs beside the maths: the host's work, its records, and the screen's share of the interpreter.

The screen's share is the processor time of the thread that paints, over the time of the training. For no more than that
can it have held the interpreter's lock.
"""

import os
from pathlib import Path

from benchmarks.app_run import opened, press_run, wait_for_end
from benchmarks.bench import Bench, say
from benchmarks.report import Result
from trainer.events import Epoch
from trainer.log import Tail
from trainer.runs import peek

_QUIT = b"\x1b[21~"
_LINUX_THREADS = Path("/proc/self/task")


def measure(bench: Bench) -> list[Result]:
    """Return the figures; none of them has a bar."""
    say("what the host does")
    preset = bench.digits.preset()
    figures = bench.module("host_work", str(preset), "--repetitions", str(bench.repetitions))
    epochs, records = ([1e6 * seconds for seconds in figures[name]] for name in ("epoch", "record"))
    whole = len(bench.digits.splits.train)
    note = f"processor time of the thread that trains; an epoch of digits has {whole:,} examples"
    return [
        Result("host's work for an epoch of digits", "", None, False, tuple(epochs), "µs", note),
        Result("one record made and written", "", None, False, tuple(records), "µs"),
        *_app(bench, preset),
    ]


def _app(bench: Bench, preset: Path) -> list[Result]:
    """Return the screen's share, and how soon a run in the app begins."""
    shares, starts = [], []
    for repetition in range(bench.repetitions):
        say(f"the screen's share, {repetition + 1} of {bench.repetitions}")
        with opened(bench, preset) as app:
            app.until_quiet(1.5)
            directory, pressed = press_run(app), app.sent
            trainer = peek(directory).status.pid  # the program itself only waits for it
            busy = _main_thread_seconds(trainer)
            wait_for_end(directory)
            busy = _main_thread_seconds(trainer) - busy
            app.press(_QUIT)
            app.ended()
        times = [event.time for event in Tail(directory / "events.jsonl").read_all() if isinstance(event, Epoch)]
        starts.append(times[0] - pressed)
        shares.append(100 * busy / (times[-1] - times[0]))
    found = tuple(shares) if _LINUX_THREADS.exists() else ()
    return [
        Result("the screen's share of the interpreter, at most", "", None, False, found, "%"),
        Result("key press to the end of the first epoch", "", None, False, tuple(starts), "s"),
    ]


def _main_thread_seconds(pid: int) -> float:
    """Return the processor seconds of a process's first thread, which paints; 0 where nobody tells."""
    try:
        fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
