"""Measures: what may be measured beside the loss and the usual metrics of a task.

A metric is sums over examples, and a formula from all sums of an epoch to a number. `trainer.further_metrics` has the
fields that ask for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from trainer.losses import LEAST, Loss
from trainer.task import Task

if TYPE_CHECKING:
    from jaxtyping import Array, Float

BINS: Final = 199
"""Between the 200 thresholds that Keras' AUC has."""


class Batch(NamedTuple):
    """Examples as they are measured.

    Attributes:
        loss: says what the outputs mean.
        k: how many of the likeliest classes count.
        outputs: shape [batch, outputs]; of a text [batch, context, outputs].
        targets: classes and tokens one-hot, numbers as trained on; likewise.
        weights: 0 for padding, which may hold anything, else 1; shape [batch].
        scale, offset: of each target, from as trained on to its own units; shape [outputs].
    """

    loss: Loss
    k: int
    outputs: Any
    targets: Any
    weights: Any
    scale: Any
    offset: Any


class Sums(NamedTuple):
    """What metrics are told from, summed over examples; what several need is summed once.

    Attributes:
        count: how many there are, for so many outputs.
        of: the sums of a batch, shape [count].
    """

    count: Callable[[int], int]
    of: Callable[[Batch], Any]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        tasks: that it fits.
        direction: which way it improves.
        sums: what it is told from.
        tell: from the sums, and how many examples they are of, to the metric.
        name: what it is called, with the config's `k` in it; empty where the config's field says it.
    """

    tasks: frozenset[Task]
    direction: Literal["min", "max"]
    sums: Sums
    tell: Callable[[Any, Any], Any]
    name: str = ""


def total(rows: Float[Array, "*rows batch"], weights: Float[Array, " batch"]) -> Float[Array, "*rows"]:
    """Return sums over a batch; a padding row may hold anything, even infinities: 0 * inf would be NaN."""
    import jax.numpy as jnp

    return jnp.where(weights > 0, rows, 0.0).sum(axis=-1)


def by_example(found: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    """Return a number for each example: of a text the mean over its tokens."""
    return found.mean(axis=tuple(range(1, found.ndim))) if found.ndim > 1 else found


def _mean(of: Callable[[Batch], Any]) -> Sums:
    """Return the one sum of a number an example, which may be that of its tokens."""
    return Sums(lambda _: 1, lambda batch: total(by_example(of(batch))[None], batch.weights))


def _is_near(batch: Batch) -> Any:
    """Return for each example whether fewer than k classes are likelier than its own."""
    own = (batch.outputs * batch.targets).sum(axis=-1, keepdims=True)
    # Not `>`: outputs that are no numbers are no hits.
    return (~(batch.outputs <= own)).sum(axis=-1) < batch.k


def _surprise(batch: Batch) -> Any:
    """Return the negative logarithm of the probability of each example's class."""
    return -(batch.loss.log_probabilities(batch.outputs) * batch.targets).sum(axis=-1)


def _by_class(batch: Batch) -> Any:
    """Return by class how many examples were rightly predicted to be of it, were predicted to be, and are."""
    import jax
    import jax.numpy as jnp

    predicted = jax.nn.one_hot(batch.outputs.argmax(axis=-1), batch.outputs.shape[-1])
    rows = jnp.concatenate([predicted * batch.targets, predicted, batch.targets], axis=-1)
    return total(rows.T, batch.weights)


def _by_score(batch: Batch) -> Any:
    """Return by class how many examples, of others and of it, have a probability for it in each of the bins."""
    import jax.numpy as jnp

    shares = batch.loss.probabilities(batch.outputs)
    n_classes = shares.shape[-1]
    place = jnp.clip(jnp.ceil(shares * BINS) - 1, 0, BINS - 1).astype(jnp.int32)
    counts = jnp.zeros((2, n_classes, BINS))
    mine = (batch.targets > 0).astype(jnp.int32)
    return counts.at[mine, jnp.arange(n_classes), place].add((batch.weights > 0)[:, None]).ravel()


