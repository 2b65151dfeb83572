"""What a column of a file asks for: classes or numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.parts import joined
from trainer.data.refusal import DataFile, refused
from trainer.problems import ConfigError
from trainer.task import Task
from trainer.text import clean, quoted

_FEW = 20
_MOST_INDICES = 1_000
MOST_CLASSES = 10_000
"""Distinct values of a target that are still classes."""


def task_of_numbers(values: NDArray[Any]) -> Task:
    """Guess the task from a target of finite numbers, shape [examples].

    Whole numbers are classes where at most 20 of them occur, each twice on average, or where they are exactly
    0, 1, ..., k - 1 with k up to 1,000, each 20 times on average. All else is regression.
    """
    if values.dtype.kind == "b":
        return "classification"
    if values.dtype.kind == "f" and not np.equal(values, np.trunc(values)).all():
        return "regression"
    return task_of_whole_numbers(np.unique(values), values.size)


def task_of_whole_numbers(distinct: NDArray[Any], count: int) -> Task:
    """Guess the task from the distinct values among so many whole numbers, in order."""
    if distinct.size <= _FEW and 2 * distinct.size <= count:
        return "classification"
    indices = distinct.size <= _MOST_INDICES and np.array_equal(distinct, np.arange(distinct.size))
    return "classification" if indices and 20 * distinct.size <= count else "regression"


def class_indices(parts: list[tuple[NDArray[Any], DataFile]]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return class indices of all parts, one after the other, and the names of the classes in sorted order.

    Args:
        parts: values, shape [examples], and where they are from; the first part has every class.

    Raises:
        ConfigError: there are more classes than a classifier could learn, or some that the first part lacks.
    """
    distinct = np.unique(parts[0][0])
    if distinct.size > MOST_CLASSES:
        raise too_many_classes(str(distinct.size))
    return joined([indices_of(values, distinct, file) for values, file in parts]), class_names(distinct)


def too_many_classes(found: str) -> ConfigError:
    """Return the error to raise about a target of so many distinct values."""
    return refused(
        f"must name a target of at most {MOST_CLASSES} classes, got {found} distinct values."
        ' Choose another column, or set data.task = "regression" if they are numbers.',
        "data.target",
    )


def class_names(distinct: NDArray[Any]) -> tuple[str, ...]:
    """Return the names of classes by their values."""
    return tuple(_name(value) for value in distinct)


def indices_of(values: NDArray[Any], distinct: NDArray[Any], file: DataFile) -> NDArray[np.int32]:
    """Return the places of values, shape [examples], among those of the classes, which are in order.

    Raises:
        ConfigError: one is not among them.
    """
    places = np.searchsorted(distinct, values).clip(max=distinct.size - 1)
    unknown = distinct[places] != values
    if unknown.any():
        got = quoted(_name(values[unknown][0]))
        raise file.refused(
            f"must hold no class that training lacks, got {got}. Correct it or leave those examples out."
        )
    return places.astype(np.int32)


def _name(value: Any) -> str:
    if isinstance(value, np.floating) and value == np.trunc(value) and abs(value) < 2**53:
        return str(int(value))
    return clean(str(value))
