"""A whole run, from the command to its exit, on the second start: the preset as it is, against a script for it alone.

Both keep compiled programs in a cache of their own, filled before. The script trains as many epochs as the run did; it
prints them and keeps nothing, while the run leaves records and checkpoints.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import ROOT, Bench, say
from benchmarks.report import Result
from terminals import PROGRAM
from trainer.events import Epoch
from trainer.log import Tail


def measure(bench: Bench) -> list[Result]:
    """Return the results: of the whole, and of what comes before the first epoch's end."""
    ours = [str(PROGRAM), "train", "digits-mlp", "--json"]
    say("whole run, filling the caches")
    epochs = bench.output(ours)["epochs"]
    bare = [
        *(sys.executable, str(ROOT / "benchmarks" / "bare_loop.py"), "--data", str(bench.digits.examples())),
        *("--epochs", str(epochs), "--cache", str(bench.folder / "bare-cache")),
    ]
    _seconds(bench, bare)
    pairs = []
    for repetition in range(bench.repetitions):
        say(f"whole run, {repetition + 1} of {bench.repetitions}")
        pairs.append((_seconds(bench, ours), _seconds(bench, bare)))
    return [
        _compared("whole run, second start", 1.15, [(our[1], their[1]) for our, their in pairs], f"{epochs} epochs"),
        _compared("start to the end of the first epoch", None, [(our[0], their[0]) for our, their in pairs], ""),
    ]


def _compared(what: str, bar: float | None, pairs: list[tuple[float, float]], note: str) -> Result:
    fastest = f"fastest {min(our for our, _ in pairs):.2f} s, the script {min(their for _, their in pairs):.2f} s"
    ratios = tuple(our / their for our, their in pairs)
    return Result(what, "bare JAX script", bar, False, ratios, note="; ".join(filter(None, (note, fastest))))


def _seconds(bench: Bench, words: list[str]) -> tuple[float, float]:
    """Return the seconds to the first epoch's end, as the script prints it or the run records it, and to the exit."""
    began = time.time()
    process = subprocess.Popen(
        words, env={**os.environ, **bench.environment}, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    first = time.time()
    process.stdout.read()
    if process.wait():
        raise SystemExit(f"{' '.join(words)} failed")
    ended = time.time()
    if line.startswith("{"):
        events = Tail(Path(json.loads(line)["run"], "events.jsonl")).read_all()
        first = next(event.time for event in events if isinstance(event, Epoch))
    return first - began, ended - began
