"""The program that unpacks a Parquet file, in a process of its own: a damaged one may end the process that reads it.

    python parquet_child.py MOST_BYTES MOST_COLUMNS < file.parquet > columns.arrows

Writes a line of JSON, the name of each column and its type if it is not read, then Arrow's stream of those that are,
columns of numbers and of text; or, with status 3, what is wrong with the file. The size that the file declares is
looked at before anything is unpacked, columns are unpacked a few at a time, and the system ends the process where all
that does not help. It imports nothing of the package.
"""

import contextlib
import io
import json
import resource
import signal
import sys

import polars as pl

REFUSED = 3
"""Status with which what is wrong is written in place of columns."""

_BYTES = 8
_GROUP_BYTES = 1 << 27
_ROOM_BYTES = 1 << 32
"""Address space beside the columns: threads and libraries."""

_TEXT = (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null)


class RefusedError(Exception):
    """A file that is not unpacked; the text says why."""


def unpacked(content: bytes, most_bytes: int, most_columns: int) -> tuple[list[tuple[str, str]], pl.DataFrame]:
    """Return what there is to say of the columns, and those that are read.

    Those are numbers that NumPy has, and text without surrounding blanks. Of each column its name is told, and its type
    if it is not read.

    Raises:
        RefusedError: there are too many, too few, or none that is read.
    """
    schema = pl.read_parquet_schema(io.BytesIO(content))
    n_rows = pl.scan_parquet(io.BytesIO(content)).select(pl.len()).collect().item()
    _check(schema, n_rows, most_bytes, most_columns)
    told = [(name, "" if _is_read(kind) else str(kind)[:40]) for name, kind in schema.items()]
    # By number: a name such as `*` would be a pattern.
    columns = [place for place, (_, unread) in enumerate(told) if not unread]
    left, frames = most_bytes, []
    group = max(1, _GROUP_BYTES // (n_rows * _BYTES))
    for start in range(0, len(columns), group):
        piece = pl.read_parquet(io.BytesIO(content), columns=columns[start : start + group])
        left -= int(piece.estimated_size())
        if left < 0:
            raise RefusedError(f"must unpack to at most {most_bytes} bytes, got more. Train on a sample of the rows.")
        frames.append(piece.select(map(_plain, piece)))
    return told, pl.concat(frames, how="horizontal")


def _check(schema: dict[str, pl.DataType], n_rows: int, most_bytes: int, most_columns: int) -> None:
    if len(schema) > most_columns:
        raise RefusedError(f"must have at most {most_columns} columns, got {len(schema)}. Remove columns.")
    if len(schema) < 2:
        raise RefusedError(f"must have at least two columns, got {len(schema)}. Add a column to predict.")
    if not n_rows:
        raise RefusedError("must hold examples, got columns without any. Add examples.")
    if n_rows * len(schema) * _BYTES > most_bytes:
        raise RefusedError(
            f"must unpack to at most {most_bytes} bytes, got {n_rows} rows of {len(schema)} columns. Train on a sample."
        )
    if not any(map(_is_read, schema.values())):
        raise RefusedError("must hold columns of numbers, truth values or text, got none. Convert them.")


def _is_read(kind: pl.DataType) -> bool:
    return kind.is_numeric() or isinstance(kind, _TEXT)


def _plain(column: pl.Series) -> pl.Series:
    if column.dtype.is_decimal():
        return column.cast(pl.Float64)
    if column.dtype.is_numeric():
        return column
    # Without its name meanwhile: `^…$` would be a pattern.
    return column.alias("").cast(pl.String).str.strip_chars().alias(column.name)


def _bound(most_bytes: int) -> None:
    """Let the system refuse memory beyond what a sound file takes, and write no core."""
    # Not every system has every limit.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_ROOM_BYTES + 4 * most_bytes,) * 2)


def main() -> None:
    """Unpack stdin to stdout."""
    # The process that asks has signals wait for a thread of its own.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    most_bytes, most_columns = map(int, sys.argv[1:])
    _bound(most_bytes)
    try:
        told, frame = unpacked(sys.stdin.buffer.read(), most_bytes, most_columns)
    except RefusedError as error:
        sys.stdout.buffer.write(str(error).encode(errors="backslashreplace"))
        sys.exit(REFUSED)
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    frame.write_ipc_stream(sys.stdout.buffer, compression="uncompressed")


if __name__ == "__main__":
    main()
