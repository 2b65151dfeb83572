"""First paint: from the start of the process to the first complete picture on a terminal of 120 by 40.

Complete is the picture at which the screen comes to rest for a second; it must hold certain words. How the terminal got
there is played back afterwards to find when it stood for the first time.
"""

import sys
from collections.abc import Sequence

from benchmarks.bench import NN_TUI, ROOT, Bench, say
from benchmarks.pty_app import PtyApp
from benchmarks.report import Result

_HELLO = [sys.executable, str(ROOT / "benchmarks" / "hello_app.py")]
_OURS = [NN_TUI, "digits-mlp"]


def measure(bench: Bench) -> list[Result]:
    """Return the result."""
    pairs = []
    for repetition in range(bench.repetitions + 1):
        say(f"first paint, {repetition} of {bench.repetitions}")
        pairs.append((_seconds(bench, _OURS, ("loss", "callbacks", "Run")), _seconds(bench, _HELLO, ("hello", "Quit"))))
    # The first of each fills the file caches.
    pairs = pairs[1:]
    note = f"fastest {min(ours for ours, _ in pairs):.2f} s, the hello app {min(hello for _, hello in pairs):.2f} s"
    ratios = tuple(ours / hello for ours, hello in pairs)
    return [Result("first paint", "Textual hello app", 1.5, False, ratios, note=note)]


def _seconds(bench: Bench, words: Sequence[str], expected: Sequence[str]) -> float:
    with PtyApp(words, bench.environment) as app:
        app.wait_until_quiet(1.0)
        picture = app.picture()
        missing = [word for word in expected if not any(word in line for line in picture)]
        if missing:
            raise SystemExit(f"{words[0]} painted no {', '.join(missing)}:\n" + "\n".join(picture))
        return app.seconds_to(picture)
