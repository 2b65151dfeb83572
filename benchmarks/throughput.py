"""Steady training: examples per second at batch 64 with Adam, against those who do the same work."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.app_run import train_in_app
from benchmarks.bench import Bench, say
from benchmarks.nn_tui_loop import speed_of
from benchmarks.report import Result
from benchmarks.workloads import Workload


def measure(bench: Bench) -> list[Result]:
    """Return the results for digits."""
    small = bench.digits
    keras, torch = against_keras(bench, small, 2.0), against_torch(bench, small)
    return [headless(bench, small), with_dashboard(bench, small), keras, torch]


def measure_large(bench: Bench) -> list[Result]:
    """Return the results for examples of MNIST's shape."""
    large = bench.large
    return [headless(bench, large), with_dashboard(bench, large), against_keras(bench, large, 1.2)]


def measure_networks(bench: Bench) -> list[Result]:
    """Return the results for other networks than the MLP."""
    works = (bench.cnn, bench.transformer)
    return [result for work in works for result in (headless(bench, work), against_keras(bench, work, 1.2))]


def headless(bench: Bench, work: Workload) -> Result:
    """Train without a screen in one process, in turn with the bare loop."""
    say(f"throughput of {work.name}, headless")
    pairs = in_turn(bench, [work.preset()], bare=work.network)
    ratios = tuple(ours / bare for ours, bare in pairs)
    return Result(f"training {work.name}, headless", "bare JAX loop", 0.97, True, ratios, note=fastest(pairs))


def in_turn(bench: Bench, presets: Sequence[Path], *, bare: str = "mlp", in_one_go: bool = False) -> list[list[float]]:
    """Return the speeds of presets of one data set and of the bare loop of a network, if any; in one process.

    A list each repetition, of which each training is done in one go where its beginning costs more than the rest.
    """
    words = [*map(str, presets), *(["--bare", bare] if bare else []), *(["--windows", "1"] if in_one_go else [])]
    words += ["--repetitions", str(bench.repetitions)]
    speeds: list[list[float]] = bench.module("nn_tui_loop", *words)
    return speeds


def fastest(speeds: Sequence[Sequence[float]]) -> str:
    """Return what to know of the bare loop, which is the last of each repetition."""
    return f"bare loop {max(each[-1] for each in speeds):,.0f} examples/s"


def with_dashboard(bench: Bench, work: Workload) -> Result:
    """Train in the app, on a terminal, in turn with the bare loop in another process; the rest as in `in_turn`."""
    data, preset, n_train = str(work.examples()), work.preset(), len(work.splits.train)

    def bare() -> float:
        words = ("--data", data, "--epochs", str(work.epochs), "--speed")
        return float(bench.script("bare_loop", *words)["examples_per_second"])

    pairs, before = [], bare()
    for repetition in range(bench.repetitions):
        say(f"throughput of {work.name}, dashboard open, {repetition + 1} of {bench.repetitions}")
        ours, after = speed_of(train_in_app(bench, preset), n_train), bare()
        pairs.append((ours, (before + after) / 2))
        before = after
    ratios = tuple(ours / bare for ours, bare in pairs)
    return Result(f"training {work.name}, dashboard open", "bare JAX loop", 0.95, True, ratios, note=fastest(pairs))


def against_keras(bench: Bench, work: Workload, bar: float) -> Result:
    """Train without a screen, in turn with Keras where there is one."""
    python = sys.executable if importlib.util.find_spec("keras") else ""
    return _in_processes(bench, work, "keras_loop", "Keras on JAX", bar, python, "--network", work.network)


def against_torch(bench: Bench, work: Workload) -> Result:
    """Train without a screen, in turn with PyTorch where there is one."""
    python = bench.torch_python or (sys.executable if importlib.util.find_spec("torch") else "")
    return _in_processes(bench, work, "torch_loop", "PyTorch, eager", 3.5, python)


def _in_processes(
    bench: Bench, work: Workload, script: str, name: str, bar: float, python: str, *options: str
) -> Result:
    what = f"training {work.name}, headless"
    if not python:
        return Result(what, name, bar, True, (), note="not installed")
    words = ["--data", str(work.examples()), "--epochs", str(work.slow_epochs), *options]
    preset = str(work.preset())
    ratios, note = [], ""
    for repetition in range(bench.repetitions):
        say(f"throughput of {work.name}, {name}, {repetition + 1} of {bench.repetitions}")
        ours = bench.module("nn_tui_loop", preset)[0][0]
        theirs: dict[str, Any] = bench.script(script, *words, python=python)
        ratios.append(ours / theirs["examples_per_second"])
        note = f"{theirs['versions']}, {theirs['examples_per_second']:,.0f} examples/s"
    return Result(what, name, bar, True, tuple(ratios), note=note)
