"""Class weights: Keras' in the gradient, scikit-learn's where they balance, and none in what is told."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from trainer import devices, numbers, program, step, training
from trainer.class_weights import weights_of
from trainer.compaction import moved
from trainer.config import Config
from trainer.gradient import gradient_of
from trainer.insights import Insights
from trainer.preparation import Prepared, prepare
from trainer.problems import ConfigError
from trainer.run import Run
from trainer.shape import shape_of
from trainer.state import DATA_AXES, Own, picked

devices.prepare_jax()

IRIS = {"data.source": "iris", "model.hidden": [], "training.batch_size": 16, "training.epochs": 3,
        "optimizer.kind": "sgd", "optimizer.learning_rate": 0.1}  # fmt: skip


@lru_cache
def bench() -> tuple[Any, Any, Callable[..., Any]]:
    """The first state, the data, and the compiled gradient of a batch at any class weights and seed."""
    prepared = prepare(Config().changed({**IRIS, "loss.class_weight": "balanced"}))
    shape = shape_of([prepared])
    data = picked(program.place(prepared.splits, own=program.own(shape, [prepared])), DATA_AXES, 0)
    vector = numbers.pack(prepared.config)
    state = jax.jit(step.make_init(shape))(np.uint32(0), vector)

    def gradient(seed: Any, weights: Any) -> Any:
        its = step.at_epoch_begin(shape, data, state._replace(seed=seed))
        own = data._replace(own=Own(weights))
        return its.order[:16], gradient_of(shape, prepared.config, own, its, jnp.int32(0))

    return state, data, jax.jit(gradient)


@pytest.mark.xdist_group("keras")
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_an_update_is_that_of_keras_with_its_class_weight(keras: Any) -> None:
    state, data, gradient = bench()
    start = np.asarray(state.parameters[0].weight)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1.0), loss)

    @given(seed=st.integers(0, 2**32 - 1), weights=st.lists(st.floats(0.125, 50, width=32), min_size=3, max_size=3))
    @settings(max_examples=20, deadline=None)
    def is_the_same(seed: int, weights: list[float]) -> None:
        rows, found = gradient(np.uint32(seed), np.array(weights, np.float32))
        before = [start.T, np.zeros(3, np.float32)]
        model.set_weights(before)
        x, y = np.asarray(data.x)[rows], np.eye(3, dtype=np.float32)[np.asarray(data.y)[rows]]
        model.train_on_batch(x, y, class_weight=dict(enumerate(weights)))
        slopes = [found.gradient[0].weight.T, found.gradient[0].bias]
        for its, old, slope in zip(model.get_weights(), before, slopes, strict=True):
            np.testing.assert_allclose(old - np.asarray(its), slope, rtol=1e-4, atol=1e-5 * max(weights))

    is_the_same()


@given(labels=st.lists(st.integers(0, 6), min_size=1, max_size=200))
@settings(max_examples=100, deadline=None)
def test_balanced_is_that_of_scikit_learn(labels: list[int]) -> None:
    there = np.unique(labels)
    expected = np.zeros(7)
    expected[there] = compute_class_weight("balanced", classes=there, y=np.array(labels))
    np.testing.assert_allclose(weights_of("balanced", np.bincount(labels, minlength=7).tolist()), expected, rtol=1e-6)


def test_balanced_counts_the_training_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.array(["common"] * 90 + ["rare"] * 10)
    np.savez(tmp_path / "some.npz", x=rng.standard_normal((100, 2)), y=y)
    settings = {"data.source": "path", "data.path": str(tmp_path / "some.npz"), "loss.class_weight": "balanced",
                "training.batch_size": 16, "data.validation_split": 0.5}  # fmt: skip
    prepared = prepare(Config().changed(settings))
    (weights,) = program.own(shape_of([prepared]), [prepared]).class_weights
    assert weights.tolist() == pytest.approx([50 / (2 * 45), 50 / (2 * 5)])


@lru_cache
def mixing(kind: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The compiled gradient of a batch of pairs: without class weights, and at any."""
    changes = {**IRIS, "loss.kind": kind, "augmentation.enabled": True, "augmentation.mixup": 1.0}
    plain, weighing = (prepare(Config().changed({**changes, "loss.class_weight": it})) for it in ("none", "balanced"))

    def gradient(prepared: Prepared, seed: Any, weights: Any) -> Any:
        shape = shape_of([prepared])
        vector = jnp.array(numbers.pack(prepared.config))
        data = picked(program.place(prepared.splits, own=program.own(shape, [prepared])), DATA_AXES, 0)
        state = step.make_init(shape)(seed, vector)
        its = step.at_epoch_begin(shape, data, state)
        own = data._replace(own=Own(weights)) if shape.weighs_classes else data
        return gradient_of(shape, numbers.unpack(shape.config, vector), own, its, jnp.int32(0))

    return jax.jit(lambda seed, _: gradient(plain, seed, ())), jax.jit(lambda *it: gradient(weighing, *it))


