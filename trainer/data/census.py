"""What a target that stays in its file asks for, found by one pass over it: classes, how many of each, or numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.array_table import is_one_hot, one_hot
from trainer.data.chunks import Chunks
from trainer.data.section import AskedTask
from trainer.data.split import Rows
from trainer.data.stored import Stored
from trainer.data.target import MOST_CLASSES, task_of_whole_numbers, too_many_classes
from trainer.task import Task


@dataclass(frozen=True, slots=True)
class Census:
    """What a target asks for.

    Attributes:
        task: that fits it.
        classes: its values in order; none for numbers.
        counts: of each class in the training, validation and test part; shape [classes, parts].
    """

    task: Task
    classes: NDArray[Any]
    counts: NDArray[np.int64]


_NUMBERS = Census("regression", np.zeros(0), np.zeros((0, 3), np.int64))


def census_of(target: Stored, n_outputs: int, asked: AskedTask, chunks: Chunks, parts: tuple[Rows, ...]) -> Census:
    """Return what a target asks for; it is read as far as that is open.

    Args:
        target: one value an example, or numbers of shape [examples, outputs].
        n_outputs: of an example.
        asked: the task, or "auto".
        chunks: of the examples.
        parts: which of them train, validate and test.

    Raises:
        ConfigError: there are more classes than a classifier could learn, a label is missing, the target is one-hot.
    """
    is_text = np.dtype(target.dtype).kind == "U"
    if asked == "regression" and is_text:
        raise target.file.refused('must hold numbers for data.task = "regression", got text.', key="data.target")
    if asked == "regression" or n_outputs > 1:
        if asked == "auto" and all(is_one_hot(values) for _, values in chunks.of_array(target)):
            raise one_hot(target.file)
        return _NUMBERS
    tally = _tally(target, asked, chunks, parts)
    if tally is None:
        return _NUMBERS
    classes = np.array(sorted(tally))
    may_be_numbers = asked == "auto" and classes.dtype.kind not in "bU"
    if may_be_numbers and task_of_whole_numbers(classes, chunks.n_rows) == "regression":
        return _NUMBERS
    return Census("classification", classes, np.stack([tally[value] for value in classes.tolist()]))


def _tally(
    target: Stored, asked: AskedTask, chunks: Chunks, parts: tuple[Rows, ...]
) -> dict[Any, NDArray[np.int64]] | None:
    """Return how often each part has each value; None for numbers that cannot be classes, where nothing is asked."""
    part_of = np.zeros(len(chunks), np.int64)
    for part, its in enumerate(parts):
        part_of[its] = part
    tally: dict[Any, NDArray[np.int64]] = {}
    may_be_numbers = asked == "auto" and np.dtype(target.dtype).kind != "U"
    for chunk, values in chunks.of_array(target):
        _require_labels(values, chunks.bounds(chunk)[0], target)
        if may_be_numbers and values.dtype.kind == "f" and not np.equal(values, np.trunc(values)).all():
            return None
        for value, count in zip(*(found.tolist() for found in np.unique(values, return_counts=True)), strict=True):
            tally.setdefault(value, np.zeros(len(parts), np.int64))[part_of[chunk]] += count
        if len(tally) > MOST_CLASSES:
            if may_be_numbers:
                return None
            raise too_many_classes(f"more than {MOST_CLASSES}")
    return tally


def _require_labels(values: NDArray[Any], start: int, target: Stored) -> None:
    missing = values == "" if values.dtype.kind == "U" else np.isnan(values)
    if missing.any():
        row = 1 + start + int(missing.any(axis=1).argmax())
        raise target.file.refused(
            f"must hold no missing values where it streams, got one in row {row}. Fill them in.", key="data.missing"
        )
