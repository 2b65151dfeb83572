"""First paint: from the start of the process to the first picture on a terminal of 120 by 40.

The app's first picture is its frame: status, empty charts, panels, footer. The form's fields follow; the time until the
picture comes to rest for a second, all fields in it, is told beside. How the terminal got there is played back
afterwards, so that looking costs the app nothing.
"""

import statistics
import sys
from collections.abc import Sequence

from benchmarks.bench import NN_TUI, ROOT, Bench, say
from benchmarks.pty_app import PtyApp
from benchmarks.report import Result

_HELLO = [sys.executable, str(ROOT / "benchmarks" / "hello_app.py")]
_OURS = [NN_TUI, "digits-mlp"]
_HELLO_WORDS = ("hello", "Quit")
_OUR_WORDS = ("no run yet", "loss", "callbacks", "events", "Quit")


def measure(bench: Bench) -> list[Result]:
    """Return the result."""
    ours, hellos = [], []
    # The first of each fills the file caches.
    for repetition in range(bench.repetitions + 1):
        say(f"first paint, {repetition} of {bench.repetitions}")
        ours.append(_seconds(bench, _OURS, _OUR_WORDS))
        hellos.append(_seconds(bench, _HELLO, _HELLO_WORDS))
    ratios = tuple(our[0] / hello[0] for our, hello in zip(ours[1:], hellos[1:], strict=True))
    complete = statistics.median(our[1] for our in ours[1:])
    note = f"fastest {min(ours)[0]:.2f} s, the hello app {min(hellos)[0]:.2f} s; all fields after {complete:.2f} s"
    return [Result("first paint", "Textual hello app", 1.5, False, ratios, note=note)]


def _seconds(bench: Bench, command: Sequence[str], words: Sequence[str]) -> tuple[float, float]:
    """Return the seconds to the first picture with these words, and to the one at rest."""
    with PtyApp(command, bench.environment) as app:
        app.wait_until_quiet(1.0)
        return app.seconds_to_words(words), app.seconds_to(app.picture())
