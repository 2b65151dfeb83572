import re
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainer import checkpoints, devices, horizons, numbers, program
from trainer.advance import make_advance
from trainer.config import Config
from trainer.models import MLP, Activation, Inputs, Noise
from trainer.preparation import Prepared, prepare
from trainer.run import Run
from trainer.shape import shape_of
from trainer.state import State

devices.prepare_jax()

DIGITS = {"data.source": "digits", "training.epochs": 5, "model.dropout": 0.1, "data.test_split": 0.1}


@cache
def prepared_of(precision: str) -> Prepared:
    return prepare(Config().changed({**DIGITS, "training.precision": precision}))


def begun(prepared: Prepared) -> tuple[Any, State, tuple[Any, ...]]:
    """The program, the state before the first update, and the other arguments of a call of three updates."""
    shape = shape_of([prepared])
    data = program.place(prepared.splits)
    compiled, _ = program.compiled(shape, data, None)
    vectors = numbers.pack(prepared.config)[None]
    state = compiled.init(np.zeros(1, np.uint32), vectors)
    return compiled, state, (vectors, data, np.array([[3, 0]], np.int32), horizons.unbound(1))


def product_types(precision: str) -> set[str]:
    """The types of what is multiplied as matrices in the program as it goes to the compiler."""
    prepared = prepared_of(precision)
    _, state, rest = begun(prepared)
    text = jax.jit(make_advance(shape_of([prepared]))).lower(state, *rest).as_text()
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    assert len(products) == 22, "8 in an update, 3 in validation, 8 and 3 in a look inside"
    return {kind for line in products for kind in re.findall(r"tensor<[\dx]*x(\w+)>", line)}


def test_layers_multiply_in_the_precision_of_the_config() -> None:
    assert product_types("float32") == {"f32"}
    assert product_types("bfloat16") == {"bf16"}


def test_the_state_stays_float32_and_is_close_to_that_of_float32() -> None:
    after = {}
    for precision in ("float32", "bfloat16"):
        compiled, state, rest = begun(prepared_of(precision))
        after[precision], _ = compiled.advance(state, *rest)
    leaves = [jax.tree.leaves(state) for state in after.values()]
    assert [leaf.dtype for leaf in leaves[0]] == [leaf.dtype for leaf in leaves[1]]
    assert {leaf.dtype.name for leaf in jax.tree.leaves(after["bfloat16"].parameters)} == {"float32"}
    whole, half = (np.asarray(state.parameters[0].weight) for state in after.values())
    assert (whole != half).any()
    # Adam's first steps are as long as the rate, whatever the gradient: three of them, where a sign differs.
    np.testing.assert_allclose(half, whole, atol=6e-3)


def test_bfloat16_learns_the_digits_and_its_checkpoints_are_float32(trained: Callable[..., Run]) -> None:
    run = trained(prepared_of("bfloat16").config)
    assert run.status.state == "finished"
    assert run.status.metrics["val_accuracy"] > 0.9
    assert run.status.test["test_accuracy"] > 0.9
    for kind in ("last", "best"):
        path = checkpoints.newest_good(run.directory / "checkpoints", kind)
        assert path is not None
        arrays, _ = checkpoints.load(path)
        assert {array.dtype.name for name, array in arrays.items() if name.startswith("parameters")} == {"float32"}
        assert "bfloat16" not in {array.dtype.name for array in arrays.values()}


@pytest.mark.parametrize("activation", get_args(Activation))
def test_no_activation_and_no_dropout_leaves_the_precision(activation: Activation) -> None:
    network = MLP(hidden=(3, 3), activation=activation, dropout=0.5).network(Inputs(2), 2)
    layers = network.init(jax.random.key(0))
    noise = Noise(lambda: jax.random.key(1), lambda is_wanted: jnp.asarray(is_wanted))
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), layers)
    outputs = jax.eval_shape(lambda x: network.apply(half, x, noise), jnp.ones((4, 2), jnp.bfloat16))
    assert outputs.dtype == jnp.bfloat16


def test_runs_of_two_precisions_are_two_structures() -> None:
    first, second = (shape_of([prepared_of(precision)]) for precision in ("float32", "bfloat16"))
    assert first.key != second.key
