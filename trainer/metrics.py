"""Metrics: what a task counts on every batch, and what the sums over an epoch say.

A task's metrics are sums over examples until the end, so that an epoch of any batch sizes, the last one smaller, gives
the mean over its examples and not the mean of means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp

from trainer.further_metrics import MetricsSection, asked
from trainer.losses import Loss
from trainer.measures import Batch, Sums, by_example, total
from trainer.task import Task

if TYPE_CHECKING:
    from jaxtyping import Array, Float

_USUAL: dict[Task, tuple[str, ...]] = {
    "classification": ("loss", "accuracy"), "regression": ("loss", "mae", "r2"),
    "language_modeling": ("loss", "accuracy"),
}  # fmt: skip

_ROUNDING = 1e-5
"""Share of the squares about the training mean up to which what is left about their own mean is rounding."""


def names(task: Task, section: MetricsSection) -> tuple[str, ...]:
    """Return the names of the metrics of a task and of those that a config asks for beside them."""
    return (*_USUAL[task], *(it.name for it in asked(section)))


@dataclass(frozen=True)
class Metrics:
    """The metrics of one task.

    Attributes:
        task: decides which there are always.
        section: says which there are beside them.
        loss: says what the outputs mean.
        n_outputs: of the network.
        target_scale, target_offset: from the target as trained on to its own units, one an output; numbers only.
        target_mean: mean of the training targets as trained on, one an output: what r2 compares with.
    """

    task: Task
    section: MetricsSection
    loss: Loss
    n_outputs: int
    target_scale: Float[Array, " outputs"]
    target_offset: Float[Array, " outputs"]
    target_mean: Float[Array, " outputs"]

    def sums(
        self,
        losses: Float[Array, " batch"],
        outputs: Float[Array, "batch *context outputs"],
        targets: Float[Array, "batch *context outputs"],
        weights: Float[Array, " batch"],
    ) -> Float[Array, " sums"]:
        """Return the sums over a batch; examples of weight 0 are padding."""
        rows = [jnp.ones_like(losses), losses]
        if self.task != "regression":
            rows.append(by_example((outputs.argmax(axis=-1) == targets.argmax(axis=-1)).astype(losses.dtype)))
        else:
            difference, centred = self.loss.predictions(outputs) - targets, targets - self.target_mean
            rows.append((jnp.abs(difference) * self.target_scale).mean(axis=-1))
            rows.append((difference**2).sum(axis=-1))
            rows.append((centred**2).sum(axis=-1))
            rows.extend(centred.T)
        batch = Batch(self.loss, self.section.k, outputs, targets, weights, self.target_scale, self.target_offset)
        further = [sums.of(batch) for sums in self._places]
        usual = total(jnp.stack(rows), weights)
        return jnp.concatenate([usual, *further]) if further else usual

    def values(self, sums: Float[Array, " sums"]) -> Float[Array, " metrics"]:
        """Return the metrics of all examples summed so far, in the order of `names`."""
        n = jnp.maximum(sums[0], 1.0)
        usual = self._of_numbers(sums, n) if self.task == "regression" else sums[1:3] / n
        further = [it.metric.tell(sums[self._places[it.metric.sums]], n) for it in asked(self.section)]
        return jnp.concatenate([usual, jnp.stack(further)]) if further else usual

    @property
    def n_sums(self) -> int:
        """Return the length of `sums`."""
        return self._n_usual + sum(sums.count(self.n_outputs) for sums in self._places)

    def _of_numbers(self, sums: Float[Array, " sums"], n: Float[Array, ""]) -> Float[Array, " metrics"]:
        """Return loss, mae and r2, which is weighted by the variance of each output; NaN for less than two examples."""
        # Sums about the training mean, moved to the mean of these examples: no large numbers cancel.
        variation = sums[4] - (sums[5 : self._n_usual] ** 2).sum() / n
        varies = variation > _ROUNDING * sums[4]
        r2 = jnp.where(varies, 1.0 - sums[3] / variation, jnp.where(sums[3] > 0, 0.0, 1.0 - sums[3]))
        return jnp.stack([sums[1] / n, sums[2] / n, jnp.where(sums[0] > 1, r2, jnp.nan)])

    @property
    def _n_usual(self) -> int:
        return 5 + self.n_outputs if self.task == "regression" else 3

    @property
    def _places(self) -> dict[Sums, slice]:
        """Return where the sums of the further metrics are; what several are told from is there once."""
        places, start = {}, self._n_usual
        for sums in dict.fromkeys(it.metric.sums for it in asked(self.section)):
            places[sums] = slice(start, start + sums.count(self.n_outputs))
            start = places[sums].stop
        return places
