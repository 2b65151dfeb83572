"""The parts of networks against Keras and NumPy, and each kind of model as a whole."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from trainer import devices
from trainer.models import CNN, GRU, LSTM, MLP, Inputs, Model, Network, Noise, ResNet, Transformer, TransformerLM
from trainer.models.attention import EncoderBlock
from trainer.models.convolution import ConvBlock, _patches
from trainer.models.dense import Finish, normalized, scale
from trainer.models.network import Block, trained, with_statistics
from trainer.models.recurrent import GRUBlock, LSTMBlock

devices.prepare_jax()

KEY = jax.random.key(3)
PICTURE, TABLE, TEXT = Inputs(7 * 6 * 2, (7, 6, 2)), Inputs(5), Inputs(6, vocabulary=3)
MODELS: list[tuple[Model, Inputs]] = [
    (MLP(hidden=(8, 8), norm="layer", residual=True), TABLE),
    (MLP(hidden=(8, 8), norm="batch", residual=True, dropout=0.3), TABLE),
    (CNN(filters=(4, 6), hidden=(5,)), PICTURE),
    (CNN(filters=(4,), hidden=(), global_pooling=True, norm="batch", pooling="average", kernel_size=5), PICTURE),
    (CNN(filters=(4, 4), pooling="none", norm="layer", dropout=0.2), PICTURE),
    (ResNet(filters=(4, 6), blocks_per_stage=2), PICTURE),
    (ResNet(filters=(3,), norm="none"), PICTURE),
    (GRU(units=(6, 5), dropout=0.2), PICTURE),
    (GRU(units=(4,)), TABLE),
    (LSTM(units=(6, 5)), PICTURE),
    (LSTM(units=(4,)), TABLE),
    (Transformer(key_dim=4, heads=2, depth=2, dropout=0.1), TABLE),
    (Transformer(key_dim=4, heads=3, depth=1), PICTURE),
    (TransformerLM(key_dim=4, heads=2, depth=2, dropout=0.1), TEXT),
    (TransformerLM(key_dim=4, heads=1, depth=1, tied=False), TEXT),
    (GRU(units=(4, 5)), TEXT),
]


def normal(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def examples(inputs: Inputs, count: int) -> Any:
    """Some examples such as a model sees them."""
    if inputs.vocabulary:
        return np.random.default_rng(0).integers(0, inputs.vocabulary, (count, inputs.n_features), np.uint8)
    return normal(count, inputs.n_features)


def perturbed(tree: Any) -> Any:
    """Parameters of which none is 0 or 1, so that each has a say."""
    leaves, structure = jax.tree.flatten(tree)
    return jax.tree.unflatten(structure, [leaf + 0.3 * normal(*leaf.shape, seed=9) for leaf in leaves])


def noise(seed: Any = 0) -> Noise:
    return Noise(lambda: jax.random.key(seed), lambda it_is: it_is)


def given(block: Block, parameters: Any, x: Any) -> np.ndarray[Any, Any]:
    return np.asarray(jax.jit(lambda parameters, x: block.apply(parameters, x, None)[0])(parameters, x))


def close(found: Any, expected: Any, tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("pooling", ["none", "max", "average"])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_a_convolution_is_that_of_keras(keras: Any, kernel: int, pooling: Any) -> None:
    block = ConvBlock("conv", 0, (7, 6, 2), 4, kernel, pooling, "glorot_uniform", Finish("none", "relu"))
    parameters, x = perturbed(block.init(KEY)), normal(3, 7 * 6 * 2)
    theirs = [keras.layers.Conv2D(4, kernel, padding="same", activation="relu")]
    if pooling != "none":
        theirs.append({"max": keras.layers.MaxPool2D, "average": keras.layers.AvgPool2D}[pooling](2, padding="same"))
    model = keras.Sequential([keras.Input((7, 6, 2)), *theirs])
    model.layers[0].set_weights([parameters.conv.weight, parameters.conv.bias])
    expected = np.asarray(model(x.reshape(3, 7, 6, 2)))
    close(given(block, parameters, x), expected)
    assert expected.shape[1:] == block.layer.shape


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [(7, 6), (1, 4), (5, 8)])
def test_a_convolution_as_a_product_is_the_one_of_jax(size: tuple[int, int], kernel: int, stride: int) -> None:
    x, weight = jnp.asarray(normal(2, *size, 3)), jnp.asarray(normal(kernel, kernel, 3, 4))
    theirs = jax.lax.conv_general_dilated(
        x, weight, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    close(_patches(x, kernel, stride) @ weight.reshape(-1, 4), theirs)


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("is_last", [True, False])
def test_a_gru_is_that_of_keras(keras: Any, is_last: bool) -> None:
    block = GRUBlock("gru_1", 0, 6, 3, 4, "glorot_uniform", 0.0, is_last)
    its, x = perturbed(block.init(KEY)), normal(5, 18)
    layer = keras.layers.GRU(4, return_sequences=not is_last)
    layer.build((None, 6, 3))
    layer.set_weights([its.weight.T, its.recurrent.T, np.stack([its.bias, its.recurrent_bias])])
    close(given(block, its, x), np.asarray(layer(x.reshape(5, 6, 3))))


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("is_last", [True, False])
def test_an_lstm_is_that_of_keras(keras: Any, is_last: bool) -> None:
    block = LSTMBlock("lstm_1", 0, 6, 3, 4, "glorot_uniform", 0.0, is_last)
    its, x = perturbed(block.init(KEY)), normal(5, 18)
    layer = keras.layers.LSTM(4, return_sequences=not is_last)
    layer.build((None, 6, 3))
    layer.set_weights([its.weight.T, its.recurrent.T, its.bias + its.recurrent_bias])
    close(given(block, its, x), np.asarray(layer(x.reshape(5, 6, 3))))


def test_an_lstm_keeps_its_memory_in_the_beginning() -> None:
    bias = np.asarray(LSTMBlock("lstm_1", 0, 6, 3, 4, "zeros", 0.0, True).init(KEY).bias)
    assert bias.tolist() == [0] * 4 + [1] * 4 + [0] * 8


def test_states_are_joined_by_orthogonal_weights() -> None:
    recurrent = np.asarray(GRUBlock("gru_1", 0, 6, 3, 4, "zeros", 0.0, True).init(KEY).recurrent).reshape(3, 4, 4)
    for gate in recurrent:
        close(gate @ gate.T, np.eye(4))


def test_an_encoder_is_the_formula_in_numpy() -> None:
    block = EncoderBlock("encoder_1", 1, 5, 8, 2, 16, "tanh", "glorot_uniform", 0.0, True)
    its, x = perturbed(block.init(KEY)), normal(3, 5, 8).astype(np.float64)
    tree = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), its)

    def norm(of: Any, x: Any) -> Any:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * of.scale + of.offset

    def dense(of: Any, x: Any) -> Any:
        return x @ of.weight.T + of.bias

    query, key, value = np.split(dense(tree.into, norm(tree.attention_norm, x)), 3, axis=-1)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        score = np.exp(query[..., part] @ key[..., part].swapaxes(1, 2) / np.sqrt(4))
        heads.append(score / score.sum(-1, keepdims=True) @ value[..., part])
    y = x + dense(tree.out_of, np.concatenate(heads, axis=-1))
    y = y + dense(tree.down, np.tanh(dense(tree.up, norm(tree.dense_norm, y))))
    close(given(block, its, x.astype(np.float32)), norm(tree.last_norm, y), 1e-4)


@pytest.mark.parametrize("shape", [(20, 4), (6, 3, 5, 4)])
def test_a_norm_over_the_batch_is_that_of_numpy_and_remembers(shape: tuple[int, ...]) -> None:
    x, axes = 3 * normal(*shape) + 2, tuple(range(len(shape) - 1))
    norm = perturbed(scale("batch", 4))._replace(statistics=scale("batch", 4).statistics)  # type: ignore[union-attr]
    y, after = normalized(norm, jnp.asarray(x), is_training=True)
    mean, variance = x.mean(axes), x.var(axes)
    close(y, (x - mean) / np.sqrt(variance + 1e-5) * norm.scale + norm.offset, 1e-4)
    close(after.statistics.mean, 0.1 * mean, 1e-4)
    close(after.statistics.variance, 0.9 + 0.1 * x.var(axes, ddof=1), 1e-4)
    again, same = normalized(after, jnp.asarray(x), is_training=False)
    seen = after.statistics
    close(again, (x - seen.mean) / np.sqrt(seen.variance + 1e-5) * norm.scale + norm.offset, 1e-4)
    assert same is after


def test_a_norm_of_each_example_is_that_of_numpy() -> None:
    x, norm = 3 * normal(6, 3, 5, 4) + 2, perturbed(scale("layer", 4))
    y, after = normalized(norm, jnp.asarray(x), is_training=True)
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    close(y, scaled * norm.scale + norm.offset, 1e-4)
    assert after is norm


def test_what_is_not_trained_is_set_apart_and_put_back() -> None:
    network = MLP(hidden=(4,), norm="batch").network(TABLE, 2)
    parameters = network.init(KEY)
    kept = trained(parameters)
    assert len(jax.tree.leaves(parameters)) - len(jax.tree.leaves(kept)) == 2
    moved = jax.tree.map(lambda leaf: leaf + 1, kept)
    both = with_statistics(moved, parameters)
    assert jax.tree.structure(both) == jax.tree.structure(parameters)
    close(both[0].norm.statistics.mean, parameters[0].norm.statistics.mean)
    close(both[0].dense.weight, parameters[0].dense.weight + 1)
    assert jax.tree.structure(with_statistics(parameters, parameters)) == jax.tree.structure(parameters)


def every(network: Network) -> Any:
    return jax.jit(network.init)(KEY)


@pytest.mark.parametrize(("model", "inputs"), MODELS, ids=str)
def test_a_summary_tells_the_layers_as_they_are(model: Model, inputs: Inputs) -> None:
    network = model.network(inputs, 3)
    parameters = every(network)
    learned = [sum(leaf.size for leaf in jax.tree.leaves(layer)) for layer in trained(parameters)]
    assert [layer.n_parameters for layer in network.layers] == learned
    outputs, _ = jax.eval_shape(lambda it, x: network.activations(it, x, None), parameters, examples(inputs, 4))
    assert [layer.shape for layer in network.layers] == [each.shape[1:] for each in outputs]
    assert network.layer_names == tuple(layer.name for layer in network.layers)
    assert len(set(network.layer_names)) == len(network.blocks)
    used = network.by_block(trained(parameters))
    assert all(any(leaf.ndim > 1 for leaf in jax.tree.leaves(layer)) for layer in used)


@pytest.mark.parametrize(("model", "inputs"), MODELS, ids=str)
def test_no_more_flops_are_told_than_the_compiler_counts(model: Model, inputs: Inputs) -> None:
    """XLA counts activations and norms too, and a loop's steps once: where there is a loop nothing can be said."""
    network = model.network(inputs, 3)
    parameters = every(network)
    ours = sum(layer.flops for layer in network.layers)
    apply = jax.jit(lambda it, x: network.apply(it, x, None))
    theirs = apply.lower(parameters, examples(inputs, 16)).compile().cost_analysis()["flops"] / 16
    if isinstance(model, (GRU, LSTM)):
        assert ours > theirs
    else:
        # At the rim of a picture XLA leaves out what falls beside it.
        assert 0.3 * theirs < ours < (2.5 if inputs is PICTURE else 1.05) * theirs


