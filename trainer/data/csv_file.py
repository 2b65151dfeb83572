"""Examples from a CSV file with a header."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.data.cells import BadCellError, features_in, is_numeric, is_words, missing_in, numbers_in
from trainer.data.csv_lines import MOST_COLUMNS, Lines, read_lines
from trainer.data.missing import Gaps
from trainer.data.refusal import refused
from trainer.data.section import AskedTask, Table, Task
from trainer.data.target import classes_of, task_of_numbers
from trainer.problems import nearest
from trainer.text import clean, clipped, quoted

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 8


def read_csv(content: bytes, path: Path, target: str, asked: AskedTask, drop: bool) -> Table:
    """Return the examples of a CSV file: numbers as they are, columns of few words as 0 and 1 for each word.

    Args:
        content: of the file.
        path: of the file, for messages.
        target: name of the column to predict; "" for the last one.
        asked: the task, or "auto".
        drop: whether an example with a missing value is left out rather than refused.

    Raises:
        ConfigError: one line that names the file and, where there is one, the line.
    """
    lines = read_lines(content, path)
    chosen = _target_column(lines, target)
    frame = _frame(lines)
    gaps = Gaps(frame.height)
    for name in frame.columns:
        gaps.add(name, missing_in(frame[name]))
    warnings = gaps.settle(drop, path, lambda row: (f"line {lines.line_of(row)}", lines.line_of(row)))
    kept = np.flatnonzero(~gaps.rows)
    if len(kept) < frame.height:
        frame = frame[kept]
    try:
        x, names = _features(frame.drop(chosen), path)
        y, task, target_names = _target(chosen, frame[chosen], asked)
    except BadCellError as error:
        raise refused(error.message, path=path, line=lines.line_of(int(kept[error.row]))) from None
    return Table(x, y, task, names, target_names, warnings=(*lines.warnings, *warnings))


def _target_column(lines: Lines, target: str) -> str:
    wanted = clean(target) or lines.header[-1]
    if wanted in lines.header:
        return wanted
    columns = ", ".join(clipped(name, 40) for name in lines.header[:_SHOWN])
    more = f" and {len(lines.header) - _SHOWN} more" if len(lines.header) > _SHOWN else ""
    raise refused(
        f"must name a column, got {quoted(target)}.{nearest(wanted, lines.header)} Columns: {columns}{more}.",
        "data.target", lines.path,
    )  # fmt: skip


def _frame(lines: Lines) -> "pl.DataFrame":
    """Return the cells as text without surrounding blanks, a column for each name."""
    import polars as pl

    try:
        frame = pl.read_csv(
            io.BytesIO(lines.packed()), separator=lines.separator, has_header=False, infer_schema=False,
            new_columns=list(lines.header), raise_if_empty=False,
        )  # fmt: skip
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame()
    if frame.shape != (lines.n_examples + 1, len(lines.header)):
        raise refused(
            "must quote a field that contains a quote, and double the quotes in it, got a file that does not."
            " Write it again with a CSV library.",
            path=lines.path,
        )
    return frame.slice(1).with_columns(pl.all().str.strip_chars())


def _features(frame: "pl.DataFrame", path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    columns: list[NDArray[np.float64]] = []
    names: list[str] = []
    for name in frame.columns:
        more, more_names = features_in(name, frame[name])
        columns.extend(more)
        names.extend(more_names)
    if len(columns) > MOST_COLUMNS:
        raise refused(
            f"must give at most {MOST_COLUMNS} features, got {len(columns)}, a word being one. Remove columns.",
            path=path,
        )
    return np.stack(columns, axis=1), tuple(names)


def _target(
    name: str, column: "pl.Series", asked: AskedTask
) -> tuple[NDArray[np.int32] | NDArray[np.float64], Task, tuple[str, ...]]:
    if is_words(column) if asked == "auto" else asked == "classification" and not is_numeric(column):
        indices, names = classes_of(column.to_numpy().astype(np.str_))
        return indices, "classification", names
    values = numbers_in(name, column)
    task: Task = task_of_numbers(values) if asked == "auto" else asked
    if task == "classification":
        indices, names = classes_of(values)
        return indices, task, names
    return values[:, np.newaxis], task, (name,)
