"""A NumPy array (.npy, or a member of an .npz archive), read without trusting what its header says.

NumPy's own reader allocates what the header declares and, where allowed, unpickles; here the declared size must be
the size that the file has for it before anything is allocated, and only plain numbers and text are known. Nor is a
file mapped into memory: one that is cut short meanwhile would end the process. An array that is too large to hold is
left in its file, and read there row by row (`trainer.data.stored`).

Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays", 2007.
"""

import math
import re
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_PREFIX = 8
_LONGEST_HEADER = 10_000
_MOST_AXES = 32
_LARGEST_CODE_POINT = 0x10FFFF
_ITEM = re.compile(r"([<>|=]?)([biufU])([0-9]{1,9})")
_ITEM_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8)}


class BadArrayError(Exception):
    """An array that is not read; the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an array says of itself; `offset` is where its values start."""

    dtype: str
    shape: tuple[int, ...]
    fortran: bool
    offset: int

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def read_header(file: IO[bytes]) -> Header:
    """Return the header that the file starts with.

    Raises:
        BadArrayError: there is none that can be understood.
    """
    start = file.read(_PREFIX)
    if len(start) < _PREFIX or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise BadArrayError("is no NumPy array")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > _LONGEST_HEADER:
        raise BadArrayError(f"has a header of {length} bytes")
    return _parsed(file.read(length).decode("latin-1"), _PREFIX + width + length)


def read_array(file: IO[bytes], size: int, most_bytes: int) -> NDArray[Any]:
    """Return the array in the machine's byte order.

    Args:
        file: at its start.
        size: of the file in bytes.
        most_bytes: that the array may take.

    Raises:
        BadArrayError: it is of a kind that is not read, or not of the size that it declares, or too large.
    """
    header = sound_header(file, size)
    declared = size - header.offset
    if declared > most_bytes:
        raise BadArrayError(f"is {declared} bytes, of at most {most_bytes}")
    data = file.read(declared)
    if len(data) != declared:
        raise BadArrayError("is cut off")
    return as_values(np.frombuffer(data, as_stored(header.dtype)), header.dtype).reshape(
        header.shape, order="F" if header.fortran else "C"
    )


def sound_header(file: IO[bytes], size: int) -> Header:
    """Return the header of an array that is of a known kind and of the size that it declares.

    Args:
        file: at its start.
        size: of the file in bytes.

    Raises:
        BadArrayError: it is not.
    """
    header = read_header(file)
    declared, present = math.prod(header.shape) * _item_bytes(header), size - header.offset
    if declared != present:
        raise BadArrayError(f"declares {header}, which is {declared} bytes, and has {present}")
    return header


def as_stored(dtype: str) -> np.dtype[Any]:
    """Return the type in which the bytes of a known kind are read: those of truth values are numbers."""
    kind = np.dtype(dtype)
    return np.dtype(np.uint8) if kind.kind == "b" else kind


def as_values(stored: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Return values as they were read in the machine's byte order, truth values as such. Raises BadArrayError."""
    if np.dtype(dtype).kind == "b":
        return stored.astype(np.bool_)
    values: NDArray[Any] = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "U" and values.size and values.view(np.uint32).max() > _LARGEST_CODE_POINT:
        raise BadArrayError("holds text that is no Unicode")
    return values


def _item_bytes(header: Header) -> int:
    match = _ITEM.fullmatch(header.dtype)
    if not match:
        raise BadArrayError(f"is of type {header.dtype}, and neither real numbers nor text")
    kind, size = match[2], int(match[3])
    if kind == "U" and size:
        return 4 * size
    if size not in _ITEM_SIZES.get(kind, ()):
        raise BadArrayError(f"is of type {header.dtype}, which is not read")
    return size


def _parsed(text: str, offset: int) -> Header:
    descr = re.search(r"'descr'\s*:\s*('[^']{1,40}'|\[)", text)
    fortran = re.search(r"'fortran_order'\s*:\s*(True|False)", text)
    shape = re.search(r"'shape'\s*:\s*\(([0-9, ]*)\)", text)
    if not (descr and fortran and shape):
        raise BadArrayError("has a header that cannot be understood")
    axes = [axis.strip() for axis in shape[1].split(",")]
    sizes = tuple(int(axis) for axis in axes if axis.isdigit() and len(axis) <= 18)
    if len(sizes) != sum(map(bool, axes)) or len(sizes) > _MOST_AXES:
        raise BadArrayError("has a header whose shape cannot be understood")
    dtype = "structured" if descr[1] == "[" else descr[1].strip("'")
    return Header(dtype, sizes, fortran[1] == "True", offset)
