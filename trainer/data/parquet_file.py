"""Records from a Parquet file, which another process unpacks: see `parquet_child`."""

import io
import json
import subprocess
import sys

from trainer.data import parquet_child
from trainer.data.content import MOST_BYTES
from trainer.data.csv_lines import MOST_COLUMNS, unique_names
from trainer.data.records import Records
from trainer.data.refusal import DataFile
from trainer.text import clean

_MOST_SECONDS = 600


def read_parquet(content: bytes, file: DataFile) -> Records:
    """Return the columns of a Parquet file: numbers, text without surrounding blanks, and nulls for what is not read.

    Args:
        content: of the file.
        file: for messages.

    Raises:
        ConfigError: it is damaged or too large, or holds no columns of numbers, truth values or text.
    """
    import polars as pl

    command = [sys.executable, "-P", parquet_child.__file__, str(MOST_BYTES), str(MOST_COLUMNS)]
    try:
        done = subprocess.run(  # noqa: S603
            command, input=content, capture_output=True, check=False, timeout=_MOST_SECONDS, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise file.refused("must be a whole Parquet file, got one without an end. Write it again.") from None
    if done.returncode == parquet_child.REFUSED:
        raise file.refused(clean(done.stdout.decode()))
    if done.returncode:
        raise file.refused(
            f"must be a whole Parquet file of at most {MOST_BYTES} bytes, got a damaged one. Write it again."
        )
    answer = io.BytesIO(done.stdout)
    told = json.loads(answer.readline())
    frame = pl.read_ipc_stream(answer)
    names, warnings = unique_names([name for name, _ in told])
    unread = {name: clean(kind) for name, (_, kind) in zip(names, told, strict=True) if kind}
    frame.columns = [name for name in names if name not in unread]
    for place, name in enumerate(names):
        if name in unread:
            frame.insert_column(place, pl.repeat(None, frame.height, dtype=pl.String, eager=True).alias(name))
    return Records(file, frame, warnings=warnings, unread=unread)
