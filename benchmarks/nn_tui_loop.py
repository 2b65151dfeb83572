"""nn-tui's engine without a screen, as other programs call it; and the same in turn with the bare loop.

The speed is taken from the run's own `epoch` records, between the first and the last, so that loading and compiling are
left out. Two clocks are on them: `time`, of the wall, and `elapsed`, of the training alone. The slower of both counts.
"""

import argparse
import json
import tempfile
from pathlib import Path

from trainer import config as configs
from trainer.events import Epoch
from trainer.log import Tail
from trainer.preparation import Prepared, prepare
from trainer.training import start, train


def speed_of(directory: Path, n_train: int) -> float:
    """Return a run's training examples per second by the stricter of its clocks, from its first epoch's end on."""
    events = Tail(directory / "events.jsonl").read_all()
    epochs = [event for event in events if isinstance(event, Epoch)]
    if len(epochs) < 2:
        raise SystemExit(f"the run in {directory} has {len(epochs)} epochs: nothing to measure")
    first, last = epochs[0], epochs[-1]
    seconds = max(last.time - first.time, last.elapsed - first.elapsed)
    return (last.epoch - first.epoch) * n_train / seconds


def speed(prepared: Prepared) -> float:
    """Train a run of its own in a folder that is removed; return its examples per second."""
    with tempfile.TemporaryDirectory() as folder:
        run = train(prepared, start(prepared, Path(folder)))
        if run.status.epochs != prepared.config.training.epochs:
            raise SystemExit(f"the run ended early: {run.status.message}")
        return speed_of(run.directory, len(prepared.splits.train))


def in_turn(prepared: Prepared, repetitions: int) -> list[dict[str, float]]:
    """Return the speeds of this and of the bare loop, in turn, once both are compiled."""
    from benchmarks import bare_loop

    splits, epochs = prepared.splits, prepared.config.training.epochs
    train_part = bare_loop.Examples(splits.train.x, splits.train.y)
    validation = bare_loop.Examples(splits.validation.x, splits.validation.y)
    bare_loop.speed(train_part, validation, 20)
    speed(Prepared(prepared.config.changed({"training.epochs": 20}), splits))
    return [
        {"ours": speed(prepared), "bare": bare_loop.speed(train_part, validation, epochs)} for _ in range(repetitions)
    ]


def main() -> None:
    """Train a preset and print its speed, or with `--pairs` the speeds in turn with the bare loop."""
    parser = argparse.ArgumentParser(description="nn-tui's training without a screen.")
    parser.add_argument("--preset", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=0, help="measure in turn with the bare loop, so many times")
    options = parser.parse_args()
    prepared = prepare(configs.load(options.preset))
    if options.pairs:
        print(json.dumps(in_turn(prepared, options.pairs)))
    else:
        print(json.dumps({"examples_per_second": speed(prepared)}))


if __name__ == "__main__":
    main()
