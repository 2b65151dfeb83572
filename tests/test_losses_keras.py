"""Each loss is that of Keras, in double precision."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import devices, losses
from trainer.config import Config
from trainer.losses import Loss
from trainer.validation import members

pytestmark = [
    pytest.mark.xdist_group("keras"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

devices.prepare_jax()

Array = np.ndarray[Any, Any]
share = st.floats(0.0, 0.9)

CASES: dict[str, tuple[st.SearchStrategy[Loss], Callable[..., Any]]] = {
    "softmax_cross_entropy": (
        st.builds(losses.SoftmaxCrossEntropy, label_smoothing=share),
        lambda keras, loss, targets, outputs: keras.losses.categorical_crossentropy(
            targets, outputs, from_logits=True, label_smoothing=loss.label_smoothing
        ),
    ),
    "focal": (
        st.builds(losses.Focal, gamma=st.floats(0.0, 8.0)),
        lambda keras, loss, targets, outputs: keras.losses.categorical_focal_crossentropy(
            targets, outputs, alpha=1.0, gamma=loss.gamma, from_logits=True
        ),
    ),
    "kl_divergence": (
        st.builds(losses.KLDivergence, label_smoothing=share),
        lambda keras, loss, targets, outputs: keras.losses.kl_divergence(
            targets * (1 - loss.label_smoothing) + loss.label_smoothing / targets.shape[1], jax.nn.softmax(outputs)
        ),
    ),
    "sigmoid_cross_entropy": (
        st.builds(losses.SigmoidCrossEntropy, label_smoothing=share),
        lambda keras, loss, targets, outputs: keras.losses.binary_crossentropy(
            targets, outputs, from_logits=True, label_smoothing=loss.label_smoothing
        ),
    ),
    "hinge": (
        st.builds(losses.Hinge),
        lambda keras, loss, targets, outputs: keras.losses.categorical_hinge(targets, outputs),
    ),
    "mse": (
        st.builds(losses.MeanSquaredError),
        lambda keras, loss, targets, outputs: keras.losses.mean_squared_error(targets, outputs),
    ),
    "mae": (
        st.builds(losses.MeanAbsoluteError),
        lambda keras, loss, targets, outputs: keras.losses.mean_absolute_error(targets, outputs),
    ),
    "huber": (
        st.builds(losses.Huber, delta=st.floats(0.01, 10)),
        lambda keras, loss, targets, outputs: keras.losses.huber(targets, outputs, delta=loss.delta),
    ),
    "log_cosh": (
        st.builds(losses.LogCosh),
        lambda keras, loss, targets, outputs: keras.losses.log_cosh(targets, outputs),
    ),
    "poisson": (
        st.builds(losses.Poisson),
        # Keras' outputs are the rates themselves, to which it adds 1e-7.
        lambda keras, loss, targets, outputs: keras.losses.poisson(targets, np.exp(outputs) - 1e-7) + 1e-7,
    ),
}


def test_every_loss_is_compared() -> None:
    assert CASES.keys() == members(Config.model_fields["loss"]).keys() - {"auto"}


@pytest.mark.parametrize("kind", CASES)
def test_a_loss_is_that_of_keras(keras: Any, kind: str) -> None:
    some_losses, theirs = CASES[kind]

    @settings(max_examples=40, deadline=None)
    @given(loss=some_losses, seed=st.integers(0, 2**32 - 1), n_outputs=st.sampled_from([2, 3, 10]))
    def check(loss: Loss, seed: int, n_outputs: int) -> None:
        outputs, targets = examples(kind, loss, seed, n_outputs)
        with jax.enable_x64(True):
            found = loss.per_example(jnp.asarray(outputs), jnp.asarray(targets))
            # Keras keeps probabilities and targets 1e-7 away from 0.
            np.testing.assert_allclose(found, theirs(keras, loss, targets, outputs), rtol=1e-5, atol=2e-5)

    check()


def examples(kind: str, loss: Loss, seed: int, n_outputs: int, n: int = 12) -> tuple[Array, Array]:
    """Outputs and targets such as the loss may meet, shape [n, outputs] each."""
    rng = np.random.default_rng(seed)
    outputs = rng.choice([0.3, 1.0, 3.0]) * rng.standard_normal((n, n_outputs))
    if "regression" not in loss.tasks:
        return outputs.clip(-6, 6), np.eye(n_outputs)[rng.integers(0, n_outputs, n)]
    if loss.least_target == 0:
        return outputs, rng.poisson(3.0, (n, n_outputs)).astype(np.float64)
    return outputs, 3 * rng.standard_normal((n, n_outputs))
