"""From named columns to the one table: numbers as they are, words as 0 and 1 for each, or as their number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.cells import (
    MISSING,
    MOST_CATEGORIES,
    BadCellError,
    code_in,
    features_in,
    is_numeric,
    is_words,
    labels_in,
    misfit,
    missing_in,
    nulled,
    numbers_in,
    text_in,
    words_in,
)
from trainer.data.csv_lines import MOST_COLUMNS
from trainer.data.missing import Gaps, listed
from trainer.data.parts import Parts, joined
from trainer.data.records import Records
from trainer.data.section import AskedTask, Categories, Column, Missing, Table
from trainer.data.target import class_indices, task_of_numbers
from trainer.task import Task
from trainer.text import clean, quoted

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 8


def table_of_records(
    parts: Parts[Records], target: str, asked: AskedTask, missing: Missing, categories: Categories = "one_hot"
) -> Table:
    """Return the examples; what a column is, the training part decides.

    Args:
        parts: the columns.
        target: name of the column to predict; "" for the last one.
        asked: the task, or "auto".
        missing: what to do about a missing value; where it is filled in, a word by one of its own, `MISSING`.
        categories: what becomes of a column of words.

    Raises:
        ConfigError: one line that names the file and, where there is one, the line.
    """
    chosen = parts.train.column(target)
    settled = parts.map(lambda part: _Settled.of(part.like(parts.train), chosen, missing))
    codes = _codes(settled.train, chosen, categories)
    filled = [name for name, words in codes.items() if words and any(part.misses(name) for part in settled.present)]
    codes |= {name: tuple(sorted({*codes[name], MISSING})) for name in filled}
    columns = tuple(
        Column(name, tuple(map(clean, words)), categories == "embedding" and bool(words))
        for name, words in codes.items()
    )
    _check_count(columns, parts.train)
    y, task, target_names = _target(settled.present, chosen, asked)
    return Table(
        x=joined([part.features(codes, categories) for part in settled.present]),
        y=y,
        task=task,
        feature_names=tuple(name for column in columns for name in column.feature_names),
        target_names=target_names,
        columns=columns,
        target=chosen,
        warnings=(
            *(warning for part in settled.present for warning in part.warnings),
            *_filled_words(filled),
            *_codes_as_numbers(settled.train, codes),
        ),
        n_validation=settled.validation.frame.height if settled.validation else 0,
        n_test=settled.test.frame.height if settled.test else 0,
    )


@dataclass(frozen=True, slots=True)
class _Settled:
    """Records of which no cell is missing, or is null where it is to be filled in.

    Attributes:
        records: as they were.
        frame: those of them that are used.
        kept: their rows, shape [examples].
        warnings: what was found odd, one line each.
    """

    records: Records
    frame: "pl.DataFrame"
    kept: NDArray[np.int64]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, records: Records, target: str, missing: Missing) -> "_Settled":
        frame = records.frame
        gaps = Gaps(frame.height)
        for name in [target] if missing == "impute" else frame.columns:
            gaps.add(name, missing_in(frame[name]))
        warnings = (*map(records.file.told, records.warnings), *gaps.settle(missing, records.file, records.place))
        kept = np.flatnonzero(~gaps.rows)
        frame = frame[kept] if len(kept) < frame.height else frame
        return cls(records, frame.select(map(nulled, frame)) if missing == "impute" else frame, kept, warnings)

    def misses(self, name: str) -> bool:
        """Return whether a cell of the column is to be filled in."""
        return bool(self.frame[name].null_count())

    def refused(self, error: BadCellError) -> Exception:
        return self.records.refused(error.message, int(self.kept[error.row]))

    def features(self, codes: dict[str, tuple[str, ...]], categories: Categories) -> NDArray[np.float64]:
        """Return the features, shape [examples, features].

        Args:
            codes: the words of each column, none for one of numbers.
            categories: what becomes of the words.
        """
        try:
            columns = [
                feature
                for name, words in codes.items()
                for feature in features_in(name, self.frame[name], words, categories)
            ]
        except BadCellError as error:
            raise self.refused(error) from None
        return np.stack(columns, axis=1)

    def targets(self, name: str) -> NDArray[np.float64]:
        """Return the target as numbers, shape [examples]."""
        try:
            return numbers_in(name, self.frame[name], 'set data.task = "classification" if these are classes')
        except BadCellError as error:
            raise self.refused(error) from None


def _codes(part: _Settled, target: str, categories: Categories) -> dict[str, tuple[str, ...]]:
    """Return the words of each column but the target's, none for one of numbers."""
    known = {name: part.frame[name].drop_nulls() for name in part.frame.columns if name != target}
    codes = {name: words_in(column, categories) for name, column in known.items()}
    found = {name: misfit(column, codes[name], categories) for name, column in known.items()}
    if misfits := [f"{quoted(name, 40)} ({why})" for name, why in found.items() if why]:
        more = f" and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
        helps = categories == "one_hot" and any(why.endswith(" words") for why in found.values())
        embed = ', or set data.categories = "embedding" for words' if helps else ""
        raise part.records.file.refused(
            f"must hold columns of numbers, or of at most {MOST_CATEGORIES[categories]} different words, got"
            f" {', '.join(misfits[:_SHOWN])}{more}. Name those to leave out in data.ignore{embed}."
        )
    return codes


def _check_count(columns: tuple[Column, ...], records: Records) -> None:
    count = sum(len(column.feature_names) for column in columns)
    if count > MOST_COLUMNS:
        raise records.file.refused(
            f"must give at most {MOST_COLUMNS} features, got {count}, a word being one. Remove columns."
        )


def _filled_words(names: list[str]) -> tuple[str, ...]:
    return (f"missing words are filled in by one of their own, '{MISSING}', in {listed(names)}",) if names else ()


def _codes_as_numbers(part: _Settled, codes: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    found = {name: code_in(part.frame[name].drop_nulls()) for name, words in codes.items() if not words}
    names = [name for name, code in found.items() if code]
    if not names:
        return ()
    told = f"digits that begin with 0, such as {quoted(found[names[0]])}, are read as numbers, in {listed(names)}"
    return (f"{told}: name codes in data.ignore, or write a letter before them",)


def _target(parts: list[_Settled], name: str, asked: AskedTask) -> tuple[NDArray[Any], Task, tuple[str, ...]]:
    column = parts[0].frame[name]
    if is_words(column) if asked == "auto" else asked == "classification" and not is_numeric(column):
        words = [(text_in(part.frame[name]), part.records.file) for part in parts]
        indices, names = class_indices(words)
        return indices, "classification", names
    numbers = [part.targets(name) for part in parts]
    labels = labels_in([part.frame[name] for part in parts], numbers)
    task: Task = task_of_numbers(labels[0]) if asked == "auto" else asked
    if task == "classification":
        indices, names = class_indices([(its, part.records.file) for its, part in zip(labels, parts, strict=True)])
        return indices, task, names
    return joined(numbers)[:, np.newaxis], task, (name,)
