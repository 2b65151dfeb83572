"""What the host does for a training, in seconds of the processor: for each epoch, and for each record.

For an epoch: the processor time of the thread that trains, in a long run less that in a short one of the same program,
so that whatever happens once is left out. The device's work is done by other threads.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from trainer import config as configs
from trainer.events import Epoch
from trainer.preparation import Prepared, prepare
from trainer.training import start, train

_RECORDS = 5000


def per_epoch(prepared: Prepared, epochs: int) -> float:
    """Return the seconds that one epoch costs the host, beyond the tenth part of the run."""
    short = epochs // 10
    return (_thread_seconds(prepared, epochs) - _thread_seconds(prepared, short)) / (epochs - short)


def _thread_seconds(prepared: Prepared, epochs: int) -> float:
    prepared = Prepared(prepared.config.changed({"training.epochs": epochs}), prepared.splits)
    with tempfile.TemporaryDirectory() as folder:
        began = time.thread_time()
        train(prepared, start(prepared, Path(folder)))
        return time.thread_time() - began


def per_record(prepared: Prepared) -> float:
    """Return the seconds that one `epoch` record takes, from its making to the end of the write."""
    with tempfile.TemporaryDirectory() as folder:
        directory = start(prepared, Path(folder))
        names = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "grad_norm")
        began = time.perf_counter()
        for number in range(_RECORDS):
            metrics = dict.fromkeys(names, 1 / (number + 1))
            directory.record(Epoch(metrics=metrics, examples_per_second=1e5), epoch=number)
        seconds = time.perf_counter() - began
        directory.close()
    return seconds / _RECORDS


def main() -> None:
    """Print the seconds for each epoch and for each record, each so many times."""
    parser = argparse.ArgumentParser(description="The host's share of a training.")
    parser.add_argument("preset", type=Path)
    parser.add_argument("--repetitions", type=int, default=1)
    options = parser.parse_args()
    prepared = prepare(configs.load(options.preset))
    epochs, repetitions = prepared.config.training.epochs, range(options.repetitions)
    _thread_seconds(prepared, epochs // 10)
    figures = {
        "epoch": [per_epoch(prepared, epochs) for _ in repetitions],
        "record": [per_record(prepared) for _ in repetitions],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
