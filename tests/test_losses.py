from typing import Any

import jax
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import devices
from trainer.config import Config
from trainer.losses import (
    Auto,
    Focal,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    resolve,
)
from trainer.state import blocks
from trainer.validation import members

devices.prepare_jax()

RNG = np.random.default_rng(0)
LOGITS = (3 * RNG.standard_normal((40, 5))).astype(np.float32)
CLASSES = RNG.integers(0, 5, 40)
ONE_HOT = np.eye(5, dtype=np.float32)[CLASSES]
OUTPUTS = (2 * RNG.standard_normal((40, 3))).astype(np.float32)
TARGETS = (2 * RNG.standard_normal((40, 3)) + [0, 5, -3]).astype(np.float32)


def log_softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def sigmoid_cross_entropy(smoothing: float) -> np.ndarray[Any, Any]:
    logits, targets = LOGITS.astype(np.float64), ONE_HOT * (1 - smoothing) + smoothing / 2
    return (np.log1p(np.exp(logits)) - targets * logits).mean(axis=-1)


def huber(delta: float) -> np.ndarray[Any, Any]:
    error = np.abs(OUTPUTS.astype(np.float64) - TARGETS)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).mean(axis=-1)


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "expected"),
    [
        (SoftmaxCrossEntropy(), LOGITS, ONE_HOT, -(ONE_HOT * log_softmax(LOGITS)).sum(axis=-1)),
        (
            SoftmaxCrossEntropy(label_smoothing=0.1), LOGITS, ONE_HOT,
            -((0.9 * ONE_HOT + 0.1 / 5) * log_softmax(LOGITS)).sum(axis=-1),
        ),
        (SigmoidCrossEntropy(), LOGITS, ONE_HOT, sigmoid_cross_entropy(0.0)),
        (SigmoidCrossEntropy(label_smoothing=0.2), LOGITS, ONE_HOT, sigmoid_cross_entropy(0.2)),
        (MeanSquaredError(), OUTPUTS, TARGETS, ((OUTPUTS - TARGETS) ** 2).mean(axis=-1)),
        (MeanAbsoluteError(), OUTPUTS, TARGETS, np.abs(OUTPUTS - TARGETS).mean(axis=-1)),
        (Huber(), OUTPUTS, TARGETS, huber(1.0)),
        (Huber(delta=0.3), OUTPUTS, TARGETS, huber(0.3)),
        (Huber(delta=1e6), OUTPUTS, TARGETS, ((OUTPUTS - TARGETS) ** 2).mean(axis=-1) / 2),
    ],
)  # fmt: skip
def test_a_loss_is_its_formula(loss: Loss, outputs: Any, targets: Any, expected: Any) -> None:
    found = loss.per_example(outputs, targets)
    assert found.shape == (40,)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


def test_a_loss_is_that_of_optax() -> None:
    labels = optax.softmax_cross_entropy_with_integer_labels(LOGITS, CLASSES)
    np.testing.assert_allclose(SoftmaxCrossEntropy().per_example(LOGITS, ONE_HOT), labels, rtol=1e-5)
    np.testing.assert_allclose(
        Huber(delta=0.7).per_example(OUTPUTS, TARGETS),
        optax.huber_loss(OUTPUTS, TARGETS, delta=0.7).mean(-1),
        rtol=1e-6,
    )


@settings(max_examples=60, deadline=None)
@given(gamma=st.floats(0, 5), size=st.sampled_from([1.0, 10.0, 100.0]), seed=st.integers(0, 999))
def test_a_focal_loss_keeps_its_digits_where_the_answer_is_almost_sure(gamma: float, size: float, seed: int) -> None:
    logits = size * np.random.default_rng(seed).standard_normal((40, 5))
    right = np.take_along_axis(logits, CLASSES[:, None], axis=1)
    away = np.where(ONE_HOT > 0, -np.inf, logits) - right
    odds = np.exp(away - away.max(axis=1, keepdims=True)).sum(axis=1) * np.exp(away.max(axis=1))
    expected = (odds / (1 + odds)) ** gamma * np.log1p(odds)
    found = Focal(gamma=gamma).per_example(logits.astype(np.float32), ONE_HOT)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6)


def test_losses_are_each_other_where_their_numbers_say_so() -> None:
    plain = SoftmaxCrossEntropy().per_example(LOGITS, ONE_HOT)
    np.testing.assert_allclose(Focal(gamma=0.0).per_example(LOGITS, ONE_HOT), plain, rtol=1e-5)
    np.testing.assert_allclose(KLDivergence(label_smoothing=0.0).per_example(LOGITS, ONE_HOT), plain, rtol=1e-5)
    smoothed = SoftmaxCrossEntropy(label_smoothing=0.2).per_example(LOGITS, ONE_HOT)
    unavoidable = -(0.84 * np.log(0.84) + 4 * 0.04 * np.log(0.04))
    found = KLDivergence(label_smoothing=0.2).per_example(LOGITS, ONE_HOT)
    np.testing.assert_allclose(found, smoothed - unavoidable, rtol=1e-4, atol=1e-5)