def _squares(batch: Batch) -> Any:
    """Return the squared error of each example, in the targets' own units."""
    return ((_difference(batch) * batch.scale) ** 2).mean(axis=-1)


def _relative(batch: Batch) -> Any:
    """Return the error of each example as a share of its target."""
    import jax.numpy as jnp

    size = jnp.abs(batch.targets * batch.scale + batch.offset)
    return (jnp.abs(_difference(batch) * batch.scale) / jnp.maximum(size, LEAST)).mean(axis=-1)


def _difference(batch: Batch) -> Any:
    return batch.loss.predictions(batch.outputs) - batch.targets


def _of_all(sums: Any, n: Any) -> Any:
    """Return the mean over the examples."""
    return sums[0] / n


def _root(sums: Any, n: Any) -> Any:
    """Return the root of the mean."""
    return (sums[0] / n) ** 0.5


def _exponential(sums: Any, n: Any) -> Any:
    """Return the exponential of the mean."""
    import jax.numpy as jnp

    return jnp.exp(sums[0] / n)


def _bits(sums: Any, n: Any) -> Any:
    """Return the mean in bits."""
    return sums[0] / n / math.log(2)


def _precision(sums: Any, n: Any) -> Any:  # noqa: ARG001
    """Return the mean precision of the classes."""
    hits, predicted, _ = sums.reshape(3, -1)
    return _macro(hits, predicted)


def _recall(sums: Any, n: Any) -> Any:  # noqa: ARG001
    """Return the mean recall of the classes."""
    hits, _, there = sums.reshape(3, -1)
    return _macro(hits, there)


def _f1(sums: Any, n: Any) -> Any:  # noqa: ARG001
    """Return the mean of the classes' harmonic means of precision and recall."""
    hits, predicted, there = sums.reshape(3, -1)
    return _macro(2 * hits, predicted + there)


def _macro(found: Any, of: Any) -> Any:
    """Return the mean of the classes' shares; of nothing it is 0."""
    import jax.numpy as jnp

    return (found / jnp.maximum(of, 1)).mean()


def _area(sums: Any, n: Any) -> Any:  # noqa: ARG001
    """Return the mean area of the classes that some examples are of and some are not; NaN if there are none."""
    import jax.numpy as jnp

    others, own = sums.reshape(2, -1, BINS)
    below = jnp.cumsum(others, axis=-1) - others / 2  # in one bin, half of the pairs are in the right order
    pairs = own.sum(axis=-1) * others.sum(axis=-1)
    areas = (own * below).sum(axis=-1) / jnp.maximum(pairs, 1)
    return jnp.where(pairs > 0, areas, 0).sum() / (pairs > 0).sum()


_BY_CLASS: Final = Sums(lambda n_outputs: 3 * n_outputs, _by_class)
_BY_SCORE: Final = Sums(lambda n_outputs: 2 * n_outputs * BINS, _by_score)
_SURPRISE: Final = _mean(_surprise)

_CLASSES: Final[frozenset[Task]] = frozenset({"classification"})
_NUMBERS: Final[frozenset[Task]] = frozenset({"regression"})
_TOKENS: Final[frozenset[Task]] = frozenset({"language_modeling"})

TOP_K: Final = Metric(_CLASSES | _TOKENS, "max", _mean(_is_near), _of_all, "top_{k}_accuracy")
F1: Final = Metric(_CLASSES, "max", _BY_CLASS, _f1)
PRECISION: Final = Metric(_CLASSES, "max", _BY_CLASS, _precision)
RECALL: Final = Metric(_CLASSES, "max", _BY_CLASS, _recall)
AUROC: Final = Metric(_CLASSES, "max", _BY_SCORE, _area)
PERPLEXITY: Final = Metric(_CLASSES | _TOKENS, "min", _SURPRISE, _exponential)
BITS_PER_CHARACTER: Final = Metric(_TOKENS, "min", _SURPRISE, _bits)
RMSE: Final = Metric(_NUMBERS, "min", _mean(_squares), _root)
MAPE: Final = Metric(_NUMBERS, "min", _mean(_relative), _of_all)
