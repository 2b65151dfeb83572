"""The plan of a training: what a config asks of the device and how its learning rate goes, before it trains."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainer import numbers, program, step
from trainer.config import Config
from trainer.data.splits import Summary
from trainer.preparation import Prepared, members
from trainer.shape import Shape, shape_of, shape_planned
from trainer.state import State, blocks

_POINTS = 513
"""Points of the learning-rate curve: more than a terminal has dots across."""

_BYTES = 4


@dataclass(frozen=True, slots=True)
class Memory:
    """What lies in memory, in bytes; of all replicas, and on all devices together.

    Attributes:
        parameters: of the network.
        gradients: there while an update is made.
        optimizer: its state, such as Adam's two moments.
        best_weights: copies kept of the best epochs' parameters.
        examples: of the training and validation part; of training examples that stream two buffers.
    """

    parameters: int
    gradients: int
    optimizer: int
    best_weights: int
    examples: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be, if nothing cuts the training short.

    Attributes:
        epochs: places along the training, from 0 to all epochs, ascending; shape [points].
        rates: the learning rate there: the base rate times the schedule; shape [points].
        steps_per_epoch: updates of an epoch.
        buffer: examples on the device at a time where they stream, else 0.
        memory: what is known without compiling.
        is_compiled: whether the program for this structure was compiled by this process, and is kept for its run.
        devices: how many train.
        compiled_bytes: what the compiled program takes of each device, what lies there of `memory` and its intermediate
            results included; None where it is not compiled, or the compiler does not say.
    """

    epochs: NDArray[np.float64]
    rates: NDArray[np.float64]
    steps_per_epoch: int
    buffer: int
    memory: Memory
    is_compiled: bool
    devices: int
    compiled_bytes: int | None


def plan(config: Config, data: Summary) -> Plan:
    """Return the plan of a config that fits its data. Nothing is computed but the learning rates."""
    shape = shape_planned(config, data)
    kept = program.known(shape)
    return Plan(
        *learning_rates(config),
        steps_per_epoch=shape.steps_per_epoch,
        buffer=shape.buffer,
        memory=_memory(shape, data.feature_bytes),
        is_compiled=kept is not None,
        devices=shape.devices,
        compiled_bytes=kept.memory_bytes if kept else None,
    )


def learning_rates(config: Config) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return epochs and the learning rate at each, as in `Plan`."""
    epochs = np.linspace(0.0, config.training.epochs, _POINTS)
    factors = config.schedule.factor(jnp.asarray(epochs, jnp.float32), config.training.epochs)
    return epochs, np.broadcast_to(config.optimizer.learning_rate * np.asarray(factors, np.float64), epochs.shape)


def compile_ahead(prepared: Prepared) -> None:
    """Compile what a run of this config needs, and keep it: the run then begins at once."""
    splits = prepared.splits
    runs = members(prepared)
    shape = shape_of(runs)
    held = program.held_test(splits)
    test = blocks(held.x, held.y) if len(held) else None
    program.compiled(shape, program.examples(splits, program.own(shape, runs), shape.buffer), test)


def _memory(shape: Shape, feature_bytes: int) -> Memory:
    seed = jax.ShapeDtypeStruct((), np.uint32)
    vector = jax.ShapeDtypeStruct((len(numbers.names(shape.config)),), np.float32)
    state: State = jax.eval_shape(step.make_init(shape), seed, vector)
    members = shape.members
    return Memory(
        parameters=members * _bytes(state.parameters),
        gradients=members * _bytes(state.parameters),
        optimizer=members * _bytes((state.optimizer, state.average, state.evaluated)),
        best_weights=members * _bytes([slot.parameters for slot in state.slots]),
        examples=(2 * shape.buffer or shape.n_train) * _bytes_of_example(shape, feature_bytes)
        + shape.n_validation * _bytes_of_example(shape, _BYTES),
    )


def _bytes_of_example(shape: Shape, feature_bytes: int) -> int:
    n_inputs = shape.inputs.n_features
    match shape.task:
        case "classification":
            return n_inputs * feature_bytes + _BYTES
        case "regression":
            return n_inputs * feature_bytes + shape.n_outputs * _BYTES
        case "language_modeling":
            return 2 * n_inputs * np.min_scalar_type(shape.n_outputs - 1).itemsize


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
