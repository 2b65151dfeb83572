from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from trainer.packing import packed

LARGE, SMALL, LAST = (300, 200), (200,), (200, 10)
RULES = {
    "sgd": optax.sgd(0.1, momentum=0.9),
    "adam": optax.adam(0.01),
    "adamw": optax.adamw(0.01, weight_decay=0.1),
    "rmsprop": optax.rmsprop(0.01, momentum=0.5),
}


def tree(seed: int, shapes: tuple[tuple[int, ...], ...]) -> list[Any]:
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.standard_normal(shape), jnp.float32) for shape in shapes]


@pytest.mark.parametrize("shapes", [(LARGE, SMALL, LAST, (10,)), (SMALL, LARGE), (LARGE, LARGE), (SMALL, LAST), ((),)])
@pytest.mark.parametrize("name", RULES)
def test_a_rule_moves_each_number_as_it_would_unpacked(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    rule, parameters = RULES[name], tree(0, shapes)
    ours, theirs = parameters, parameters
    our_state, their_state = packed(rule).init(ours), rule.init(theirs)
    for step in range(1, 4):
        gradient = tree(step, shapes)
        our_updates, our_state = packed(rule).update(gradient, our_state, ours)
        their_updates, their_state = rule.update(gradient, their_state, theirs)
        ours, theirs = optax.apply_updates(ours, our_updates), optax.apply_updates(theirs, their_updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), ours, theirs)


def test_small_arrays_are_held_as_one_and_large_ones_as_they_are() -> None:
    mu = packed(optax.adam(0.01)).init(tree(0, (LARGE, SMALL, LAST)))[0].mu
    assert [leaf.shape for leaf in jax.tree.leaves(mu)] == [LARGE, (200 + 2000,)]
