"""Sixty-four runs at once against sixty-four scripts, each of which compiles its own loop.

The scripts' seconds run from the end of their imports: what each would spend on starting Python and JAX is left out.
Only a few are run each repetition, one after the other, in processes of their own, and their seconds are scaled up.
"""

from benchmarks.bench import Bench, say
from benchmarks.report import Result

_MEMBERS, _SCRIPTS, _EPOCHS = 64, 4, 20
_NO_CACHE = {"NN_TUI_CACHE": ""}


def measure(bench: Bench) -> list[Result]:
    """Return the result."""
    work = bench.digits
    data, preset = str(work.examples()), str(work.preset(_EPOCHS, optimizer__learning_rate=5e-4))
    ratios, notes = [], []
    for repetition in range(bench.repetitions):
        say(f"population of {_MEMBERS}, {repetition + 1} of {bench.repetitions}")
        ours = bench.module("population_loop", preset, "--members", str(_MEMBERS), **_NO_CACHE)["seconds"]
        words = ("--data", data, "--epochs", str(_EPOCHS), "--seconds")
        scripts = [bench.script("bare_loop", *words, "--seed", str(seed))["seconds"] for seed in range(_SCRIPTS)]
        theirs = sum(scripts) * _MEMBERS / _SCRIPTS
        ratios.append(theirs / ours)
        notes.append((ours, theirs))
    fastest = f"fastest {min(ours for ours, _ in notes):.1f} s, the scripts {min(theirs for _, theirs in notes):.1f} s"
    note = f"times as fast; {fastest}: {_SCRIPTS} run each time, scaled to {_MEMBERS}"
    what = f"population of {_MEMBERS} digits runs of {_EPOCHS} epochs"
    return [Result(what, f"{_MEMBERS} bare JAX scripts", 8, True, tuple(ratios), note=note)]
