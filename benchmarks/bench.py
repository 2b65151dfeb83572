"""What every measurement needs: how long and how often, the examples, the presets, and processes to run."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import presets
from trainer import config as configs
from trainer.preparation import prepare

ROOT = Path(__file__).parent.parent
NN_TUI = str(Path(sys.executable).parent / "nn-tui")
_FOREVER = 1_000_000
_SLOW = 1e-6


@dataclass(frozen=True, slots=True)
class Bench:
    """How to measure, and where to write.

    Attributes:
        folder: for everything that is written.
        repetitions: of each pair.
        epochs: of a training at full speed.
        slow_epochs: of a training in Keras or PyTorch.
        terminal_epochs: of the training whose bytes to the terminal are counted.
        torch_python: a Python that has torch, or "".
    """

    folder: Path
    repetitions: int
    epochs: int
    slow_epochs: int
    terminal_epochs: int
    torch_python: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables for every process: a store and a cache of its own."""
        own = {"NN_TUI_RUNS": str(self.folder / "runs"), "NN_TUI_CACHE": str(self.folder / "cache")}
        return {**os.environ, **own, "XDG_CONFIG_HOME": str(self.folder / "config"), "KERAS_BACKEND": "jax"}

    def preset(self, epochs: int) -> Path:
        """Write the digits preset for a long, slow descent; return its path.

        All callbacks stay on: how far ahead they let the engine run is a part of what is measured. At the preset's own
        learning rate nothing improves after 60 epochs, and cuts bring the rate to 0 by epoch 460, where they leave the
        engine all freedom; no sensible run is like that. At a thousandth of it the loss falls slowly to the end.
        """
        changes = {
            "training.epochs": epochs,
            "optimizer.learning_rate": _SLOW,
            "callbacks.early_stopping.patience": _FOREVER,
        }
        path = self.folder / f"digits-{epochs}.toml"
        path.write_text(configs.dump(presets.load("digits-mlp").changed(changes)))
        return path

    def examples(self) -> Path:
        """Write the examples of the digits preset, split as nn-tui splits them; return the path."""
        splits = prepare(presets.load("digits-mlp")).splits
        path = self.folder / "digits.npz"
        train, validation = splits.train, splits.validation
        np.savez(path, x=train.x, y=train.y, val_x=validation.x, val_y=validation.y)
        return path

    def n_train(self) -> int:
        """Return the number of training examples."""
        return len(prepare(presets.load("digits-mlp")).splits.train)

    def script(self, name: str, *words: str, python: str = sys.executable) -> Any:
        """Run a file of this folder in a process of its own; return the JSON that it prints last."""
        return self.output([python, str(ROOT / "benchmarks" / f"{name}.py"), *words])

    def module(self, name: str, *words: str) -> Any:
        """Run a module of this package in a process of its own; return the JSON that it prints last."""
        return self.output([sys.executable, "-m", f"benchmarks.{name}", *words])

    def output(self, words: list[str]) -> Any:
        """Run a command; return the JSON on its last line."""
        done = subprocess.run(words, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)