@pytest.mark.parametrize(("model", "inputs"), MODELS, ids=str)
def test_the_gradient_is_the_finite_difference(model: Model, inputs: Inputs) -> None:
    with jax.enable_x64(True):
        smooth = {"activation": "tanh"} if "activation" in type(model).model_fields else {}
        pooled = {"pooling": "average"} if isinstance(model, CNN) and model.pooling == "max" else {}
        network = model.model_copy(update={**smooth, **pooled}).network(inputs, inputs.vocabulary or 2)
        parameters = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), every(network))
        x = jnp.asarray(examples(inputs, 6))
        x = x if inputs.vocabulary else x.astype(jnp.float64)
        y = jnp.asarray(normal(6, *network.layers[-1].shape).astype(np.float64))
        flat, tree = ravel_pytree(trained(parameters))

        def loss(flat: Any) -> Any:
            outputs = network.activations(with_statistics(tree(flat), parameters), x, noise())[0][-1]
            return ((outputs - y) ** 2).mean()

        direction = jnp.asarray(normal(flat.size, seed=4).astype(np.float64))
        slope = jax.jit(jax.grad(loss))(flat) @ direction
        ahead, behind = (jax.jit(loss)(flat + step * direction) for step in (1e-5, -1e-5))
        # JAX takes the softmax of attention in single precision.
        tolerance = 1e-3 if isinstance(model, (Transformer, TransformerLM)) else 1e-5
        assert float(slope) == pytest.approx(float((ahead - behind) / 2e-5), rel=tolerance)


@pytest.mark.parametrize(("model", "inputs"), MODELS, ids=str)
def test_dropout_is_on_in_training_alone_and_differs_with_the_key(model: Model, inputs: Inputs) -> None:
    network = model.model_copy(update={"dropout": 0.5}).network(inputs, 3)
    parameters, x = every(network), examples(inputs, 4)
    apply = jax.jit(
        lambda seed, trains: network.apply(parameters, x, noise(seed) if trains else None), static_argnums=1
    )
    one, same, other = (np.asarray(apply(seed, True)) for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
    assert (apply(0, False) == apply(1, False)).all()
