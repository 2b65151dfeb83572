"""What is known of each column of examples: its type, what is missing in it, and the range of its values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.data.cells import MISSING
from trainer.data.scaling import BLOCK
from trainer.data.section import Column, Table
from trainer.data.split import Rows

Kind = Literal["number", "category", "constant", "pixel"]


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column in the training part, in its own units, before anything is filled in; or all pixels of pictures.

    Attributes:
        name: safe to show.
        kind: "constant" where the training part has one value only.
        missing: cells in all parts that were missing.
        least, mean, greatest, deviation: of numbers, else None; the deviation is that of the examples as they are.
        n_categories: of words, the missing one aside; 0 for numbers.
        commonest: the word that most examples have; "" for numbers.
        commonest_share: its share of the training part.
    """

    name: str
    kind: Kind
    missing: int = 0
    least: float | None = None
    mean: float | None = None
    greatest: float | None = None
    deviation: float | None = None
    n_categories: int = 0
    commonest: str = ""
    commonest_share: float = 0.0


def columns_of(table: Table) -> list[tuple[Column, int]]:
    """Return the columns, with the place of the first feature of each."""
    columns = table.columns or tuple(map(Column, table.feature_names))
    starts = accumulate((len(column.feature_names) for column in columns), initial=0)
    return list(zip(columns, starts, strict=False))


def value_in(example: NDArray[Any], column: Column, start: int) -> str | float:
    """Return the value of a column in an example, shape [features]."""
    if column.is_embedded:
        return column.numbered[int(example[start])]
    if column.words:
        return column.words[int(example[start : start + len(column.words)].argmax())]
    return MISSING if np.isnan(example[start]) else float(example[start])


def facts_of_columns(read: Table, table: Table, train: Rows, most: int) -> tuple[ColumnFacts, ...]:
    """Return what is known of the first so many columns, or of all pixels together; arguments as `overview_of`."""
    if table.image_shape:
        (facts,) = facts_of_numbers(("pixel",), table.x[train].reshape(-1, 1))
        return (replace(facts, kind="pixel", missing=_missing(read.x)),)
    columns = columns_of(table)[:most]
    starts = [start for column, start in columns if not column.words]
    of_numbers = iter(facts_of_numbers([table.feature_names[start] for start in starts], read.x[:, starts][train]))
    return tuple(
        _of_category(column, start, read, train)
        if column.words
        else replace(next(of_numbers), missing=_missing(read.x[:, start]))
        for column, start in columns
    )


def facts_of_numbers(names: Sequence[str], columns: NDArray[Any]) -> tuple[ColumnFacts, ...]:
    """Return the ranges of columns of numbers, shape [examples, columns], without those that are missing."""
    if not len(columns):
        return tuple(ColumnFacts(name, "number") for name in names)
    if not names:
        return ()
    if _missing(columns):
        known = (column[~np.isnan(column)] for column in columns.T)
        alone = (facts_of_numbers([name], its[:, np.newaxis]) for name, its in zip(names, known, strict=True))
        return tuple(facts for (facts,) in alone)
    least, greatest = columns.min(axis=0), columns.max(axis=0)
    mean = columns.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    with np.errstate(over="ignore"):
        for start in range(0, len(columns), BLOCK):
            squares += ((columns[start : start + BLOCK] - mean) ** 2).sum(axis=0)
    rows = zip(names, least, mean, greatest, np.sqrt(squares / len(columns)), strict=True)
    return tuple(
        ColumnFacts(
            name, "constant" if low == high else "number", 0, float(low), float(mid), float(high), float(spread)
        )
        for name, low, mid, high, spread in rows
    )


def _of_category(column: Column, start: int, read: Table, train: Rows) -> ColumnFacts:
    words = column.numbered or column.words
    numbers = read.x[:, start] if column.is_embedded else read.x[:, start : start + len(words)].argmax(axis=1)
    counts = np.bincount(numbers[train].astype(np.int64), minlength=len(words))
    first = int(counts.argmax())
    missing = int((numbers == words.index(MISSING)).sum()) if MISSING in words else 0
    kind: Kind = "constant" if counts[first] == len(train) else "category"
    share = float(counts[first] / len(train))
    n_categories = len(column.words) - (MISSING in column.words and len(column.words) > 1)
    return ColumnFacts(
        column.name, kind, missing, n_categories=n_categories, commonest=words[first], commonest_share=share
    )


def _missing(x: NDArray[Any]) -> int:
    return int(np.isnan(x).sum()) if x.dtype.kind == "f" else 0
