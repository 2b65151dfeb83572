import math
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from trainer import devices
from trainer.models import MLP, Activation, Initializer, Inputs, Model, Network, Noise
from trainer.models.dense import Dense

devices.prepare_jax()

KEY = jax.random.key(7)


def noise(key: Any) -> Noise:
    return Noise(lambda: key, lambda it_is: it_is)


def network(model: Model, n_in: int, n_out: int) -> Network:
    return model.network(Inputs(n_in), n_out)


def begun(model: Model, n_in: int, n_out: int) -> Any:
    """The layers; compiled whole, which is faster than operation by operation."""
    return jax.jit(network(model, n_in, n_out).init)(KEY)


def acts_elementwise_and_is_finite(function: Any) -> bool:
    """Whether values, and slopes, are finite up to 1e12, and each depends on one number only."""
    x = jnp.array([-1e12, -1e3, -60.0, -3.0, -1.0, -0.5, 0.0, 0.3, 1.0, 2.0, 60.0, 1e3, 1e12])
    try:
        y = function(x)
        alone = jax.lax.map(function, x)
        slopes = jax.vmap(jax.grad(function))(x)
    except (TypeError, ValueError, AssertionError, IndexError):
        return False
    if y.shape != x.shape or not bool(jnp.isfinite(y).all() & jnp.isfinite(slopes).all()):
        return False
    return bool(jnp.allclose(y, alone, rtol=1e-5, atol=1e-6))  # one number is computed by other instructions than many


def test_the_activations_are_all_elementwise_finite_functions_of_jax() -> None:
    functions = {name: getattr(jax.nn, name) for name in dir(jax.nn) if not name.startswith("_")}
    fitting = {id(f): name for name, f in functions.items() if callable(f) and acts_elementwise_and_is_finite(f)}
    ours = get_args(Activation)
    assert {id(functions[name]) for name in ours} == fitting.keys(), fitting
    assert len(set(ours)) == len(ours)


def test_the_initializers_are_in_jax() -> None:
    assert all(callable(getattr(jax.nn.initializers, name)) for name in get_args(Initializer))


FANS = {
    "glorot": lambda n_in, n_out: 2 / (n_in + n_out),
    "he": lambda n_in, n_out: 2 / n_in,
    "lecun": lambda n_in, n_out: 1 / n_in,
}


@pytest.mark.parametrize(("n_in", "n_out"), [(400, 100), (100, 400)])
@pytest.mark.parametrize("name", [name for name in get_args(Initializer) if "_" in name])
def test_weights_have_the_variance_of_their_paper(name: Initializer, n_in: int, n_out: int) -> None:
    """The fan of the inputs, and not of the outputs, counts for He and LeCun."""
    family, distribution = name.split("_")
    (layer,) = begun(MLP(hidden=(), initializer=name), n_in, n_out)
    weights = np.asarray(layer.weight, np.float64)
    variance = FANS[family](n_in, n_out)
    assert weights.shape == (n_out, n_in)
    assert abs(weights.mean()) < 5 * math.sqrt(variance / weights.size)
    assert weights.var() == pytest.approx(variance, rel=0.03)
    largest = math.sqrt(3 * variance) if distribution == "uniform" else 2 * math.sqrt(variance) / 0.87962566103423978
    assert np.abs(weights).max() <= largest * (1 + 1e-5)
    assert np.abs(weights).max() > 0.98 * largest


@pytest.mark.parametrize(("name", "value"), [("zeros", 0.0), ("ones", 1.0)])
def test_weights_may_all_be_one_value(name: Initializer, value: float) -> None:
    layers = begun(MLP(hidden=(5,), initializer=name), 3, 2)
    assert all((layer.weight == value).all() for layer in layers)


@pytest.mark.parametrize(("n_in", "n_out"), [(8, 8), (8, 3), (3, 8)])
def test_orthogonal_weights_are_orthonormal_along_the_shorter_side(n_in: int, n_out: int) -> None:
    (layer,) = begun(MLP(hidden=(), initializer="orthogonal"), n_in, n_out)
    weights = np.asarray(layer.weight)
    product = weights @ weights.T if n_out <= n_in else weights.T @ weights
    np.testing.assert_allclose(product, np.eye(min(n_in, n_out)), atol=1e-5)


@pytest.mark.parametrize("name", get_args(Initializer))
def test_layers_have_their_shapes_zero_biases_and_weights_of_their_own(name: Initializer) -> None:
    model = MLP(hidden=(6, 6), initializer=name)
    layers = begun(model, 6, 6)
    assert [layer.weight.shape for layer in layers] == [(6, 6)] * 3
    assert all((layer.bias == 0).all() for layer in layers)
    assert sum(leaf.size for leaf in jax.tree.leaves(layers)) == network(model, 6, 6).n_parameters == 126
    if name not in ("zeros", "ones"):
        assert not (layers[0].weight == layers[1].weight).any()


