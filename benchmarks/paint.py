"""First paint: from the start of the process to the first picture on a terminal of 120 by 40.

The app's first picture is its frame: status, empty charts, panels, footer. The form's fields follow; the time until the
picture comes to rest for a second, all fields in it, is told beside. How the terminal got there is played back
afterwards, so that looking costs the app nothing.
"""

import statistics
import sys
from collections.abc import Iterator

import pyte

from benchmarks.app_run import opened
from benchmarks.bench import ROOT, Bench, say
from benchmarks.report import Result
from terminals import Terminal

_HELLO = ROOT / "benchmarks" / "hello_app.py"
_HELLO_WORDS = ("hello", "Quit")
_OUR_WORDS = ("no run yet", "loss", "callbacks", "events", "Quit")


def measure(bench: Bench) -> list[Result]:
    """Return the result."""
    ours, hellos = [], []
    # The first of each fills the file caches.
    for repetition in range(bench.repetitions + 1):
        say(f"first paint, {repetition} of {bench.repetitions}")
        ours.append(_seconds(opened(bench, "digits-mlp"), *_OUR_WORDS))
        hellos.append(_seconds(opened(bench, _HELLO, program=sys.executable), *_HELLO_WORDS))
    ratios = tuple(our[0] / hello[0] for our, hello in zip(ours[1:], hellos[1:], strict=True))
    complete = statistics.median(our[1] for our in ours[1:])
    note = f"fastest {min(ours)[0]:.2f} s, the hello app {min(hellos)[0]:.2f} s; all fields after {complete:.2f} s"
    return [Result("first paint", "Textual hello app", 1.5, False, ratios, note=note)]


def _seconds(started: Terminal, *words: str) -> tuple[float, float]:
    """Return the seconds to the first picture with these words, and to the one at rest."""
    with started as app:
        app.until_quiet(1.0)
        app.until_shown(*words)
        pictures = list(_played_back(app))
    first = next(seconds for seconds, text in pictures if all(word in text for word in words))
    return first, next(seconds for seconds, text in pictures if text == pictures[-1][1])


def _played_back(app: Terminal) -> Iterator[tuple[float, str]]:
    """Yield what the screen showed after each chunk, with the seconds since the start."""
    screen = pyte.Screen(*app.size)
    stream = pyte.ByteStream(screen)
    for chunk in list(app.chunks):
        stream.feed(chunk.data)
        yield chunk.time - app.began, "\n".join(screen.display)