def test_the_outputs_of_a_poisson_loss_are_logarithms() -> None:
    counts = np.float32([[0.0, 3.0], [1.0, 8.0]])
    rates = np.float32([[0.5, 2.0], [1.0, 9.0]])
    np.testing.assert_allclose(Poisson().predictions(np.log(rates)), rates, rtol=1e-6)
    gradient = jax.grad(lambda outputs: Poisson().per_example(outputs, counts).sum())(np.log(rates))
    np.testing.assert_allclose(gradient, (rates - counts) / 2, rtol=1e-5)


def test_a_prediction_is_the_output_itself_of_every_other_loss() -> None:
    for kind in set(members(Config.model_fields["loss"])) - {"poisson"}:
        assert Config().changed({"loss.kind": kind}).loss.predictions(OUTPUTS) is OUTPUTS


@pytest.mark.parametrize("kind", members(Config.model_fields["loss"]))
def test_every_loss_of_classes_tells_probabilities_in_the_order_of_the_outputs(kind: str) -> None:
    loss = resolve(Config().changed({"loss.kind": kind}).loss, "classification")
    if "classification" in loss.tasks:
        shares = np.asarray(loss.probabilities(LOGITS))
        assert ((shares >= 0) & (shares <= 1)).all()
        assert (np.take_along_axis(shares, np.argsort(LOGITS), axis=1)[:, 1:] >= np.sort(shares)[:, :-1]).all()
        assert isinstance(loss, MeanSquaredError | MeanAbsoluteError | Huber | LogCosh | SigmoidCrossEntropy) or (
            shares.sum(axis=1) == pytest.approx(1, rel=1e-5)
        )


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(label_smoothing=0.3), SigmoidCrossEntropy(label_smoothing=0.3)])
def test_label_smoothing_makes_the_best_answer_unsure(loss: Loss) -> None:
    sure, unsure = ONE_HOT[:1] * 40, ONE_HOT[:1] * 4
    plain = type(loss)()
    assert plain.per_example(sure, ONE_HOT[:1]) < plain.per_example(unsure, ONE_HOT[:1])
    assert loss.per_example(sure, ONE_HOT[:1]) > loss.per_example(unsure, ONE_HOT[:1])


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SigmoidCrossEntropy(), KLDivergence(), Hinge(), LogCosh(),
                                  *(Focal(gamma=gamma) for gamma in (0.0, 0.5, 1.0, 2.0))])  # fmt: skip
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_output_far_off_has_a_large_loss_and_a_finite_gradient(loss: Loss, sign: int) -> None:
    def total(outputs: Any) -> Any:
        return loss.per_example(outputs, ONE_HOT).sum()

    value, gradient = jax.value_and_grad(total)(sign * 1e4 * ONE_HOT)
    assert np.isfinite(value)
    assert value > 1e4 or sign > 0
    assert np.isfinite(gradient).all()


def test_auto_is_the_loss_of_the_task() -> None:
    assert resolve(Auto(), "classification") == SoftmaxCrossEntropy()
    assert resolve(Auto(), "regression") == MeanSquaredError()
    assert resolve(Auto(), "language_modeling") == SoftmaxCrossEntropy()
    assert resolve(Huber(delta=3.0), "regression") == Huber(delta=3.0)


@pytest.mark.parametrize("kind", members(Config.model_fields["loss"]))
def test_every_loss_gives_a_number_an_example_for_each_of_its_tasks(kind: str) -> None:
    chosen = Config().changed({"loss.kind": kind}).loss
    for task in chosen.tasks:
        loss = resolve(chosen, task)
        outputs, targets = (OUTPUTS, TARGETS) if task == "regression" else (LOGITS, ONE_HOT)
        shape = (8, 5) if task == "language_modeling" else (40,)
        outputs, targets = (array.reshape(*shape, -1) for array in (outputs, targets))
        assert loss.per_example(outputs, targets).shape == shape
        assert (loss.per_example(outputs, targets) > 0).all() or isinstance(loss, Hinge | Poisson)


@pytest.mark.parametrize("n", [0, 1, 2047, 2048, 2049, 4097])
def test_blocks_hold_every_example_once_and_the_rest_weighs_nothing(n: int) -> None:
    x = np.arange(1, 3 * n + 1, dtype=np.float32).reshape(n, 3)
    cut = blocks(x, np.arange(n, dtype=np.int32))
    weights = np.asarray(cut.weights).ravel() > 0
    assert weights.sum() == n
    np.testing.assert_array_equal(np.asarray(cut.x).reshape(-1, 3)[weights], x)
    np.testing.assert_array_equal(np.asarray(cut.y).ravel()[weights], np.arange(n))
