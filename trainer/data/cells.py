"""Columns of cells, as numbers or as categories; a cell is text, or a number already."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.data.scaling import LARGEST
from trainer.data.section import Categories
from trainer.text import quoted

if TYPE_CHECKING:
    import polars as pl

MOST_CATEGORIES: dict[Categories, int] = {"one_hot": 20, "embedding": 10_000}
"""Distinct words of a column up to which it is worth a feature each, or a place in a table."""

_LONGEST = 200
"""Characters of a word that is kept with the weights; what is longer is text and no category."""

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""What a number looks like: ASCII digits, a point, an exponent; no infinity, no separators between digits."""

_DATE = r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?![0-9.])"
"""What a date begins with: 2024-01-31, 31.1.2024, 1/31/24."""

_WHOLE = r"^[+-]?[0-9]+$"
_EXACT = 2**53
"""From here on two whole numbers may be one 64-bit float."""

MISSING = "missing"
"""Word that stands for a missing one where it is filled in: a category of its own."""

_IGNORE = "name the column in data.ignore"

_MISSING = ("", "na", "n/a", "nan", "null")


class BadCellError(Exception):
    """A cell that cannot be used.

    Attributes:
        row: of the column, from 0.
        message: rule, value got and what to do.
    """

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row
        self.message = message


def missing_in(column: "pl.Series") -> NDArray[np.bool_]:
    """Return whether a cell is empty, NA, N/A, NaN or null in any case, shape [examples]."""
    if column.dtype.is_float():
        unknown = column.is_nan()
    else:
        unknown = column.is_null() if column.dtype.is_numeric() else column.str.to_lowercase().is_in(_MISSING)
    missing: NDArray[np.bool_] = (column.is_null() | unknown.fill_null(True)).to_numpy()
    return missing


def nulled(column: "pl.Series") -> "pl.Series":
    """Return the column with null for every missing cell."""
    import polars as pl

    return pl.select(pl.when(pl.Series(missing_in(column))).then(None).otherwise(column).alias(column.name)).to_series()


def is_numeric(column: "pl.Series") -> bool:
    """Return whether every cell is a number."""
    return column.dtype.is_numeric() or bool(column.str.contains(NUMBER).all())


def is_words(column: "pl.Series", categories: Categories = "one_hot") -> bool:
    """Return whether no cell is a number, nor anything that a person may mean as one.

    Digits and signs that are no number in another notation ("10-19", "E3") are words where there are few, each twice
    on average: bands and codes, no days.
    """
    if column.dtype.is_numeric() or column.str.contains(NUMBER).any():
        return False
    words = column.unique()
    are_few = len(words) <= MOST_CATEGORIES[categories] and 2 * len(words) <= len(column)
    return not any(map(_is_foreign_number if are_few else _may_mean_number, words))


def text_in(column: "pl.Series") -> NDArray[np.str_]:
    """Return the cells as they are written, shape [examples]."""
    import polars as pl

    return column.cast(pl.String).to_numpy().astype(np.str_)


def code_in(column: "pl.Series") -> str:
    """Return a cell that begins with 0 in a column of digits alone, such as a postal code; "" where there is none."""
    if column.dtype.is_numeric() or not column.str.contains("^[0-9]+$").all():
        return ""
    return next(iter(column.filter(column.str.contains("^0[0-9]"))), "")


def numbers_in(name: str, column: "pl.Series", otherwise: str = _IGNORE) -> NDArray[np.float64]:
    """Return the numbers, shape [examples], none beyond `LARGEST`; NaN for null.

    Args:
        name: of the column.
        column: of numbers, or of text.
        otherwise: what to do about a cell that is no number, if not to correct it.

    Raises:
        BadCellError: a cell is no number, or too large.
    """
    import polars as pl

    if not column.dtype.is_numeric():
        matches = column.str.contains(NUMBER).fill_null(True)
        if not matches.all():
            row = int((~matches).arg_max() or 0)
            raise BadCellError(row, _not_a_number(name, column[row], otherwise))
    values: NDArray[np.float64] = column.cast(pl.Float64).to_numpy()
    large = abs(values) > LARGEST
    if large.any():
        row = int(large.argmax())
        got = quoted(str(column[row]))
        raise BadCellError(row, f"must hold numbers below {LARGEST}, got {got} in column {quoted(name)}. Rescale it.")
    return values