@pytest.mark.parametrize("seed", range(4))
def test_each_class_of_a_mixed_example_counts_by_its_own_weight(seed: int) -> None:
    weights = np.float32([0.5, 20.0, 3.0])
    found = mixing("softmax_cross_entropy")[1](np.uint32(seed), weights)
    x, outputs, targets = (np.asarray(it, np.float64) for it in (found.batch.x, found.outputs, found.batch.targets))
    log_shares = outputs - np.logaddexp.reduce(outputs, axis=1, keepdims=True)
    mixed = (targets > 0.01).sum(axis=1) == 2
    assert mixed.any()
    # The loss against class c is -log p_c; l and 1 - l are what the targets hold.
    assert found.loss == pytest.approx(-(targets * weights * log_shares).sum() / 16, rel=1e-5)
    weighted = targets * weights
    slopes = (np.exp(log_shares) * weighted.sum(axis=1, keepdims=True) - weighted) / 16
    np.testing.assert_allclose(found.gradient[0].weight, slopes.T @ x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.gradient[0].bias, slopes.sum(axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["softmax_cross_entropy", "kl_divergence", "mse", "huber"])
def test_a_mixed_example_whose_classes_count_1_has_the_loss_without_weights(kind: str) -> None:
    plain, weighing = (it(np.uint32(3), np.ones(3, np.float32)) for it in mixing(kind))
    assert plain.loss == weighing.loss
    for its, expected in zip(jax.tree.leaves(weighing.gradient), jax.tree.leaves(plain.gradient), strict=True):
        np.testing.assert_allclose(its, expected, rtol=1e-5, atol=1e-7)


def trained(store: Path, *settings: dict[str, Any]) -> list[Run]:
    first = prepare(Config().changed(IRIS))
    runs = [Prepared(first.config.changed(its), first.splits) for its in settings]
    return training.train_together([(run, training.start(run, store)) for run in runs])


def test_members_have_weights_of_their_own_and_are_what_they_would_have_been_alone(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [{"loss.class_weight": it} for it in ("none", [1, 2, 5], [5.0, 0.5, 1.0])]
    together = trained(tmp_path / "together", *asked)
    last = [run.status.metrics["val_loss"] for run in together]
    assert len(set(last)) == 3
    for run, its in zip(together, asked, strict=True):
        (alone,) = trained(tmp_path / "alone", its)
        assert run.status.state == "finished"
        for name, series in alone.epochs.items():
            np.testing.assert_allclose(run.epochs[name].y, series.y, rtol=2e-3, atol=2e-4, err_msg=name)


def test_members_that_move_together_take_what_is_their_own_along() -> None:
    state, data, _ = bench()
    states = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf + 1, leaf + 2]), state)._replace(step=state.step)
    weights = jnp.arange(9.0).reshape(3, 3)
    its, moved_data = moved(states, data._replace(own=Own(weights)), np.array([2, 0], np.int32))
    assert np.array_equal(moved_data.own.class_weights, weights[jnp.array([2, 0])])
    assert moved_data.x is data.x
    assert its.seed.tolist() == [2, 0]


def test_the_loss_that_is_told_is_not_weighted(tmp_path: Path) -> None:
    still = {"optimizer.learning_rate": 1e-30}
    plain, weighted = trained(tmp_path, still, {**still, "loss.class_weight": [1, 20, 400]})
    for name in ("loss", "val_loss", "accuracy"):
        np.testing.assert_allclose(weighted.epochs[name].y, plain.epochs[name].y, rtol=1e-5, err_msg=name)
    assert weighted.epochs["grad_norm"].y[0] > 10 * plain.epochs["grad_norm"].y[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss.class_weight": [1, 2]},
            "must have one weight for each of the 3 classes (setosa, versicolor, virginica), got 2.",
        ),
        (
            {"data.source": "diabetes", "loss.class_weight": "balanced"},
            'must be "none" here, where nothing has a class, got "balanced".',
        ),
        ({"data.source": "diabetes", "loss.class_weight": [1, 2]},
         'must be "none" here, where nothing has a class, got a list.'),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_the_data_are_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(Config().changed({**IRIS, **changes}))
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == ("loss.class_weight", message)


@pytest.mark.parametrize("wrong", ["balancd", [1, 0], [1, "a"], 3, True, [[1]]])
def test_what_is_no_weight_is_refused_in_one_line(wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Config().changed({"loss.class_weight": wrong})
    (problem,) = caught.value.problems
    assert problem.key == "loss.class_weight"
    assert problem.message.startswith('must be "none", "balanced" or a list of numbers above 0, got ')


def test_the_insight_on_unbalanced_classes_names_the_weights_until_they_are_set() -> None:
    counts, epoch = {"common": 99, "rare": 1}, {"loss": 1.0}
    (plain,) = Insights(Config(), counts).on_epoch_end(epoch)
    (set_already,) = Insights(Config().changed({"loss.class_weight": "balanced"}), counts).on_epoch_end(epoch)
    assert 'loss.class_weight = "balanced"' in plain.message
    assert "class_weight" not in set_already.message
