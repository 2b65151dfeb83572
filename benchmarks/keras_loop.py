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


def mlp(x: Any) -> Any:
    """Return the logits of the MLP."""
    for _ in range(2):
        x = keras.layers.Dense(128, activation="relu")(x)
    return keras.layers.Dense(10)(x)


def cnn(x: Any) -> Any:
    """Return the logits of the CNN."""
    layers = keras.layers
    x = layers.Reshape((8, 8, 1))(x)
    for filters in (32, 64):
        x = layers.MaxPool2D(2)(layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    return layers.Dense(10)(layers.Dense(64, activation="relu")(layers.Flatten()(x)))


class Positions(keras.layers.Layer):  # type: ignore[misc]
    """Adds a vector of its own to each place."""

    def build(self, shape: Any) -> None:
        """Make the vectors."""
        self.position = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x: Any) -> Any:
        """Return the places with their vectors."""
        return x + self.position


def transformer(x: Any) -> Any:
    """Return the logits of the Transformer."""
    layers = keras.layers
    x = Positions()(layers.Dense(32, use_bias=False)(layers.Reshape((8, 8))(x)))
    for _ in range(2):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.MultiHeadAttention(4, 8)(y, y)
        y = layers.Dense(128, activation=gelu)(layers.LayerNormalization(epsilon=1e-5)(x))
        x = x + layers.Dense(32)(y)
    return layers.Dense(10)(layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-5)(x)))


def gelu(x: Any) -> Any:
    """Return the approximation that JAX takes."""
    return keras.activations.gelu(x, approximate=True)


NETWORKS = {"mlp": mlp, "cnn": cnn, "transformer": transformer}


def build(network: str, n_features: int) -> Any:
    """Return the compiled model."""
    inputs = keras.Input((n_features,))
    model = keras.Model(inputs, NETWORKS[network](inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model


def main() -> None:
    """Train; print the examples per second after the first epoch, in which everything is compiled."""
    parser = argparse.ArgumentParser(description="The same training in Keras on JAX.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--network", choices=NETWORKS, default="mlp")
    options = parser.parse_args()
    with np.load(options.data) as arrays:
        x, y, validation = arrays["x"], arrays["y"], (arrays["val_x"], arrays["val_y"])
    clock = Clock()
    build(options.network, x.shape[1]).fit(
        x, y, batch_size=64, epochs=options.epochs + 1, verbose=0, callbacks=[clock],
        validation_data=validation, validation_batch_size=len(validation[0]),
    )  # fmt: skip
    seconds = clock.ends[-1] - clock.ends[0]
    print(
        json.dumps({"examples_per_second": options.epochs * len(x) / seconds, "versions": f"Keras {keras.__version__}"})
    )


if __name__ == "__main__":
    main()
