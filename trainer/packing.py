"""Packing: an Optax rule that moves each number by itself works on many small arrays as on one.

A network of small layers spends more time between operations than in them, so that a few on one vector are faster than
several for each layer. To copy a large array into that vector costs more than it saves: it stays as it is.
"""

from typing import Any, Final

import jax
import jax.numpy as jnp
import optax

_LARGE: Final = 2**15
"""From how many numbers on an array stays as it is."""


def packed(rule: optax.GradientTransformation) -> optax.GradientTransformation:
    """Return the rule for arrays that it is given packed."""

    def init(parameters: optax.Params) -> optax.OptState:
        return rule.init(_pack(parameters))

    def update(
        gradient: optax.Updates, state: optax.OptState, parameters: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        steps, state = rule.update(_pack(gradient), state, None if parameters is None else _pack(parameters))
        return _unpack(steps, gradient), state

    return optax.GradientTransformation(init, update)


def _pack(tree: Any) -> tuple[list[jax.Array], jax.Array]:
    """Return the large arrays of a tree, and the numbers of the others in a row."""
    leaves = jax.tree.leaves(tree)
    small = [leaf.ravel() for leaf in leaves if not _is_large(leaf)]
    return [leaf for leaf in leaves if _is_large(leaf)], jnp.concatenate(small) if small else jnp.zeros(0)


def _unpack(packed: tuple[list[jax.Array], jax.Array], like: Any) -> Any:
    """Return what `_pack` made of a tree of such arrays as a tree again."""
    large, row = iter(packed[0]), packed[1]
    leaves, structure = jax.tree.flatten(like)
    found, start = [], 0
    for leaf in leaves:
        if _is_large(leaf):
            found.append(next(large))
        else:
            found.append(row[start : start + leaf.size].reshape(leaf.shape))
            start += leaf.size
    return jax.tree.unflatten(structure, found)


def _is_large(leaf: jax.Array) -> bool:
    return leaf.size >= _LARGE
