"""A whole run, from the command to its exit, on the second start: the preset as it is, against a script for it alone.

Both keep compiled programs in a cache of their own, filled before. The script trains as many epochs as the run did; it
prints them and keeps nothing, while the run leaves records and checkpoints.
"""

import subprocess
import sys
import time

from benchmarks.bench import NN_TUI, ROOT, Bench, say
from benchmarks.report import Result


def measure(bench: Bench) -> list[Result]:
    """Return the result."""
    ours = [NN_TUI, "train", "digits-mlp", "--json"]
    say("whole run, filling the caches")
    epochs = bench.output(ours)["epochs"]
    bare = [
        *(sys.executable, str(ROOT / "benchmarks" / "bare_loop.py"), "--data", str(bench.examples())),
        *("--epochs", str(epochs), "--cache", str(bench.folder / "bare-cache")),
    ]
    _seconds(bench, bare)
    pairs = []
    for repetition in range(bench.repetitions):
        say(f"whole run, {repetition + 1} of {bench.repetitions}")
        pairs.append((_seconds(bench, ours), _seconds(bench, bare)))
    fastest = f"fastest {min(pair[0] for pair in pairs):.2f} s, the script {min(pair[1] for pair in pairs):.2f} s"
    note = f"{epochs} epochs; {fastest}"
    return [
        Result("whole run, second start", "bare JAX script", 1.15, False, tuple(a / b for a, b in pairs), note=note)
    ]


def _seconds(bench: Bench, words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(words, env=bench.environment, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began
