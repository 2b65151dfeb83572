"""Gzip, unpacked within bounds: a small file may claim any size."""

import gzip
import io
import zlib

from trainer.data.refusal import DataFile

_PIECE = 1 << 24


def unpacked(content: bytes, most_bytes: int, file: DataFile) -> bytes:
    """Return what a gzip file holds.

    Args:
        content: of the file.
        most_bytes: the file may hold; it is not unpacked any further.
        file: for messages.

    Raises:
        ConfigError: it is damaged, empty, or holds more.
    """
    pieces: list[bytes] = []
    left = most_bytes
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            while piece := packed.read(_PIECE):
                pieces.append(piece)
                left -= len(piece)
                if left < 0:
                    raise file.refused(f"must unpack to at most {most_bytes} bytes, got more. Train on a sample.")
    except (OSError, EOFError, zlib.error):
        raise file.refused("must be a whole gzip file, got a damaged one. Copy it again.") from None
    if not pieces:
        raise file.refused("must hold examples, got an empty file.")
    return b"".join(pieces)
