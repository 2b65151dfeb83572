"""Orders: each a permutation, all of them equally likely, any part of one to be had alone."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from trainer.shuffling import order

ORDERS = 20_000


MOST = 3000
any_order = jax.jit(lambda seed, count: order(jax.random.key(seed), jnp.arange(MOST) % count, count))


@given(st.integers(1, MOST), st.integers(0, 2**32 - 1))
def test_an_order_has_each_thing_once(count: int, seed: int) -> None:
    found = any_order(np.uint32(seed), np.int32(count))[:count]
    assert np.array_equal(np.sort(found), np.arange(count))


@pytest.mark.parametrize("count", [2**16 - 1, 2**16, 2**16 + 1, 1_000_000])
def test_a_long_order_has_each_thing_once(count: int) -> None:
    assert np.array_equal(np.sort(order(jax.random.key(0), jnp.arange(count), count)), np.arange(count))


@pytest.mark.parametrize("count", range(2, 8))
def test_no_order_comes_more_often_than_another(count: int) -> None:
    keys = jax.random.split(jax.random.key(count), ORDERS)
    orders = np.asarray(jax.vmap(lambda key: order(key, jnp.arange(count), count))(keys))
    _, times = np.unique(orders, axis=0, return_counts=True)
    times = np.append(times, np.zeros(math.factorial(count) - len(times)))
    assert scipy.stats.chisquare(times).pvalue > 1e-3


def test_what_stood_together_does_not_stay_together() -> None:
    found = np.asarray(order(jax.random.key(1), jnp.arange(60_000), 60_000))
    assert abs(scipy.stats.spearmanr(found, np.arange(60_000)).statistic) < 0.02
    assert abs(scipy.stats.spearmanr(found[:-1], found[1:]).statistic) < 0.02
    epochs = [np.asarray(order(jax.random.key(seed), jnp.arange(60_000), 60_000)) for seed in (2, 3)]
    assert (epochs[0] == epochs[1]).sum() < 12, "one place in 60,000 is the same by chance"


def test_a_part_is_that_of_the_whole_and_the_count_may_be_traced() -> None:
    key = jax.random.key(5)
    whole = order(key, jnp.arange(1000), 1000)
    places = jnp.array([999, 3, 3, 500])
    assert np.array_equal(order(key, places, 1000), whole[places])
    assert np.array_equal(jax.jit(order)(key, places, jnp.int32(1000)), whole[places])
