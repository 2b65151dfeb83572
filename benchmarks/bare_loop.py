"""The reference: what a person writes by hand for one network, in JAX and Optax and nothing else.

An epoch is one compiled call: shuffle, a scan over the full batches, the smaller last batch, validation. Its four
metrics become floats each epoch, as for a printed line. Nothing is recorded, saved, watched or stoppable.

The network here is the MLP of the digits; `bare_networks` has others for the same loop. Also a script, without anything
of nn-tui: `python benchmarks/bare_loop.py --data FILE --epochs 30`.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

BATCH_SIZE = 64
HIDDEN = (128, 128)
LEARNING_RATE = 1e-3
N_CLASSES = 10

Parameters = Any


class Network(NamedTuple):
    """A network: from a key and the number of features to its parameters, and from these and examples to logits."""

    init: Callable[[jax.Array, int], Parameters]
    forward: Callable[[Parameters, jax.Array], jax.Array]


class Examples(NamedTuple):
    """Pictures, shape [examples, 64], and classes, shape [examples]."""

    x: Any
    y: Any


class Carry(NamedTuple):
    """What an epoch changes."""

    parameters: Parameters
    optimizer: optax.OptState
    key: jax.Array


def load(path: Path) -> tuple[Examples, Examples]:
    """Return the training and the validation examples in an `.npz` file."""
    with np.load(path) as arrays:
        parts = {name: arrays[name] for name in ("x", "y", "val_x", "val_y")}
    return Examples(parts["x"], parts["y"]), Examples(parts["val_x"], parts["val_y"])


def dense(key: jax.Array, n_in: int, n_out: int) -> tuple[jax.Array, jax.Array]:
    """Return the weights of a dense layer, shape [inputs, outputs], and its bias."""
    return jax.nn.initializers.glorot_uniform()(key, (n_in, n_out)), jnp.zeros(n_out)


def init_mlp(key: jax.Array, n_features: int) -> Parameters:
    """Return the layers of the MLP."""
    sizes = (n_features, *HIDDEN, N_CLASSES)
    keys = jax.random.split(key, len(sizes) - 1)
    return [dense(key, n_in, n_out) for key, n_in, n_out in zip(keys, sizes[:-1], sizes[1:], strict=True)]


def forward_mlp(parameters: Parameters, x: jax.Array) -> jax.Array:
    """Return the logits, shape [examples, classes]."""
    for weight, bias in parameters[:-1]:
        x = jax.nn.relu(x @ weight + bias)
    weight, bias = parameters[-1]
    logits: jax.Array = x @ weight + bias
    return logits


MLP = Network(init_mlp, forward_mlp)


def begin(network: Network, seed: int, n_features: int) -> Carry:
    """Return the state before the first update."""
    key, first = jax.random.split(jax.random.key(seed))
    parameters = network.init(first, n_features)
    return Carry(parameters, optax.adam(LEARNING_RATE).init(parameters), key)


def measure(network: Network, parameters: Parameters, examples: Examples) -> tuple[jax.Array, jax.Array]:
    """Return the sum of the losses and the number of right answers."""
    logits = network.forward(parameters, examples.x)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, examples.y)
    return losses.sum(), (logits.argmax(-1) == examples.y).sum()


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def run_epoch(
    network: Network, carry: Carry, train: Examples, validation: Examples
) -> tuple[Carry, tuple[jax.Array, ...]]:
    """Train one epoch and validate; return loss, accuracy, validation loss and validation accuracy."""
    n = len(train.x)
    full = n // BATCH_SIZE * BATCH_SIZE
    key, shuffle = jax.random.split(carry.key)
    order = jax.random.permutation(shuffle, n)

    def update(state: Any, batch: jax.Array) -> tuple[Any, tuple[jax.Array, jax.Array]]:
        parameters, optimizer = state

        def objective(parameters: Parameters) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
            loss, right = measure(network, parameters, Examples(train.x[batch], train.y[batch]))
            return loss / len(batch), (loss, right)

        gradients, measured = jax.grad(objective, has_aux=True)(parameters)
        updates, optimizer = optax.adam(LEARNING_RATE).update(gradients, optimizer)
        return (optax.apply_updates(parameters, updates), optimizer), measured

    state, (losses, rights) = lax.scan(update, carry[:2], order[:full].reshape(-1, BATCH_SIZE))
    loss, right = losses.sum(), rights.sum()
    if full < n:
        state, (last_loss, last_right) = update(state, order[full:])
        loss, right = loss + last_loss, right + last_right
    val_loss, val_right = measure(network, state[0], validation)
    m = len(validation.x)
    return Carry(*state, key), (loss / n, right / n, val_loss / m, val_right / m)


def epochs(
    train: Examples, validation: Examples, count: int, seed: int = 0, network: Network = MLP
) -> Iterator[list[float]]:
    """Train from the start; yield the metrics of each epoch."""
    train, validation = jax.device_put((train, validation))
    carry = begin(network, seed, train.x.shape[1])
    for _ in range(count):
        carry, measured = run_epoch(network, carry, train, validation)
        yield [float(value) for value in measured]


def speed(train: Examples, validation: Examples, count: int, network: Network = MLP) -> float:
    """Return the training examples per second from the end of the first epoch to the end of the last."""
    training = epochs(train, validation, count, network=network)
    next(training)
    began = time.perf_counter()
    n = sum(len(train.x) for _ in training)
    return n / (time.perf_counter() - began)


def seconds(train: Examples, validation: Examples, count: int, seed: int) -> float:
    """Return the seconds that a training takes from its very start, compiling included."""
    began = time.perf_counter()
    for _ in epochs(train, validation, count, seed):
        pass
    return time.perf_counter() - began


def main() -> None:
    """Train, and print the speed or, as a plain script would, the last epoch."""
    parser = argparse.ArgumentParser(description="The bare JAX loop that nn-tui is measured against.")
    parser.add_argument("--data", type=Path, required=True, help="examples, as benchmarks write them")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--cache", default="", help="folder for compiled programs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true", help="warm up first and print examples per second")
    parser.add_argument("--seconds", action="store_true", help="print only the seconds of all, compiling included")
    options = parser.parse_args()
    if options.cache:
        jax.config.update("jax_compilation_cache_dir", options.cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    train, validation = load(options.data)
    if options.speed:
        speed(train, validation, max(2, options.epochs // 100))
        print(json.dumps({"examples_per_second": speed(train, validation, options.epochs)}))
        return
    if options.seconds:
        print(json.dumps({"seconds": seconds(train, validation, options.epochs, options.seed)}))
        return
    training = epochs(train, validation, options.epochs, options.seed)
    for epoch, (loss, accuracy, val_loss, val_accuracy) in enumerate(training):
        line = f"epoch {epoch + 1} loss {loss:.4f} accuracy {accuracy:.4f} val {val_loss:.4f} {val_accuracy:.4f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
