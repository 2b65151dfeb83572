"""Records from a Parquet file, which another process unpacks: see `parquet_child`."""

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
    """Return the columns of a Parquet file: numbers, and text without surrounding blanks.

    Args:
        content: of the file.
        file: for messages.

    Raises:
        ConfigError: it is damaged or too large, or holds other columns than numbers, truth values and text.
    """
    import polars as pl

    command = [sys.executable, "-P", parquet_child.__file__, str(MOST_BYTES), str(MOST_COLUMNS)]
    try:
        done = subprocess.run(command, input=content, capture_output=True, check=False, timeout=_MOST_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise file.refused("must be a whole Parquet file, got one without an end. Write it again.") from None
    if done.returncode == parquet_child.REFUSED:
        raise file.refused(clean(done.stdout.decode()))
    if done.returncode:
        raise file.refused(
            f"must be a whole Parquet file of at most {MOST_BYTES} bytes, got a damaged one. Write it again."
        )
    frame = pl.read_ipc_stream(done.stdout)
    names, warnings = unique_names(frame.columns)
    frame.columns = list(names)
    return Records(file, frame, warnings=warnings)
