"""Metrics: what a task counts on every batch, and what the sums over an epoch say.

A task's metrics are sums over examples until the end, so that an epoch of any batch sizes, the last one smaller, gives
the mean over its examples and not the mean of means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax.numpy as jnp

from trainer.losses import Auto, Loss, Task

if TYPE_CHECKING:
    from jaxtyping import Array, Float


@dataclass(frozen=True)
class Metrics:
    """The metrics of one task.

    Attributes:
        task: decides which there are.
        loss: says what the outputs mean.
        target_scale: original units of the target per unit trained on, one an output; scales mae back.
        target_mean: mean of the training targets as trained on, one an output: what r2 compares with.
    """

    task: Task
    loss: Loss = field(default_factory=Auto)
    target_scale: Float[Array, " outputs"] | None = None
    target_mean: Float[Array, " outputs"] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names, in the order of `values`."""
        return ("loss", "accuracy") if self.task == "classification" else ("loss", "mae", "r2")

    def sums(
        self,
        losses: Float[Array, " batch"],
        outputs: Float[Array, "batch outputs"],
        targets: Float[Array, "batch outputs"],
        weights: Float[Array, " batch"],
    ) -> Float[Array, " sums"]:
        """Return the sums over a batch; examples of weight 0 are padding."""
        rows = [jnp.ones_like(losses), losses]
        if self.task == "classification":
            rows.append((outputs.argmax(axis=-1) == targets.argmax(axis=-1)).astype(losses.dtype))
        else:
            assert self.target_scale is not None
            assert self.target_mean is not None
            difference, centred = self.loss.predictions(outputs) - targets, targets - self.target_mean
            rows.append((jnp.abs(difference) * self.target_scale).mean(axis=-1))
            rows.append((difference**2).sum(axis=-1))
            rows.append((centred**2).sum(axis=-1))
            rows.extend(centred.T)
        # A padding row may hold anything, even what makes the loss infinite: 0 * inf would be NaN.
        return jnp.where(weights > 0, jnp.stack(rows), 0.0).sum(axis=-1)

    def values(self, sums: Float[Array, " sums"]) -> Float[Array, " metrics"]:
        """Return the metrics of all examples summed so far; r2 is weighted by the variance of each output."""
        n = jnp.maximum(sums[0], 1.0)
        if self.task == "classification":
            return sums[1:3] / n
        # Sums about the training mean, moved to the mean of these examples: no large numbers cancel.
        total = sums[4] - (sums[5:] ** 2).sum() / n
        r2 = 1.0 - sums[3] / jnp.maximum(total, 1e-12)
        return jnp.stack([sums[1] / n, sums[2] / n, r2])

    @property
    def n_sums(self) -> int:
        """Return the length of `sums`."""
        return 3 if self.target_mean is None else 5 + len(self.target_mean)
