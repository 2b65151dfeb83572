"""One array from a .npy file."""

import io
from typing import Any

from numpy.typing import NDArray

from trainer.data.content import MOST_BYTES
from trainer.data.npy_array import BadArrayError, read_array
from trainer.data.refusal import DataFile
from trainer.problems import ConfigError
from trainer.text import clean


def read_npy(content: bytes, file: DataFile) -> NDArray[Any]:
    """Return the array.

    Args:
        content: of the file.
        file: for messages.

    Raises:
        ConfigError: it is damaged, lies about its size, or holds other than real numbers and text.
    """
    try:
        return read_array(io.BytesIO(content), len(content), MOST_BYTES)
    except BadArrayError as error:
        raise bad_array(file, error) from None


def bad_array(file: DataFile, error: BadArrayError) -> ConfigError:
    """Return the error to raise about a file whose array is not read."""
    return file.refused(f"must hold a plain array, got one that {clean(str(error))}. Write it again.")
