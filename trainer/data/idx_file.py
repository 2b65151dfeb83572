"""IDX, the format of MNIST's own files: two zeros, a type, a number of axes, their sizes, the values.

Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits", on its file formats.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.refusal import DataFile

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
_MOST_AXES = 8


def read_idx(content: bytes, file: DataFile) -> NDArray[Any]:
    """Return the array, in the machine's byte order.

    Args:
        content: of the file; its third byte is one of the types.
        file: for messages.

    Raises:
        ConfigError: the header is cut off, or declares another size than there is.
    """
    axes = content[3] if len(content) > 3 else 0
    offset = 4 + 4 * axes
    if not 1 <= axes <= _MOST_AXES or len(content) < offset:
        raise file.refused(f"must be a whole IDX file of 1 to {_MOST_AXES} axes, got a damaged header. Copy it again.")
    kind = np.dtype(_TYPES[content[2]]).newbyteorder(">")
    shape = np.frombuffer(content, ">u4", axes, 4).tolist()
    declared, present = math.prod(shape) * kind.itemsize, len(content) - offset
    if declared != present:
        raise file.refused(
            f"must hold the values that its header declares, got {present} bytes for {shape}, which is {declared}."
            " Copy it again."
        )
    if not declared:
        raise file.refused(f"must hold examples, got {shape}. Add examples.")
    flat = np.frombuffer(content, kind, offset=offset)
    return flat.astype(kind.newbyteorder("="), copy=False).reshape(shape)
