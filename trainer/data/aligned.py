"""Memory for examples that JAX on the CPU takes over as it is, in place of copying it.

Of a large array NumPy asks the system for large pages, which a copy by JAX would not have: rows taken at random are
then found sooner.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT: Final = 64
"""Bytes at a multiple of which such memory begins."""


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array to fill, like `numpy.empty`."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    whole = np.empty(size + ALIGNMENT, np.uint8)
    start = -whole.ctypes.data % ALIGNMENT
    return whole[start : start + size].view(dtype).reshape(shape)
