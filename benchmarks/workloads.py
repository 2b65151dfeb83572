"""What is trained, by nn-tui and the references: the digits preset, its network on MNIST's shape, other networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import presets
from trainer import config as configs
from trainer.config import Config
from trainer.data.splits import Splits
from trainer.preparation import prepare

_FOREVER = 1_000_000
_SLOW = 1e-6
_NETWORKS: dict[str, dict[str, Any]] = {
    "cnn": {"filters": [32, 64], "hidden": [64]},
    "transformer": {"heads": 4, "key_dim": 8, "depth": 2},
}
_TRAIN, _VALIDATION, _PIXELS, _CLASSES = 60_000, 10_000, 784, 10


@dataclass(frozen=True)
class Workload:
    """One thing to train.

    Attributes:
        name: in results, and in the names of files.
        config: of the run.
        epochs: of a training at full speed.
        slow_epochs: of a training in Keras or PyTorch.
        folder: for the files.
        network: of the references: a key of `bare_networks.NETWORKS`.
    """

    name: str
    config: Config
    epochs: int
    slow_epochs: int
    folder: Path
    network: str = "mlp"

    @cached_property
    def splits(self) -> Splits:
        """Return the examples."""
        return prepare(self.config).splits

    def preset(self, epochs: int = 0, **changes: Any) -> Path:
        """Write a preset for a long, slow descent; return its path.

        All callbacks stay on: how far ahead they let the engine run is a part of what is measured. At the preset's own
        learning rate nothing improves after 60 epochs, and cuts bring the rate to 0 by epoch 460, where they leave the
        engine all freedom; no sensible run is like that. At a thousandth of it the loss falls slowly to the end.

        Args:
            epochs: how many; the workload's own number if 0.
            **changes: other values, by dotted key with `__` for the dot.
        """
        epochs = epochs or self.epochs
        values: Mapping[str, Any] = {
            "training.epochs": epochs,
            "optimizer.learning_rate": _SLOW,
            "callbacks.early_stopping.patience": _FOREVER,
            **{key.replace("__", "."): value for key, value in changes.items()},
        }
        words = [self._file, str(epochs), *(f"{key}-{value}" for key, value in changes.items())]
        path = self.folder / f"{'-'.join(words)}.toml"
        path.write_text(configs.dump(self.config.changed(values)))
        return path

    def examples(self) -> Path:
        """Write the examples for the references, split as nn-tui splits them; return the path."""
        path = self.folder / f"{self._file}.npz"
        if not path.exists():
            train, validation = self.splits.train, self.splits.validation
            np.savez(path, x=train.x, y=train.y, val_x=validation.x, val_y=validation.y)
        return path

    @property
    def _file(self) -> str:
        return self.name.replace(" ", "")


def digits(folder: Path, epochs: int, slow_epochs: int) -> Workload:
    """Return the digits preset: 1,437 pictures of 64 pixels to train on, 360 to validate."""
    return Workload("digits", presets.load("digits-mlp"), epochs, slow_epochs, folder)


def digits_by(network: str, folder: Path, epochs: int, slow_epochs: int) -> Workload:
    """Return the digits preset with another network, as `bare_networks` has it."""
    settings: dict[str, Any] = {"kind": network, **_NETWORKS[network]}
    config = presets.load("digits-mlp").changed({f"model.{key}": value for key, value in settings.items()})
    return Workload(f"digits, {network}", config, epochs, slow_epochs, folder, network)


def mnist_shaped(folder: Path, epochs: int, slow_epochs: int) -> Workload:
    """Return the same network on 60,000 random pictures of 784 pixels, and 10,000 to validate.

    Their class is the largest of ten random sums over the pixels, so that there is something to learn.
    """
    path = folder / "mnist-shaped-source.npz"
    if not path.exists():
        random = np.random.default_rng(0)
        x = random.random((_TRAIN + _VALIDATION, _PIXELS), np.float32)
        y = (x @ random.standard_normal((_PIXELS, _CLASSES), np.float32)).argmax(1).astype(np.int32)
        np.savez(path, x=x, y=y)
    data = {"source": "path", "path": str(path), "validation_split": _VALIDATION / (_TRAIN + _VALIDATION)}
    config = presets.load("digits-mlp").changed({f"data.{key}": value for key, value in data.items()})
    return Workload("60,000 x 784", config, epochs, slow_epochs, folder)
