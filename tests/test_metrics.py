"""What is measured: sums over batches of any size, against scikit-learn and NumPy."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import devices, results
from trainer.callbacks import metric_direction
from trainer.config import Config
from trainer.further_metrics import MetricsSection, asked
from trainer.losses import Loss, MeanSquaredError, Poisson, SigmoidCrossEntropy, SoftmaxCrossEntropy
from trainer.measures import BINS
from trainer.metrics import Metrics, names
from trainer.preparation import prepare
from trainer.task import Task
from trainer.training import start_replicas, train_together

devices.prepare_jax()

Array = np.ndarray[Any, Any]

OFF = MetricsSection()
OF_CLASSES = MetricsSection(top_k=True, k=2, f1=True, precision=True, recall=True, auroc=True, perplexity=True)
OF_NUMBERS = MetricsSection(rmse=True, mape=True)
OF_TOKENS = MetricsSection(top_k=True, k=2, perplexity=True, bits_per_character=True)
FITTING: dict[Task, MetricsSection] = {
    "classification": OF_CLASSES,
    "regression": OF_NUMBERS,
    "language_modeling": OF_TOKENS,
}

RNG = np.random.default_rng(0)
LOGITS = (3 * RNG.standard_normal((40, 5))).astype(np.float32)
CLASSES = RNG.integers(0, 5, 40)
ONE_HOT = np.eye(5, dtype=np.float32)[CLASSES]
TARGETS = (2 * RNG.standard_normal((40, 3)) + [0, 5, -3]).astype(np.float32)
OUTPUTS = TARGETS + RNG.standard_normal((40, 3)).astype(np.float32)
SCALE, OFFSET, MEAN = np.float32([1.0, 20.0, 0.5]), np.float32([0.0, 3.0, -1.0]), np.float32([0.1, 4.0, -2.0])


def of_classes(n: int = 5, section: MetricsSection = OFF, loss: Loss | None = None) -> Metrics:
    nothing = jnp.zeros(1)
    return Metrics("classification", section, loss or SoftmaxCrossEntropy(), n, nothing, nothing, nothing)


def of_numbers(section: MetricsSection = OFF, loss: Loss | None = None, mean: Any = MEAN) -> Metrics:
    scale, offset, mean = map(jnp.asarray, (SCALE[: len(mean)], OFFSET[: len(mean)], mean))
    return Metrics("regression", section, loss or MeanSquaredError(), len(mean), scale, offset, mean)


def summed(metrics: Metrics, batches: list[tuple[Any, Any, Any, Any]]) -> Array:
    compiled = jax.jit(lambda *batch: metrics.sums(*batch))
    sums = sum((compiled(*batch) for batch in batches), jnp.zeros(metrics.n_sums))
    return np.asarray(jax.jit(metrics.values)(sums))


def cut(arrays: tuple[Array, ...], size: int, filler: float) -> list[tuple[Any, Any, Any, Any]]:
    """Batches of one size; the last one filled up with rows of weight 0."""
    n = len(arrays[0])
    pad = -n % size
    padded = [np.concatenate([array, np.full((pad, *array.shape[1:]), filler, array.dtype)]) for array in arrays]
    weights = np.r_[np.ones(n, arrays[0].dtype), np.zeros(pad, arrays[0].dtype)]
    return [tuple(array[at : at + size] for array in (*padded, weights)) for at in range(0, n, size)]  # type: ignore[misc]


# The usual ones.


@pytest.mark.parametrize("filler", [7.0, np.inf, np.nan])
@pytest.mark.parametrize("size", [40, 16, 1, 64])
def test_the_metrics_of_classes_are_those_of_scikit_learn_whatever_the_batches(size: int, filler: float) -> None:
    losses = RNG.random(40).astype(np.float32)
    loss, accuracy = summed(of_classes(), cut((losses, LOGITS, ONE_HOT), size, filler))
    assert loss == pytest.approx(losses.mean(), rel=1e-5)
    assert accuracy == pytest.approx(sklearn.metrics.accuracy_score(CLASSES, LOGITS.argmax(-1)), rel=1e-6)


@pytest.mark.parametrize("filler", [7.0, np.inf, np.nan])
@pytest.mark.parametrize("size", [40, 16, 1, 64])
def test_the_metrics_of_numbers_are_those_of_scikit_learn_whatever_the_batches(size: int, filler: float) -> None:
    losses = RNG.random(40).astype(np.float32)
    loss, mae, r2 = summed(of_numbers(), cut((losses, OUTPUTS, TARGETS), size, filler))
    assert loss == pytest.approx(losses.mean(), rel=1e-5)
    assert mae == pytest.approx(sklearn.metrics.mean_absolute_error(TARGETS * SCALE, OUTPUTS * SCALE), rel=1e-5)
    assert r2 == pytest.approx(sklearn.metrics.r2_score(TARGETS, OUTPUTS, multioutput="variance_weighted"), rel=1e-4)


@settings(max_examples=50, deadline=None)
@given(
    n=st.sampled_from([2, 7, 30]),
    offset=st.sampled_from([0.0, 1.0, 100.0]),
    noise=st.floats(0.01, 3),
    seed=st.integers(0, 99),
)
def test_r2_of_one_output_is_that_of_scikit_learn(n: int, offset: float, noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = (offset + rng.standard_normal((n, 1))).astype(np.float32)
    outputs = (targets + noise * rng.standard_normal((n, 1))).astype(np.float32)
    metrics = of_numbers(mean=np.float32([offset + 0.1]))
    weights = np.ones(n, np.float32)
    found = float(metrics.values(metrics.sums(*map(jnp.asarray, (weights, outputs, targets, weights))))[2])
    assert found == pytest.approx(sklearn.metrics.r2_score(targets, outputs), rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("error", [0.0, 2**-10, 2.0])
@pytest.mark.parametrize("n", [2, 7, 1000])
@pytest.mark.parametrize("target", [0.0, 0.125, -3.25])
def test_r2_of_constant_targets_is_that_of_scikit_learn(n_outputs: int, error: float, n: int, target: float) -> None:
    # In dyadic fractions, of which scikit-learn finds the mean exactly too.
    targets = np.full((n, n_outputs), target, np.float32)
    metrics = of_numbers(mean=MEAN[:n_outputs])
    found = summed(metrics, cut((np.ones(n, np.float32), targets + np.float32(error), targets), 16, np.nan))
    expected = sklearn.metrics.r2_score(targets, targets + np.float32(error), multioutput="variance_weighted")
    assert found[2] == expected == (0.0 if error else 1.0)


def test_r2_of_a_single_example_is_unknown_and_of_outputs_that_are_no_numbers_too() -> None:
    one, nothing = np.ones(1, np.float32), np.full((2, 1), np.nan, np.float32)
    assert np.isnan(summed(of_numbers(), cut((one, OUTPUTS[:1], TARGETS[:1]), 4, 0.0))[2])
    for targets in (np.float32([[1], [2]]), np.float32([[1], [1]])):
        assert np.isnan(summed(of_numbers(mean=MEAN[:1]), cut((nothing[:, 0], nothing, targets), 2, 0.0))[2])


# Those that a config asks for.


class Compiled(NamedTuple):
    """Metrics whose functions are compiled once for all batches of 16."""

    names: tuple[str, ...]
    sums: Any
    values: Any

    @classmethod
    def of(cls, metrics: Metrics) -> "Compiled":
        return cls(
            names(metrics.task, metrics.section), jax.jit(lambda *it: metrics.sums(*it)), jax.jit(metrics.values)
        )

    def told(self, outputs: Array, targets: Array, filler: float) -> dict[str, float]:
        """The metrics by name, in double precision."""
        with jax.enable_x64(True):
            batches = cut((np.ones(len(outputs)), outputs, targets), 16, filler)
            values = self.values(sum(self.sums(*batch) for batch in batches))
        return dict(zip(self.names, map(float, values), strict=True))


CLASSIFYING = {n: Compiled.of(of_classes(n, OF_CLASSES)) for n in (3, 4, 7)}
ESTIMATING = Compiled.of(of_numbers(OF_NUMBERS))


def softmax(logits: Array) -> Array:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


@settings(max_examples=200, deadline=None)
@given(
    n_classes=st.sampled_from([3, 4, 7]),
    n=st.integers(1, 60),
    size=st.sampled_from([0.1, 1.0, 10.0]),
    skill=st.sampled_from([0.0, 1.0, 3.0]),
    filler=st.sampled_from([0.0, np.inf, np.nan]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_further_metrics_of_classes_are_those_of_scikit_learn(
    n_classes: int, n: int, size: float, skill: float, filler: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, n_classes, n)
    one_hot = np.eye(n_classes)[true]
    logits = size * (rng.standard_normal((n, n_classes)) + skill * one_hot)
    found = CLASSIFYING[n_classes].told(logits, one_hot, filler)
    shares, every = softmax(logits), range(n_classes)
    predicted = logits.argmax(axis=1)
    averaged: dict[str, Any] = {"labels": every, "average": "macro", "zero_division": 0}
    assert found["f1"] == pytest.approx(sklearn.metrics.f1_score(true, predicted, **averaged))
    assert found["precision"] == pytest.approx(sklearn.metrics.precision_score(true, predicted, **averaged))
    assert found["recall"] == pytest.approx(sklearn.metrics.recall_score(true, predicted, **averaged))
    near = sklearn.metrics.top_k_accuracy_score(true, logits, k=2, labels=every)
    assert found["top_2_accuracy"] == pytest.approx(near)
    surprise = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(n), true]
    assert found["perplexity"] == pytest.approx(np.exp(surprise.mean()), rel=1e-5)
    binned = np.ceil(shares * BINS).clip(1)
    areas = [sklearn.metrics.roc_auc_score(true == c, binned[:, c]) for c in every if 0 < (true == c).sum() < n]
    assert found["auroc"] == pytest.approx(np.mean(areas) if areas else np.nan, nan_ok=True)


@settings(max_examples=120, deadline=None)
@given(
    n=st.integers(2, 60),
    noise=st.floats(0.01, 100),
    filler=st.sampled_from([0.0, np.inf, np.nan]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_further_metrics_of_numbers_are_those_of_scikit_learn_in_their_own_units(
    n: int, noise: float, filler: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    targets = 3 * rng.standard_normal((n, 3))
    outputs = targets + noise * rng.standard_normal((n, 3))
    found = ESTIMATING.told(outputs, targets, filler)
    true, predicted = (array * SCALE.astype(float) + OFFSET for array in (targets, outputs))
    assert found["rmse"] == pytest.approx(sklearn.metrics.mean_squared_error(true, predicted) ** 0.5)
    assert found["mape"] == pytest.approx(sklearn.metrics.mean_absolute_percentage_error(true, predicted))


def test_the_bins_are_those_of_keras(keras: Any) -> None:
    rng = np.random.default_rng(3)
    one_hot = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 200)]
    shares = softmax(rng.standard_normal((200, 3)) + one_hot).astype(np.float32)
    shares[:6] = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    theirs = keras.metrics.AUC(num_thresholds=BINS + 1, multi_label=True, num_labels=3)
    theirs.update_state(one_hot, shares)
    section = MetricsSection(auroc=True)
    # Of a loss whose outputs are the probabilities themselves.
    found = summed(of_classes(3, section, MeanSquaredError()), cut((shares[:, 0], shares, one_hot), 64, 0.0))
    assert found[2] == pytest.approx(float(theirs.result()), rel=1e-5)


def test_shares_that_do_not_add_up_are_made_to_before_they_surprise() -> None:
    section = MetricsSection(perplexity=True)
    shares = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    own = (shares * ONE_HOT).sum(axis=1) / shares.sum(axis=1)
    found = summed(of_classes(5, section, SigmoidCrossEntropy()), cut((LOGITS[:, 0], LOGITS, ONE_HOT), 16, np.nan))
    assert found[2] == pytest.approx(np.exp(-np.log(own).mean()), rel=1e-4)


def test_logarithms_of_counts_are_measured_as_counts() -> None:
    counts = np.float32([[2.0], [4.0]])
    metrics = Metrics("regression", OF_NUMBERS, Poisson(), 1, jnp.ones(1), jnp.zeros(1), jnp.full(1, 3.0))
    _, mae, r2, rmse, mape = summed(metrics, cut((np.ones(2, np.float32), np.log(counts + 1), counts), 2, 0.0))
    assert (mae, r2, rmse, mape) == pytest.approx((1.0, 0.0, 1.0, 0.375), abs=1e-5)


def test_outputs_that_are_no_numbers_are_near_nothing() -> None:
    metrics = of_classes(5, MetricsSection(top_k=True))
    assert summed(metrics, cut((LOGITS[:, 0], np.full_like(LOGITS, np.nan), ONE_HOT), 40, 0.0))[2] == 0


@pytest.mark.parametrize("metrics", [of_classes(), of_numbers(), of_classes(5, OF_CLASSES), of_numbers(OF_NUMBERS)])
def test_the_metrics_have_a_name_and_their_sums_a_place_each(metrics: Metrics) -> None:
    batch = (LOGITS, ONE_HOT) if metrics.task == "classification" else (OUTPUTS, TARGETS)
    sums = metrics.sums(*map(jnp.float32, (np.ones(40), *batch)), jnp.ones(40))
    assert sums.shape == (metrics.n_sums,)
    assert metrics.values(sums).shape == (len(names(metrics.task, metrics.section)),)


def test_the_metrics_of_no_example_are_finite_but_for_r2() -> None:
    for metrics in (of_classes(), of_numbers(), of_numbers(OF_NUMBERS)):
        found = dict(zip(names(metrics.task, metrics.section), metrics.values(jnp.zeros(metrics.n_sums)), strict=True))
        assert np.isnan(found.pop("r2", np.nan))
        assert np.isfinite([*found.values()]).all()


def test_what_is_off_is_not_computed_and_what_several_need_is_summed_once() -> None:
    assert of_classes().n_sums == 3
    assert of_numbers().n_sums == 5 + 3
    assert of_classes(5, MetricsSection(f1=True)).n_sums == of_classes(5, MetricsSection(f1=True, recall=True)).n_sums

    def operations(section: MetricsSection) -> int:
        metrics = of_classes(5, section)
        return len(jax.make_jaxpr(metrics.sums)(LOGITS[:, 0], LOGITS, ONE_HOT, jnp.ones(40)).eqns)

    assert operations(MetricsSection(k=7)) == operations(OFF) < operations(MetricsSection(f1=True))


# In a run.

IRIS = {"data.source": "iris", "model.hidden": [5], "training.epochs": 4, "data.test_split": 0.2}
ALL_OF_CLASSES = {f"metrics.{it.field}": True for it in asked(OF_CLASSES)} | {"metrics.k": 2}
ALL_OF_NUMBERS = {f"metrics.{it.field}": True for it in asked(OF_NUMBERS)}
TOLD = ["top_2_accuracy", "f1", "precision", "recall", "auroc", "perplexity"]


def test_every_metric_there_is_fits_its_task_and_is_tried_here() -> None:
    switches = {name for name, field in MetricsSection.model_fields.items() if field.annotation is bool}
    assert {it.field for section in FITTING.values() for it in asked(section)} == switches
    for task, section in FITTING.items():
        assert all(task in it.metric.tasks for it in asked(section))


@pytest.mark.parametrize(
    ("metric", "direction"),
    [("f1", "max"), ("val_auroc", "max"), ("val_top_3_accuracy", "max"), ("top_100_accuracy", "max"),
     ("precision", "max"), ("val_recall", "max"), ("val_rmse", "min"), ("mape", "min"), ("val_perplexity", "min"),
     ("top_k_accuracy", None), ("k", None)],
)  # fmt: skip
def test_it_is_known_which_way_each_improves(metric: str, direction: str | None) -> None:
    assert metric_direction(metric) == direction


def test_a_run_tells_the_metrics_that_are_asked_for_and_trains_as_without(trained: Any) -> None:
    plain, run = trained({**IRIS}), trained({**IRIS, **ALL_OF_CLASSES})
    assert list(run.epochs) == [
        "loss", "accuracy", *TOLD, "val_loss", "val_accuracy", *(f"val_{name}" for name in TOLD), "learning_rate",
        "grad_norm",
    ]  # fmt: skip
    assert run.status.metrics.keys() == run.epochs.keys()
    assert list(run.status.test) == [f"test_{name}" for name in ("loss", "accuracy", *TOLD)]
    assert results.result(run)["metrics"] == run.status.metrics
    assert run.steps.keys() == plain.steps.keys()
    for name, series in plain.epochs.items():
        np.testing.assert_allclose(run.epochs[name].y, series.y, rtol=1e-4, atol=1e-6)


def test_a_run_that_validates_on_one_example_trains_on_and_watches_what_is_unknown(
    trained: Any, tmp_path: Path
) -> None:
    (tmp_path / "few.csv").write_text("x,y\n" + "".join(f"{n},{2 * n + 0.5}\n" for n in range(15)))
    run = trained({
        "data.source": "path", "data.path": str(tmp_path / "few.csv"), "data.validation_split": 0.05,
        "training.batch_size": 8, "training.epochs": 12, "callbacks.early_stopping.enabled": True,
        "callbacks.early_stopping.monitor": "val_r2", "callbacks.early_stopping.patience": 5,
        "callbacks.model_checkpoint.monitor": "val_r2",
    })  # fmt: skip
    assert (run.status.state, run.status.reason) == ("finished", "early_stopped")
    assert np.isnan(run.epochs["val_r2"].y).all()
    assert np.isfinite(run.epochs["r2"].y).all()
    assert json.dumps(results.result(run), allow_nan=False)


def test_a_callback_may_watch_one(trained: Any) -> None:
    watching = {"callbacks.early_stopping.enabled": True, "callbacks.early_stopping.monitor": "val_f1",
                "callbacks.early_stopping.patience": 50, "metrics.f1": True}  # fmt: skip
    run = trained({**IRIS, **watching, "training.epochs": 20})
    assert (run.status.best.metric, run.status.best.value) == ("val_f1", run.epochs["val_f1"].y.max())


@pytest.mark.parametrize("settings", [{**IRIS, **ALL_OF_CLASSES}, {"data.source": "diabetes", "model.hidden": [5],
                                      "training.epochs": 4, **ALL_OF_NUMBERS}], ids=["classes", "numbers"])  # fmt: skip
def test_a_population_measures_what_its_members_measure_alone(
    settings: dict[str, Any], trained: Any, tmp_path: Path
) -> None:
    together = train_together(start_replicas(prepare(Config().changed({**settings, "training.replicas": 2})), tmp_path))
    for seed, member in enumerate(together):
        alone = trained({**settings, "training.seed": seed})
        assert alone.epochs.keys() == member.epochs.keys()
        for name, series in alone.epochs.items():
            np.testing.assert_allclose(member.epochs[name].y, series.y, rtol=2e-3, atol=2e-4, err_msg=name)
