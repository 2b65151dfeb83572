"""Records from a CSV file with a header."""

import io
from typing import TYPE_CHECKING

from trainer.data.csv_lines import Lines, read_lines
from trainer.data.records import Records
from trainer.data.refusal import DataFile

if TYPE_CHECKING:
    import polars as pl


def read_csv(content: bytes, file: DataFile) -> Records:
    """Return the columns of a CSV file, as text without surrounding blanks.

    Args:
        content: of the file.
        file: for messages.

    Raises:
        ConfigError: one line that names the file and, where there is one, the line.
    """
    lines = read_lines(content, file)
    return Records(file, _frame(lines), lines.line_of, lines.warnings)


def _frame(lines: Lines) -> "pl.DataFrame":
    import polars as pl

    try:
        frame = pl.read_csv(
            io.BytesIO(lines.packed()), separator=lines.separator, has_header=False, infer_schema=False,
            new_columns=list(lines.header), raise_if_empty=False,
        )  # fmt: skip
    except pl.exceptions.PolarsError:
        frame = pl.DataFrame()
    if frame.shape != (lines.n_examples + 1, len(lines.header)):
        raise lines.file.refused(
            "must quote a field that contains a quote, and double the quotes in it, got a file that does not."
            " Write it again with a CSV library."
        )
    return frame.slice(1).with_columns(pl.all().str.strip_chars())
