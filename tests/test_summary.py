"""What a config means before it trains: by hand, and against what JAX and the engine make of it."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainer import devices
from trainer.config import Config
from trainer.data.loading import describe
from trainer.events import Compiled
from trainer.models import MLP, Inputs, Layer
from trainer.plan import Plan, compile_ahead, learning_rates, plan
from trainer.preparation import misfits, prepare
from trainer.shape import shape_of, shape_planned
from trainer.summary import summarize
from trainer.training import start_replicas, train_together

devices.prepare_jax()

KEY = jax.random.key(0)
SHAPES: list[tuple[int, ...]] = [(), (7,), (5, 6), (128, 128, 64)]


def planned(**settings: Any) -> Plan:
    config = Config().changed({key.replace("__", "."): value for key, value in settings.items()})
    return plan(config, describe(config.data))


def test_the_layers_of_the_digits_network_are_those_counted_by_hand() -> None:
    config = Config().changed({"data.source": "digits", "model.hidden": [128, 32], "model.activation": "tanh"})
    summary = summarize(config, describe(config.data))
    assert summary.input_shape == (8, 8, 1)
    assert summary.layers == (
        Layer("hidden_1", "dense tanh", (128,), 64 * 128 + 128, 2 * 64 * 128 + 128),
        Layer("hidden_2", "dense tanh", (32,), 128 * 32 + 32, 2 * 128 * 32 + 32),
        Layer("output", "dense", (10,), 32 * 10 + 10, 2 * 32 * 10 + 10),
    )
    assert (summary.n_parameters, summary.flops) == (8320 + 4128 + 330, 16512 + 8224 + 650)


def test_dropout_is_told_where_there_is_some_and_never_of_the_last_layer() -> None:
    layers = MLP(hidden=(4, 4), dropout=0.25).network(Inputs(3), 2).layers
    assert [layer.words for layer in layers] == ["dense relu dropout 0.25", "dense relu dropout 0.25", "dense"]


def test_an_example_that_is_no_picture_is_a_row_of_numbers() -> None:
    config = Config().changed({"data.source": "iris", "model.hidden": []})
    summary = summarize(config, describe(config.data))
    assert (summary.input_shape, [layer.shape for layer in summary.layers]) == ((4,), [(3,)])


@pytest.mark.parametrize("hidden", SHAPES)
def test_each_layer_has_the_parameters_and_the_width_of_the_real_one(hidden: tuple[int, ...]) -> None:
    network = MLP(hidden=hidden).network(Inputs(9), 4)
    layers, told = jax.eval_shape(network.init, KEY), network.layers
    assert [sum(leaf.size for leaf in jax.tree.leaves(layer)) for layer in layers] == [it.n_parameters for it in told]
    assert [layer.weight.shape[:1] for layer in layers] == [it.shape for it in told]
    outputs = jax.eval_shape(lambda layers: network.apply(layers, jnp.zeros((1, 9)), None), layers)
    assert outputs.shape[1:] == told[-1].shape


@pytest.mark.parametrize("hidden", SHAPES)
def test_the_flops_are_those_of_the_compiler_but_for_the_activations(hidden: tuple[int, ...]) -> None:
    """XLA also counts an operation for each relu: with these widths at most a tenth of the whole."""
    network = MLP(hidden=hidden).network(Inputs(24), 10)
    layers = jax.eval_shape(network.init, KEY)
    x = jax.ShapeDtypeStruct((32, 24), np.float32)
    compiled = jax.jit(lambda layers, x: network.apply(layers, x, None)).lower(layers, x).compile()
    ours = sum(layer.flops for layer in network.layers)
    assert ours <= compiled.cost_analysis()["flops"] / 32 <= 1.1 * ours


@pytest.mark.parametrize("source", ["digits", "iris", "diabetes", "moons"])
def test_data_are_summed_up_alike_before_and_after_they_are_read(source: str) -> None:
    config = Config().changed({"data.source": source, "data.test_split": 0.1, "training.batch_size": 16})
    prepared = prepare(config)
    assert prepared.splits.summary == describe(config.data)
    assert shape_planned(config, describe(config.data)) == shape_of([prepared])


def test_the_memory_is_that_of_the_arrays_of_a_training() -> None:
    settings = {"data__source": "iris", "model__hidden": [6], "training__batch_size": 16,
                "callbacks__early_stopping__enabled": True, "callbacks__early_stopping__restore_best_weights": True,
                "callbacks__model_checkpoint__enabled": True}  # fmt: skip
    numbers = (4 + 1) * 6 + (6 + 1) * 3
    memory = planned(**settings, optimizer__kind="adam").memory
    assert (memory.parameters, memory.gradients) == (4 * numbers, 4 * numbers)
    assert memory.optimizer == 4 * (2 * numbers + 1), "two moments, and the count of updates"
    assert memory.best_weights == 4 * numbers, "early stopping and checkpoints watch the same metric"
    assert memory.examples == 4 * 150 * (4 + 1), "four features and a class of each flower, train and validation"
    assert planned(**settings, optimizer__kind="sgd").memory.optimizer == 4 * numbers
    apart = planned(**settings, callbacks__model_checkpoint__monitor="loss")
    assert apart.memory.best_weights == 2 * 4 * numbers


def test_examples_of_a_regression_have_a_number_for_each_output() -> None:
    assert planned(data__source="diabetes").memory.examples == 4 * 442 * (10 + 1)


SCHEDULES: list[dict[str, Any]] = [
    {},
    {"schedule.kind": "cosine", "schedule.warmup_epochs": 1.5, "schedule.alpha": 0.1},
    {"schedule.kind": "exponential", "schedule.decay_rate": 0.5},
    {"schedule.kind": "step", "schedule.transition_epochs": 2.0},
    {"schedule.kind": "cosine_restarts", "schedule.cycle_epochs": 1.5, "schedule.cycle_growth": 1.5},
    {"schedule.kind": "one_cycle", "schedule.pct_start": 0.4},
    {"schedule.kind": "piecewise", "schedule.boundaries": [1, 2.5], "schedule.factors": [0.5, 0.1]},
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda it: it.get("schedule.kind", "constant"))
def test_the_planned_learning_rates_are_those_that_a_run_uses(schedule: dict[str, Any], trained: Any) -> None:
    settings = {"data.source": "iris", "training.batch_size": 16, "training.epochs": 6, "model.hidden": [4],
                "optimizer.learning_rate": 0.02, "callbacks.early_stopping.enabled": False,
                "training.diagnostics": False, **schedule}  # fmt: skip
    config = Config().changed(settings)
    epochs, rates = learning_rates(config)
    assert (epochs[0], epochs[-1], epochs.shape) == (0.0, 6.0, rates.shape)
    used = np.array(trained(config).epochs["learning_rate"].y)
    last_updates = np.arange(1, 7) - 1 / 8  # eight updates an epoch; a record has the rate of its last
    np.testing.assert_allclose(np.interp(last_updates, epochs, rates), used, rtol=5e-3)


def test_what_is_compiled_ahead_is_known_and_is_not_compiled_again_by_its_run(trained: Any) -> None:
    config = Config().changed({"data.source": "iris", "model.hidden": [7, 5, 3], "training.epochs": 1,
                               "training.batch_size": 16, "data.test_split": 0.2})  # fmt: skip
    before = plan(config, describe(config.data))
    assert (before.is_compiled, before.compiled_bytes, before.steps_per_epoch) == (False, None, 6)
    compile_ahead(prepare(config))
    after = plan(config.changed({"optimizer.learning_rate": 0.5}), describe(config.data))
    assert after.is_compiled, "a number that is data is not compiled in"
    memory = after.memory
    lasting = memory.parameters + memory.optimizer + memory.best_weights + memory.examples
    assert after.compiled_bytes is not None
    assert after.compiled_bytes > lasting
    assert not plan(config.changed({"model.hidden": [7, 5, 4]}), describe(config.data)).is_compiled
    assert not [event for event in trained(config).happenings if isinstance(event, Compiled)]


def test_the_memory_as_compiled_is_what_the_run_records(trained: Any) -> None:
    config = Config().changed({"data.source": "iris", "model.hidden": [9, 2], "training.epochs": 1,
                               "training.batch_size": 16})  # fmt: skip
    records = [event for event in trained(config).happenings if isinstance(event, Compiled)]
    [advance] = [event.memory_bytes for event in records if event.what == "advance"]
    assert plan(config, describe(config.data)).compiled_bytes == advance


def test_replicas_are_planned_and_compiled_together(tmp_path: Path) -> None:
    settings = {"data.source": "iris", "model.hidden": [3, 7], "training.epochs": 1, "training.batch_size": 16}
    one = Config().changed(settings)
    three = one.changed({"training.replicas": 3})
    data = describe(one.data)
    of_one, of_three = plan(one, data).memory, plan(three, data).memory
    assert of_three.parameters == 3 * of_one.parameters
    assert of_three.optimizer == 3 * of_one.optimizer
    assert of_three.examples == of_one.examples, "they share them"
    compile_ahead(prepare(three))
    assert plan(three, data).is_compiled
    assert not plan(one, data).is_compiled
    runs = train_together(start_replicas(prepare(three), tmp_path))
    assert not [event for run in runs for event in run.happenings if isinstance(event, Compiled)]


def test_replicas_must_fit_into_memory_together() -> None:
    config = Config().changed({"model.hidden": [30_000, 30_000], "training.replicas": 256})
    [problem] = misfits(config, describe(config.data))
    assert problem.key == "model.hidden"
    assert " parameters of 256 networks need about " in problem.message


def test_a_network_that_no_machine_holds_is_planned_all_the_same() -> None:
    config = Config().changed({"model.hidden": [65_536, 65_536]})
    found = plan(config, describe(config.data))
    assert found.memory.parameters == 4 * summarize(config, describe(config.data)).n_parameters > 17e9
