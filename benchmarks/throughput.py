"""Steady training: examples per second, of the digits MLP at batch 64 with Adam, against those who do the same work."""

import importlib.util
import sys
import time
from pathlib import Path

from benchmarks.bench import NN_TUI, Bench, say
from benchmarks.nn_tui_loop import speed_of
from benchmarks.pty_app import PtyApp
from benchmarks.report import Result

_RUN, _QUIT = b"\x12", b"\x1b[21~"
_MOST_SECONDS = 600


def measure(bench: Bench) -> list[Result]:
    """Return the results."""
    return [headless(bench), with_dashboard(bench), against_keras(bench), against_torch(bench)]


def headless(bench: Bench) -> Result:
    """Train without a screen in one process, in turn with the bare loop."""
    say("throughput, headless")
    preset = str(bench.preset(bench.epochs))
    pairs = bench.module("nn_tui_loop", "--preset", preset, "--pairs", str(bench.repetitions))
    ratios = tuple(pair["ours"] / pair["bare"] for pair in pairs)
    note = f"bare loop {max(pair['bare'] for pair in pairs):,.0f} examples/s"
    return Result("training, headless", "bare JAX loop", 0.97, True, ratios, note=note)


def with_dashboard(bench: Bench) -> Result:
    """Train in the app, on a terminal, in turn with the bare loop in a process of its own."""
    data, preset, n_train = str(bench.examples()), bench.preset(bench.epochs), bench.n_train()
    ratios, fastest = [], 0.0
    for repetition in range(bench.repetitions):
        say(f"throughput, dashboard open, {repetition + 1} of {bench.repetitions}")
        ours = speed_of(train_in_app(bench, preset), n_train)
        bare = bench.script("bare_loop", "--data", data, "--epochs", str(bench.epochs), "--speed")
        ratios.append(ours / bare["examples_per_second"])
        fastest = max(fastest, bare["examples_per_second"])
    note = f"bare loop {fastest:,.0f} examples/s"
    return Result("training, dashboard open", "bare JAX loop", 0.95, True, tuple(ratios), note=note)


def against_keras(bench: Bench) -> Result:
    """Train without a screen, in turn with Keras."""
    return _in_turn(bench, "keras_loop", "Keras on JAX", 2.0, sys.executable)


def against_torch(bench: Bench) -> Result:
    """Train without a screen, in turn with PyTorch where there is one."""
    python = bench.torch_python or (sys.executable if importlib.util.find_spec("torch") else "")
    if not python:
        return Result("training, headless", "PyTorch, eager", 3.5, True, (), note="not installed")
    return _in_turn(bench, "torch_loop", "PyTorch, eager", 3.5, python)


def _in_turn(bench: Bench, script: str, name: str, bar: float, python: str) -> Result:
    data, preset = str(bench.examples()), str(bench.preset(bench.epochs))
    ratios, note = [], ""
    for repetition in range(bench.repetitions):
        say(f"throughput, {name}, {repetition + 1} of {bench.repetitions}")
        ours = bench.module("nn_tui_loop", "--preset", preset)["examples_per_second"]
        theirs = bench.script(script, "--data", data, "--epochs", str(bench.slow_epochs), python=python)
        ratios.append(ours / theirs["examples_per_second"])
        note = f"{theirs['versions']}, {theirs['examples_per_second']:,.0f} examples/s"
    return Result("training, headless", name, bar, True, tuple(ratios), note=note)


def train_in_app(bench: Bench, preset: Path) -> Path:
    """Start the app on a preset, train it, quit; return the run's folder."""
    with PtyApp([NN_TUI, str(preset)], bench.environment) as app:
        app.wait_until_quiet(1.5)
        directory = press_run(app, bench)
        wait_for_end(directory)
        app.quit(_QUIT)
    return directory


def press_run(app: PtyApp, bench: Bench) -> Path:
    """Press the key that trains; return the new run's folder."""
    store = bench.folder / "runs"
    before = set(store.glob("*/events.jsonl"))
    app.send(_RUN)
    end = time.time() + 60
    while not (new := set(store.glob("*/events.jsonl")) - before):
        if time.time() > end:
            raise SystemExit("no run began:\n" + "\n".join(app.picture()))
        time.sleep(0.1)
    return new.pop().parent


def wait_for_end(directory: Path) -> None:
    """Wait for a run's last record, without reading the others."""
    end = time.time() + _MOST_SECONDS
    while b'"kind":"finished"' not in _last_line(directory / "events.jsonl"):
        if time.time() > end:
            raise SystemExit(f"the run in {directory} does not end")
        time.sleep(0.25)


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return file.read().rstrip(b"\n").rpartition(b"\n")[2]