@pytest.mark.parametrize(("hidden", "count"), [((), 5 * 3), ((7,), 5 * 7 + 8 * 3), ((2, 9), 5 * 2 + 3 * 9 + 10 * 3)])
def test_the_parameters_are_counted(hidden: tuple[int, ...], count: int) -> None:
    model = MLP(hidden=hidden)
    assert network(model, 4, 3).n_parameters == count
    assert sum(leaf.size for leaf in jax.tree.leaves(begun(model, 4, 3))) == count


@pytest.mark.parametrize("hidden", [(), (7,), (5, 6)])
def test_a_network_is_the_formula_in_numpy(hidden: tuple[int, ...]) -> None:
    model = MLP(hidden=hidden, activation="tanh")
    layers = begun(model, 4, 3)
    x = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    expected = x
    for index, layer in enumerate(layers):
        expected = expected @ np.asarray(layer.weight).T + np.asarray(layer.bias)
        expected = np.tanh(expected) if index < len(layers) - 1 else expected
    np.testing.assert_allclose(network(model, 4, 3).apply(layers, x, None), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "softplus", "silu", "mish"])
def test_the_gradient_is_the_finite_difference(activation: Activation) -> None:
    with jax.enable_x64(True):
        model = MLP(hidden=(5, 4), activation=activation)
        layers = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), begun(model, 3, 2))
        x, y = (jnp.asarray(np.random.default_rng(1).standard_normal(shape)) for shape in [(6, 3), (6, 2)])
        flat, tree = ravel_pytree(layers)

        def loss(flat: Any) -> Any:
            return ((network(model, 3, 2).apply(tree(flat), x, None) - y) ** 2).mean()

        gradient = np.asarray(jax.grad(loss)(flat))
        steps = np.eye(flat.size) * 1e-6
        both = jax.jit(jax.vmap(lambda step: (loss(flat + step) - loss(flat - step)) / 2e-6))
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, both(steps), rtol=1e-5, atol=1e-8)


WIDE = MLP(hidden=(2000,), initializer="ones", activation="identity")


def dropped(rate: float, key: Any) -> np.ndarray[Any, Any]:
    """What one input of 1 is in each of the 2000 hidden neurons after dropout at this rate."""
    first, _ = begun(WIDE, 1, 1)
    last = Dense(jnp.eye(2000), jnp.zeros(2000))
    model = MLP(hidden=(2000,), activation="identity", dropout=rate)
    given = network(model, 1, 2000).apply((first, last), jnp.ones((1, 1)), None if key is None else noise(key))
    return np.asarray(given)[0]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_switches_its_share_off_and_keeps_the_mean(rate: float) -> None:
    out = dropped(rate, jax.random.key(3))
    deviation = math.sqrt(rate * (1 - rate) / len(out))
    assert abs((out == 0).mean() - rate) < 5 * deviation
    assert np.unique(out).tolist() == pytest.approx([0, 1 / (1 - rate)])
    assert abs(out.mean() - 1) < 5 * deviation / (1 - rate)


def test_dropout_of_nothing_is_no_dropout() -> None:
    assert (dropped(0.0, jax.random.key(3)) == dropped(0.0, None)).all()


def test_an_evaluation_has_no_dropout() -> None:
    assert (dropped(0.9, None) == 1).all()


def test_dropout_differs_with_the_key_and_between_layers_and_examples() -> None:
    assert (dropped(0.5, jax.random.key(3)) == dropped(0.5, jax.random.key(3))).all()
    assert (dropped(0.5, jax.random.key(3)) != dropped(0.5, jax.random.key(4))).any()
    model = MLP(hidden=(50, 50), activation="identity", dropout=0.5)
    eye = jax.tree.map(lambda leaf: jnp.eye(50) if leaf.ndim == 2 else jnp.zeros(50), begun(model, 50, 50))
    one, two = np.asarray(network(model, 50, 50).apply(eye, jnp.ones((2, 50)), noise(jax.random.key(5))))
    assert (one != two).any()
    assert {0.0, 4.0} == set(one), "two layers with one mask would never let a factor of 4 and a 0 differ by layer"
    assert 0.05 < (one == 4).mean() < 0.45, "a quarter passes two independent masks"


def test_the_rate_of_dropout_may_be_traced() -> None:
    first, last = begun(MLP(hidden=(40,)), 4, 4)
    x = jnp.ones((3, 4))

    def out(rate: Any) -> Any:
        model = MLP(hidden=(40,)).model_copy(update={"dropout": rate})
        return network(model, 4, 4).apply((first, last), x, noise(KEY))

    for rate in (0.0, 0.5):
        np.testing.assert_allclose(jax.jit(out)(jnp.float32(rate)), out(rate), rtol=1e-5, atol=1e-6)
