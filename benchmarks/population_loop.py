"""Many runs at once, as other programs train them: one compile, each with its own folder, callbacks and checkpoints.

Prints the seconds from the first folder made to the last run ended, compiling included.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from trainer import config as configs
from trainer.preparation import Prepared, prepare
from trainer.training import start, train_together


def main() -> None:
    """Train members that differ in seed and learning rate."""
    parser = argparse.ArgumentParser(description="Many runs of a preset in one population.")
    parser.add_argument("preset", type=Path)
    parser.add_argument("--members", type=int, default=64)
    options = parser.parse_args()
    prepared = prepare(configs.load(options.preset))
    rate = prepared.config.optimizer.learning_rate
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        members = []
        for seed in range(options.members):
            config = prepared.config.changed({"training.seed": seed, "optimizer.learning_rate": rate * 1.02**seed})
            member = Prepared(config, prepared.splits)
            members.append((member, start(member, Path(folder))))
        runs = train_together(members)
        seconds = time.perf_counter() - began
        early = [run.status.message for run in runs if run.status.epochs != prepared.config.training.epochs]
    if early:
        raise SystemExit(f"{len(early)} runs ended early: {early[0]}")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
