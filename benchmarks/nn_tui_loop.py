"""nn-tui's engine without a screen, as other programs call it; alone, or in turn with other presets and the bare loop.

The speed is taken from the run's own `epoch` records, between the first and the last, so that loading and compiling are
left out. Two clocks are on them: `time`, of the wall, and `elapsed`, of the training alone. The slower of both counts.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import harmonic_mean

from trainer import config as configs
from trainer.data.splits import Splits
from trainer.events import Epoch
from trainer.log import Tail
from trainer.preparation import Prepared, prepare
from trainer.training import start_replicas, train_together

_WARM_UP = 0.01
"""Share of the epochs that are trained once before anything is measured."""

_WINDOWS = 5
"""In so many trainings the epochs of one measurement are done, if nothing else is said."""


def speed_of(directory: Path, n_train: int) -> float:
    """Return a run's training examples per second by the stricter of its clocks, from its first epoch's end on."""
    events = Tail(directory / "events.jsonl").read_all()
    epochs = [event for event in events if isinstance(event, Epoch)]
    if len(epochs) < 2:
        raise SystemExit(f"the run in {directory} has {len(epochs)} epochs: nothing to measure")
    first, last = epochs[0], epochs[-1]
    seconds = max(last.time - first.time, last.elapsed - first.elapsed)
    return (last.epoch - first.epoch) * n_train / seconds


def speed(prepared: Prepared, epochs: int) -> float:
    """Train a run, or its replicas, in a folder that is removed; return the examples per second of all together."""
    prepared = Prepared(prepared.config.changed({"training.epochs": epochs}), prepared.splits)
    with tempfile.TemporaryDirectory() as folder:
        runs = train_together(start_replicas(prepared, Path(folder)))
        if early := [run.status.message for run in runs if run.status.epochs != epochs]:
            raise SystemExit(f"{len(early)} runs ended early: {early[0]}")
        return len(runs) * speed_of(runs[0].directory, len(prepared.splits.train))


def bare(splits: Splits, network: str) -> Callable[[int], float]:
    """Return what trains the bare loop of a network for so many epochs and returns its examples per second."""
    from benchmarks import bare_loop, bare_networks

    train_part = bare_loop.Examples(splits.train.x, splits.train.y)
    validation = bare_loop.Examples(splits.validation.x, splits.validation.y)
    return partial(bare_loop.speed, train_part, validation, network=bare_networks.NETWORKS[network])


def in_turn(
    trainings: Sequence[Callable[[int], float]], epochs: int, repetitions: int, windows: int = _WINDOWS
) -> list[list[float]]:
    """Return the speeds of these over so many epochs, once all are compiled; one list a repetition.

    They take turns in short windows, each a training whose first epoch is not measured, since the machine's own speed
    wanders within seconds.
    """
    for training in trainings:
        training(max(2, int(_WARM_UP * epochs)))
    length = 1 + math.ceil(epochs / windows)
    repeated = [[[training(length) for training in trainings] for _ in range(windows)] for _ in range(repetitions)]
    return [[harmonic_mean(speeds) for speeds in zip(*each, strict=True)] for each in repeated]


def main() -> None:
    """Train presets, all of one data set, in turn and with `--bare` a bare loop too; print the speeds."""
    parser = argparse.ArgumentParser(description="nn-tui's training without a screen.")
    parser.add_argument("presets", type=Path, nargs="+")
    parser.add_argument("--bare", default="", metavar="NETWORK", help="in turn with the bare loop of a network, too")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--windows", type=int, default=_WINDOWS, help="in which they take turns, in a repetition")
    options = parser.parse_args()
    prepared = prepare(configs.load(options.presets[0]))
    trainings: list[Callable[[int], float]] = [
        partial(speed, Prepared(configs.load(preset), prepared.splits)) for preset in options.presets
    ]
    if options.bare:
        trainings.append(bare(prepared.splits, options.bare))
    print(json.dumps(in_turn(trainings, prepared.config.training.epochs, options.repetitions, options.windows)))


if __name__ == "__main__":
    main()
