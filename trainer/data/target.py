"""What a column of a file asks for: classes or numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.refusal import refused
from trainer.data.section import Task
from trainer.text import clean

_FEW = 20
_MOST_INDICES = 1_000
_MOST_CLASSES = 10_000


def task_of_numbers(values: NDArray[Any]) -> Task:
    """Guess the task from a target of finite numbers, shape [examples].

    Whole numbers are classes where at most 20 of them occur, each twice on average, or where they are exactly
    0, 1, ..., k - 1 with k up to 1,000, each 20 times on average. All else is regression.
    """
    if values.dtype.kind == "b":
        return "classification"
    if values.dtype.kind == "f" and not np.equal(values, np.trunc(values)).all():
        return "regression"
    distinct = np.unique(values)
    if distinct.size <= _FEW and 2 * distinct.size <= values.size:
        return "classification"
    indices = distinct.size <= _MOST_INDICES and np.array_equal(distinct, np.arange(distinct.size))
    return "classification" if indices and 20 * distinct.size <= values.size else "regression"


def classes_of(values: NDArray[Any]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return class indices, shape [examples], and the names of the classes in sorted order.

    Raises:
        ConfigError: there are more classes than a classifier could learn.
    """
    distinct, indices = np.unique(values, return_inverse=True)
    if distinct.size > _MOST_CLASSES:
        raise refused(
            f"must name a target of at most {_MOST_CLASSES} classes, got {distinct.size} distinct values."
            ' Choose another column, or set data.task = "regression" if they are numbers.',
            "data.target",
        )
    return indices.reshape(-1).astype(np.int32), tuple(_name(value) for value in distinct)


def _name(value: Any) -> str:
    if isinstance(value, np.floating) and value == np.trunc(value) and abs(value) < 2**53:
        return str(int(value))
    return clean(str(value))