def labels_in(
    columns: "Sequence[pl.Series]", numbers: Sequence[NDArray[np.float64]]
) -> Sequence[NDArray[np.float64] | NDArray[np.int64] | NDArray[np.uint64] | NDArray[np.str_]]:
    """Return the numbers as they name classes, shape [examples] each: as integers or text where floats would merge two.

    Args:
        columns: none of whose cells is missing.
        numbers: in them.
    """
    import polars as pl

    if all((abs(those) < _EXACT).all() for those in numbers) or not all(map(_is_whole, columns)):
        return numbers
    for kind in (pl.Int64, pl.UInt64):
        whole = [column.cast(kind, strict=False) for column in columns]
        if not any(column.null_count() for column in whole):
            return [column.to_numpy() for column in whole]
    return [text_in(column) for column in columns]


def words_in(column: "pl.Series", categories: Categories) -> tuple[str, ...]:
    """Return the distinct words of a column in sorted order; none where it is one of numbers."""
    if is_numeric(column) or not is_words(column, categories):
        return ()
    return tuple(column.unique().sort().to_list())


def misfit(column: "pl.Series", words: tuple[str, ...], categories: Categories) -> str:
    """Return what keeps a column from being made into features, such as "304 words"; "" for nothing.

    A column whose cells are numbers for the most part is one of numbers, whatever stands in the others. Where any cell
    may mean a number, as dates and times do, the others are no words.
    """
    if len(words) > MOST_CATEGORIES[categories]:
        return f"{len(words)} words"
    if categories == "embedding" and (longest := max(map(len, words), default=0)) > _LONGEST:
        return f"text of up to {longest} characters"
    if words or column.dtype.is_numeric() or 2 * int(column.str.contains(NUMBER).sum()) >= len(column):
        return ""
    if is_words(column, "embedding"):
        return f"{column.n_unique()} words"
    strange = column.filter(~column.str.contains(NUMBER))[0]
    # A decimal comma is best told by the cell, with what to write.
    if re.fullmatch(r"[0-9.]+,[0-9]+", strange):
        return ""
    what = "dates, which are not read" if re.match(_DATE, strange) else "neither all numbers nor all words"
    return f"{what}, such as {quoted(strange, 24)}"


def features_in(
    name: str, column: "pl.Series", words: tuple[str, ...], categories: Categories
) -> list[NDArray[np.float64]]:
    """Return what a column becomes, shape [examples] each: its numbers, where there are no words.

    Else the number of each cell's word from 1 on, 0 for one that is none of them; or 0 and 1 for each word.

    Raises:
        BadCellError: a cell is no number, or none of the words where each is a feature.
    """
    import polars as pl

    if not words:
        return [numbers_in(name, column)]
    column = column.cast(pl.String).fill_null(MISSING)
    if categories == "embedding":
        numbered = column.replace_strict(list(words), range(1, len(words) + 1), default=0, return_dtype=pl.Float64)
        return [numbered.to_numpy()]
    strange = ~column.is_in(words)
    if strange.any():
        row = int(strange.arg_max() or 0)
        message = f"must hold no word that training lacks, got {quoted(column[row])} in column {quoted(name)}."
        raise BadCellError(row, f'{message} Correct it, or set data.categories = "embedding".')
    return [(column == word).to_numpy().astype(np.float64) for word in words]


def _is_whole(column: "pl.Series") -> bool:
    """Return whether every cell is written as a whole number."""
    return column.dtype.is_integer() or (not column.dtype.is_numeric() and bool(column.str.contains(_WHOLE).all()))


def _may_mean_number(cell: str) -> bool:
    """Return whether a cell is made of digits and signs alone ("1,5", "1_000", "2024-01-01"), or is read by `float`."""
    if _is_foreign_number(cell):
        return True
    return any(map(str.isnumeric, cell)) and not any(c.isalpha() and not c.isnumeric() and c not in "eE" for c in cell)


def _is_foreign_number(cell: str) -> bool:
    """Return whether a cell is a number in another notation: "1,5", "1 000", "5%", a date, or what `float` reads."""
    try:
        float(cell)
    except ValueError:
        return re.fullmatch(r"[+-]?[0-9.,' ]*[0-9][0-9.,' ]*%?", cell) is not None or re.match(_DATE, cell) is not None
    return True


def _not_a_number(name: str, cell: str, otherwise: str) -> str:
    hint = "Write 1.5, not 1,5." if "," in cell else f"Correct the cell, or {otherwise}."
    return f"must hold a number, got {quoted(cell)} in column {quoted(name)}. {hint}"
