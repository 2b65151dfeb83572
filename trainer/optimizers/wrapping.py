"""What can be put around any rule: accumulation of gradients, and Lookahead; and which weights decay."""

from typing import Any, NamedTuple

import jax
import optax


def decaying(kernels: Any) -> Any:
    """Return for each array whether it is a layer's weights, as Optax wants to be told which to decay.

    Args:
        kernels: as `Network.kernels` returns them.
    """
    return jax.tree.map(bool, kernels)


def accumulated(rule: optax.GradientTransformation, count: int) -> optax.GradientTransformation:
    """Return the rule applied to the mean of every so many gradients; between them nothing moves."""
    return optax.MultiSteps(rule, count).gradient_transformation() if count > 1 else rule


class Lookahead(NamedTuple):
    """The state of a rule that looks ahead: that of Optax, and the weights that follow slowly."""

    inner: optax.OptState
    slow: Any


def looking_ahead(rule: optax.GradientTransformation, steps: int, step_size: Any) -> optax.GradientTransformation:
    """Return the rule within Lookahead, which Optax writes for a pair of weights; 0 steps leave it as it is.

    Source: Zhang et al. 2019, "Lookahead Optimizer: k steps forward, 1 step back".
    """
    if not steps:
        return rule
    pair = optax.lookahead(rule, steps, step_size)

    def init(parameters: optax.Params) -> Lookahead:
        return Lookahead(
            pair.init(optax.LookaheadParams.init_synced(parameters)), jax.tree.map(lambda leaf: leaf.copy(), parameters)
        )

    def update(
        gradient: optax.Updates, state: Lookahead, parameters: optax.Params | None = None
    ) -> tuple[optax.Updates, Lookahead]:
        both = optax.LookaheadParams(fast=parameters, slow=state.slow)
        moves, inner = pair.update(gradient, state.inner, both)
        return moves.fast, Lookahead(inner, optax.apply_updates(state.slow, moves.slow))

    return optax.GradientTransformation(init, update)
