"""Which examples train, which validate, which test: drawn from the seed, class by class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.text import clipped

Rows = NDArray[np.int64]
_SHOWN = 3


def split(groups: NDArray[Any], validation: float, test: float, seed: int) -> tuple[Rows, Rows, Rows]:
    """Return the rows of the training, validation and test part, ascending.

    Each part takes its share of every group, rounded so that the totals are exact, and training keeps at least one
    example of each group; where that needs more examples than there are, the other parts get fewer.

    Args:
        groups: class index of each example, shape [examples], all from 0 on present; zeros where nothing is stratified.
        validation: share that validates, 0 to below 1.
        test: share that tests, likewise; training gets the rest.
        seed: of the draw, which depends on nothing else.
    """
    sizes = np.bincount(groups)
    n_test = _allocate(sizes, test, sizes - 1)
    n_validation = _allocate(sizes, validation, sizes - 1 - n_test)
    rank = _rank_in_group(groups, sizes, seed)
    tests = rank < n_test[groups]
    validates = ~tests & (rank < (n_test + n_validation)[groups])
    return np.flatnonzero(~tests & ~validates), np.flatnonzero(validates), np.flatnonzero(tests)


def deal(groups: NDArray[Any], k: int, seed: int) -> NDArray[np.int64]:
    """Return the fold, from 0, in which each example validates, shape [examples].

    Folds differ by one example at most, of each group and in all. Arguments as for `split`; `k` is how many folds.
    """
    _, compact = np.unique(groups, return_inverse=True)
    rank = _rank_in_group(compact, np.bincount(compact), seed)
    fold = np.empty(groups.size, np.int64)
    fold[np.lexsort((rank, compact))] = np.arange(groups.size) % k
    return fold


def split_warnings(
    sizes: NDArray[np.int64], names: tuple[str, ...], validation: NDArray[np.int64], wanted: float
) -> tuple[str, ...]:
    """Say what is odd about the classes: a single one, or some that cannot be validated.

    Args:
        sizes: examples of each class, shape [classes].
        names: of the classes.
        validation: those of them that validate, likewise.
        wanted: share that should validate.
    """
    if len(names) == 1:
        return (f"all {sizes.sum()} examples are of one class, '{clipped(names[0], 40)}': there is nothing to learn",)
    missing = np.flatnonzero(validation == 0) if wanted else np.array([], int)
    if not missing.size:
        return ()
    shown = ", ".join(f"'{clipped(names[index], 40)}' ({sizes[index]})" for index in missing[:_SHOWN])
    more = f" and {missing.size - _SHOWN} more" if missing.size > _SHOWN else ""
    return (f"classes with too few examples to be in the validation part: {shown}{more}",)


def _allocate(sizes: NDArray[np.int64], share: float, most: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of each group a part takes: largest remainders, at most `most` of a group."""
    total = round(float(sizes.sum()) * share)
    quota = sizes * share
    counts: NDArray[np.int64] = np.minimum(np.floor(quota).astype(np.int64), most)
    order = np.argsort(-(quota - counts), kind="stable")
    open_groups = order[(counts < most)[order]]
    counts[open_groups[: max(total - int(counts.sum()), 0)]] += 1
    return counts


def _rank_in_group(groups: NDArray[Any], sizes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return each example's place in a random order of its group, from 0, shape [examples]."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0,))))
    shuffled = np.argsort(rng.random(groups.size), kind="stable")
    grouped = shuffled[np.argsort(groups[shuffled], kind="stable")]
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(groups.size, np.int64)
    rank[grouped] = np.arange(groups.size) - starts[groups[grouped]]
    return rank
