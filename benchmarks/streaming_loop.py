"""A training in a process of its own that may be held to less memory than its data take; prints what came of it.

All callbacks are on but those that would end it: what is measured is steady training, from the first epoch's end on.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.nn_tui_loop import speed_of
from trainer import config as configs
from trainer.preparation import prepare
from trainer.training import start, train

_FOREVER = 1_000_000


def main() -> None:
    """Train a preset."""
    parser = argparse.ArgumentParser(description="nn-tui's training of one preset.")
    parser.add_argument("preset", type=Path)
    parser.add_argument("--epochs", type=int, required=True)
    options = parser.parse_args()
    changes = {"training.epochs": options.epochs, "callbacks.early_stopping.patience": _FOREVER}
    began = time.perf_counter()
    prepared = prepare(configs.load(options.preset).changed(changes))
    prepare_seconds = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        run = train(prepared, start(prepared, Path(folder)))
        if run.status.epochs != options.epochs:
            raise SystemExit(f"the run ended early: {run.status.message}")
        told = {
            "examples_per_second": speed_of(run.directory, prepared.splits.n_train),
            "input_stall": run.status.input_stall,
            "prepare_seconds": prepare_seconds,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            * (1 if sys.platform == "darwin" else 1024),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
