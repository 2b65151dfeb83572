"""From named columns to the one table: numbers as they are, columns of few words as 0 and 1 for each word."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.cells import (
    BadCellError,
    is_numeric,
    is_words,
    missing_in,
    numbers_in,
    one_for_each,
    text_in,
    words_in,
)
from trainer.data.csv_lines import MOST_COLUMNS
from trainer.data.missing import Gaps
from trainer.data.parts import Parts, joined
from trainer.data.records import Records
from trainer.data.section import AskedTask, Table, Task
from trainer.data.target import class_indices, task_of_numbers
from trainer.text import clean

if TYPE_CHECKING:
    import polars as pl


def table_of_records(parts: Parts[Records], target: str, asked: AskedTask, drop: bool) -> Table:
    """Return the examples; what a column is, the training part decides.

    Args:
        parts: the columns.
        target: name of the column to predict; "" for the last one.
        asked: the task, or "auto".
        drop: whether an example with a missing value is left out rather than refused.

    Raises:
        ConfigError: one line that names the file and, where there is one, the line.
    """
    chosen = parts.train.column(target)
    whole = parts.map(lambda part: _Whole.of(part.like(parts.train), drop))
    codes = _codes(whole.train, chosen)
    y, task, target_names = _target(whole.present, chosen, asked)
    return Table(
        x=joined([part.features(codes) for part in whole.present]),
        y=y,
        task=task,
        feature_names=_feature_names(codes),
        target_names=target_names,
        warnings=tuple(warning for part in whole.present for warning in part.warnings),
        n_validation=whole.validation.frame.height if whole.validation else 0,
        n_test=whole.test.frame.height if whole.test else 0,
    )


@dataclass(frozen=True, slots=True)
class _Whole:
    """Records without missing values.

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
    def of(cls, records: Records, drop: bool) -> "_Whole":
        frame = records.frame
        gaps = Gaps(frame.height)
        for name in frame.columns:
            gaps.add(name, missing_in(frame[name]))
        warnings = gaps.settle(drop, records.file, records.place)
        kept = np.flatnonzero(~gaps.rows)
        return cls(records, frame[kept] if len(kept) < frame.height else frame, kept, (*records.warnings, *warnings))

    def refused(self, error: BadCellError) -> Exception:
        return self.records.refused(error.message, int(self.kept[error.row]))

    def features(self, codes: dict[str, tuple[str, ...]]) -> NDArray[np.float64]:
        """Return the features, shape [examples, features].

        Args:
            codes: the words of each column, none for one of numbers.
        """
        try:
            columns = [
                column
                for name, words in codes.items()
                for column in (
                    one_for_each(name, self.frame[name], words) if words else [numbers_in(name, self.frame[name])]
                )
            ]
        except BadCellError as error:
            raise self.refused(error) from None
        return np.stack(columns, axis=1)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers, shape [examples]."""
        try:
            return numbers_in(name, self.frame[name])
        except BadCellError as error:
            raise self.refused(error) from None


def _codes(part: _Whole, target: str) -> dict[str, tuple[str, ...]]:
    """Return the words of each column but the target's, none for one of numbers."""
    try:
        codes = {name: words_in(name, part.frame[name]) for name in part.frame.columns if name != target}
    except BadCellError as error:
        raise part.refused(error) from None
    count = sum(len(words) or 1 for words in codes.values())
    if count > MOST_COLUMNS:
        raise part.records.file.refused(
            f"must give at most {MOST_COLUMNS} features, got {count}, a word being one. Remove columns."
        )
    return codes


def _feature_names(codes: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(
        feature for name, words in codes.items() for feature in ([f"{name}={clean(w)}" for w in words] or [name])
    )


def _target(parts: list[_Whole], name: str, asked: AskedTask) -> tuple[NDArray[Any], Task, tuple[str, ...]]:
    column = parts[0].frame[name]
    if is_words(column) if asked == "auto" else asked == "classification" and not is_numeric(column):
        words = [(text_in(part.frame[name]), part.records.file) for part in parts]
        indices, names = class_indices(words)
        return indices, "classification", names
    numbers = [part.numbers(name) for part in parts]
    task: Task = task_of_numbers(numbers[0]) if asked == "auto" else asked
    if task == "classification":
        indices, names = class_indices(
            [(values, part.records.file) for values, part in zip(numbers, parts, strict=True)]
        )
        return indices, task, names
    return joined(numbers)[:, np.newaxis], task, (name,)
