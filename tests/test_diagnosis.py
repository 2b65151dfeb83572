"""Looks inside: what they say is what the layers hold, and they change nothing."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import devices, diagnosis, runs, training
from trainer.config import Config
from trainer.events import Insight, Layers
from trainer.log import Tail
from trainer.models import MLP, Inputs
from trainer.preparation import Prepared, prepare
from trainer.run import Run

devices.prepare_jax()

SMALL = {"data.source": "iris", "model.hidden": [6, 5], "training.batch_size": 16, "training.epochs": 20,
         "optimizer.learning_rate": 0.02, "regularization.l2": 1e-3}  # fmt: skip


def trained(store: Path, **changes: Any) -> Run:
    prepared = prepare(Config().changed(SMALL | {key.replace("__", "."): value for key, value in changes.items()}))
    return training.train(prepared, training.start(prepared, store))


def looks(run: Run) -> list[Layers]:
    return [event for event in Tail(run.directory / "events.jsonl").read_all() if isinstance(event, Layers)]


def seen(parameters: Any, gradient: Any, updates: Any, outputs: Any) -> Layers:
    names = tuple(f"layer_{index}" for index in range(len(outputs)))
    return diagnosis.read(names, np.asarray(diagnosis.looked(parameters, gradient, updates, outputs)))


def test_norms_are_those_of_numpy_and_the_ratio_is_step_over_weights() -> None:
    rng = np.random.default_rng(3)
    trees = [({"w": rng.normal(size=(4, 3)), "b": rng.normal(size=3)},) for _ in range(3)]
    about = seen(*trees, (jnp.ones((5, 3)),)).layers["layer_0"]
    lengths = [np.sqrt((tree[0]["w"] ** 2).sum() + (tree[0]["b"] ** 2).sum()) for tree in trees]
    expected = (lengths[1], lengths[0], lengths[2] / lengths[0])
    assert (about.gradient_norm, about.weight_norm, about.update_ratio) == pytest.approx(expected, rel=1e-5)


def test_a_unit_is_dead_that_gives_the_same_for_every_example() -> None:
    outputs = jnp.array([[0.0, 1.0, 0.3, 1e-30], [0.0, 1.0, 0.4, 2e-30], [0.0, 1.0 - 1e-7, 0.3, 1e-30]])
    layer = ({"w": jnp.ones((2, 2))},)
    about = seen(layer, layer, layer, (outputs,)).layers["layer_0"]
    assert about.dead == 0.5
    assert (about.mean, about.std) == pytest.approx((float(outputs.mean()), float(outputs.std())), rel=1e-5)


@settings(deadline=None)
@given(st.sampled_from([1, 2, 60]).flatmap(lambda n: st.lists(st.floats(-100, 100, width=32), min_size=n, max_size=n)))
def test_histograms_are_those_of_numpy_but_for_values_on_a_border(values: list[float]) -> None:
    weights = jnp.array(values, jnp.float32)[None]
    layer = ({"w": weights},)
    found = seen(layer, layer, layer, (jnp.ones((2, 2)),)).layers["layer_0"].weights
    assert found is not None
    assert (found.low, found.high) == pytest.approx((min(values), max(values)), rel=1e-5)
    assert sum(found.counts) == len(values)
    width = (max(values) - min(values)) / len(found.counts)
    ends = min(values) + width * np.arange(1, len(found.counts) + 1)
    slack = 1e-4 * max(1e-30, max(map(abs, values)))
    for end, below in zip(ends[:-1], np.cumsum(found.counts)[:-1], strict=True):
        assert np.sum(np.array(values) < end - slack) <= below <= np.sum(np.array(values) < end + slack)


def test_weights_that_are_no_numbers_have_no_histogram() -> None:
    layer = ({"w": jnp.array([[1.0, jnp.nan]])},)
    about = seen(layer, layer, layer, (jnp.array([[1.0], [2.0]]),)).layers["layer_0"]
    assert about.weights is None
    assert about.outputs is not None


def test_looks_lie_further_and_further_apart_and_a_call_has_room_for_all() -> None:
    due = [epoch for epoch in range(3000) if diagnosis.is_due(epoch)]
    assert due[:17] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32]
    assert np.diff(due).max() == 128
    assert [bool(diagnosis.is_due(jnp.int32(epoch))) for epoch in range(200)] == [it in due for it in range(200)]
    most = max(sum(epoch in due for epoch in range(start, start + 128)) for start in range(0, 2000, 7))
    assert most <= diagnosis.MOST


def test_a_run_records_the_layers_of_the_epochs_that_are_due(tmp_path: Path) -> None:
    run = trained(tmp_path)
    found = looks(run)
    assert [look.epoch for look in found] == [epoch for epoch in range(20) if diagnosis.is_due(epoch)]
    assert all(list(look.layers) == ["hidden_1", "hidden_2", "output"] for look in found)
    assert all(0 < about.update_ratio < 1 for look in found for about in look.layers.values())
    assert run.inside == found[-1]
    assert runs.read(run.directory).insides[("output", "dead")].y.tolist() == [0.0] * len(found)


def test_the_last_look_is_into_the_weights_that_the_run_ends_with(tmp_path: Path) -> None:
    from trainer import checkpoints

    run = trained(tmp_path, training__epochs=8)
    path = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert path is not None
    arrays, _ = checkpoints.load(path)
    config, splits = run.config, prepare(Config().changed(SMALL)).splits
    assert config is not None
    model = config.model
    network = model.network(splits.summary.inputs, splits.n_outputs)
    layers = jax.eval_shape(network.init, jax.random.key(0))
    leaves, structure = jax.tree.flatten(layers)
    names = [f"parameters.{index}.{name}" for index in range(3) for name in ("weight", "bias")]
    tree = jax.tree.unflatten(structure, [jnp.asarray(arrays[name]) for name in names])
    assert len(leaves) == len(names)
    (look,) = (look for look in looks(run) if look.epoch == 7)
    for about, layer, outputs in zip(
        look.layers.values(), tree, network.activations(tree, jnp.asarray(splits.validation.x), None)[0], strict=True
    ):
        assert about.weight_norm == pytest.approx(float(optax.tree.norm(layer)), rel=1e-5)
        assert about.mean == pytest.approx(float(outputs.mean()), rel=1e-4, abs=1e-6)
        assert about.weights is not None
        assert sum(about.weights.counts) == layer.weight.size


def test_of_few_that_validate_no_unit_seems_dead(tmp_path: Path) -> None:
    run = trained(tmp_path, data__validation_split=1 / 150)
    assert prepare(Config().changed(SMALL | {"data.validation_split": 1 / 150})).splits.summary.n_validation == 1
    assert all(about.dead is not None and about.dead < 0.5 for look in looks(run) for about in look.layers.values())
    assert "constant_predictor" not in [event.name for event in run.happenings if isinstance(event, Insight)]


def test_folds_of_which_few_validate_are_looked_into_by_what_trains(tmp_path: Path) -> None:
    """Each as it sees them: scaled by its own part."""
    from trainer import checkpoints

    changes = SMALL | {"data.k_fold": 30, "data.fold": 2, "training.epochs": 8}
    prepared = prepare(Config().changed(changes))
    run = training.train(prepared, training.start(prepared, tmp_path))
    path = checkpoints.newest_good(run.directory / "checkpoints", "last")
    assert path is not None
    arrays, _ = checkpoints.load(path)
    layers = [jnp.asarray(arrays[f"parameters.0.{name}"]) for name in ("weight", "bias")]
    outputs = jax.nn.relu(prepared.splits.train.x[:128] @ layers[0].T + layers[1])
    assert looks(run)[-1].epoch == 7
    assert looks(run)[-1].layers["hidden_1"].mean == pytest.approx(float(outputs.mean()), rel=1e-4)


def test_looking_inside_changes_no_metric(tmp_path: Path) -> None:
    with_looks, without = trained(tmp_path), trained(tmp_path, training__diagnostics=False)
    assert not looks(without)
    assert without.inside is None
    for name, series in with_looks.epochs.items():
        np.testing.assert_allclose(series.y, without.epochs[name].y, rtol=1e-5, atol=1e-6, err_msg=name)


def test_members_of_a_population_are_looked_into_one_by_one(tmp_path: Path) -> None:
    first = prepare(Config().changed(SMALL))
    members = [Prepared(first.config.changed({"training.seed": seed}), first.splits) for seed in (0, 1)]
    together = training.train_together([(one, training.start(one, tmp_path)) for one in members])
    alone = trained(tmp_path, training__seed=1)
    assert looks(together[0])[-1].layers["output"] != looks(together[1])[-1].layers["output"]
    for mine, other in zip(looks(together[1]), looks(alone), strict=True):
        for name, about in mine.layers.items():
            assert about.weight_norm == pytest.approx(other.layers[name].weight_norm, rel=1e-3)
            assert about.gradient_norm == pytest.approx(other.layers[name].gradient_norm, rel=2e-2, abs=1e-4)


def test_the_activations_end_with_the_outputs_and_have_a_name_each() -> None:
    network = MLP(hidden=(4, 3)).network(Inputs(2), 5)
    layers = network.init(jax.random.key(1))
    x = jnp.ones((7, 2))
    given, _ = network.activations(layers, x, None)
    assert [part.shape for part in given] == [(7, 4), (7, 3), (7, 5)]
    assert (given[-1] == network.apply(layers, x, None)).all()
    assert network.layer_names == ("hidden_1", "hidden_2", "output")
    assert len(layers) == len(network.layer_names)
