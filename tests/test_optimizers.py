import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from trainer import devices, numbers
from trainer.config import Config
from trainer.optimizers import Adam, AdamW, Optimizer, RmsProp, Sgd
from trainer.validation import members

devices.prepare_jax()

START = {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.3, -0.1])}
CURVATURE = {"w": jnp.array([[1.0, 10.0], [0.1, 2.0]]), "b": jnp.array([5.0, 0.5])}


def gradient(parameters: Any, number: int) -> Any:
    """Of a bowl, with a push that differs from update to update."""
    return jax.tree.map(lambda p, c: c * p + 0.3 * np.cos(number + p), parameters, CURVATURE)


def trajectory(update: Any, state: Any, count: int = 50) -> np.ndarray[Any, Any]:
    """The parameters after each update, shape [count, 6]."""
    parameters, path = START, []
    for number in range(count):
        updates, state = update(gradient(parameters, number), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
        path.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(parameters)]))
    return np.array(path)


def traced(optimizer: Optimizer, rate: float) -> np.ndarray[Any, Any]:
    """With all numbers traced and the transformation built anew in each update, as the program does it."""
    config = Config(optimizer=optimizer)

    @jax.jit
    def update(gradients: Any, state: Any, parameters: Any, vector: Any, rate: Any) -> Any:
        return numbers.unpack(config, vector).optimizer.build(rate).update(gradients, state, parameters)

    vector = numbers.pack(config)
    return trajectory(lambda *args: update(*args, vector, jnp.float32(rate)), optimizer.build(rate).init(START))


CASES = [
    (Sgd(), optax.sgd(0.02)),
    (Sgd(momentum=0.9), optax.sgd(0.02, momentum=0.9)),
    (Sgd(momentum=0.9, nesterov=True), optax.sgd(0.02, momentum=0.9, nesterov=True)),
    (Adam(), optax.adam(0.02)),
    (Adam(b1=0.5, b2=0.9, eps=1e-3), optax.adam(0.02, b1=0.5, b2=0.9, eps=1e-3)),
    (AdamW(), optax.adamw(0.02, weight_decay=1e-2)),
    (AdamW(weight_decay=0.5, b1=0.8), optax.adamw(0.02, b1=0.8, weight_decay=0.5)),
    (RmsProp(), optax.rmsprop(0.02)),
    (RmsProp(decay=0.5, momentum=0.9, eps=1e-3), optax.rmsprop(0.02, decay=0.5, momentum=0.9, eps=1e-3)),
]


@pytest.mark.parametrize(("ours", "theirs"), CASES, ids=lambda case: repr(case) if isinstance(case, Optimizer) else "")
def test_fifty_updates_are_those_of_optax_with_plain_floats(ours: Optimizer, theirs: Any) -> None:
    expected = trajectory(jax.jit(theirs.update), theirs.init(START))
    assert not np.allclose(expected[0], expected[-1], rtol=1e-3)
    np.testing.assert_allclose(traced(ours, 0.02), expected, rtol=2e-4, atol=2e-5)


def test_every_optimizer_is_compared_with_optax() -> None:
    assert {type(ours) for ours, _ in CASES} == set(members(Config.model_fields["optimizer"]).values())


@pytest.mark.parametrize("kind", members(Config.model_fields["optimizer"]))
def test_every_number_of_an_optimizer_has_an_effect(kind: str) -> None:
    """A field that `build` forgets would be a control that controls nothing."""
    optimizer = Config().changed({"optimizer.kind": kind}).optimizer
    base = traced(optimizer, 0.02)
    outside = {"kind", "learning_rate", "global_clipnorm"}  # the step itself applies these two
    for name in type(optimizer).model_fields.keys() - outside:
        value = getattr(optimizer, name)
        other = {"nesterov": True, "momentum": 0.5, "weight_decay": 0.9, "eps": 0.3}.get(name, 0.4 if value else 0.5)
        changes = {name: other, "momentum": 0.5} if name == "nesterov" else {name: other}
        changed, reference = optimizer.model_copy(update=changes), base
        if name == "nesterov":
            reference = traced(optimizer.model_copy(update={"momentum": 0.5}), 0.02)
        assert not np.allclose(traced(changed, 0.02), reference, rtol=1e-3), name


def test_the_defaults_are_those_of_optax() -> None:
    for ours, theirs in ((Adam(), optax.adam), (AdamW(), optax.adamw), (RmsProp(), optax.rmsprop)):
        defaults = {name: it.default for name, it in inspect.signature(theirs).parameters.items()}
        shared = {"b1", "b2", "eps", "decay"} & defaults.keys() & type(ours).model_fields.keys()
        assert shared
        assert {name: getattr(ours, name) for name in shared} == {name: defaults[name] for name in shared}
