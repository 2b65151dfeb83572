"""The same work in Keras on JAX: `model.fit`, without callbacks of its own that do anything but look at the clock.

A script without anything of nn-tui: `KERAS_BACKEND=jax python benchmarks/keras_loop.py --data FILE --epochs 20`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-untyped]
import numpy as np


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes when each epoch ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Look at the clock."""
        self.ends.append(time.perf_counter())


def build(n_features: int) -> Any:
    """Return the compiled model."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((n_features,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model


def main() -> None:
    """Train; print the examples per second after the first epoch, in which everything is compiled."""
    parser = argparse.ArgumentParser(description="The same training in Keras on JAX.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    with np.load(options.data) as arrays:
        x, y, validation = arrays["x"], arrays["y"], (arrays["val_x"], arrays["val_y"])
    clock = Clock()
    build(x.shape[1]).fit(
        x, y, batch_size=64, epochs=options.epochs + 1, verbose=0, callbacks=[clock],
        validation_data=validation, validation_batch_size=len(validation[0]),
    )  # fmt: skip
    seconds = clock.ends[-1] - clock.ends[0]
    print(
        json.dumps({"examples_per_second": options.epochs * len(x) / seconds, "versions": f"Keras {keras.__version__}"})
    )


if __name__ == "__main__":
    main()
