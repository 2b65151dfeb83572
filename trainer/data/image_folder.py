"""Pictures in folders named after their class, decoded by Pillow and scaled to one size.

Pillow refuses what would unpack to far more pixels than a picture has; here its warning is a refusal too.
"""

import io
import warnings
from collections.abc import Hashable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainer.data.array_table import table_of_arrays
from trainer.data.content import MOST_BYTES, read_content, stamp, unreadable
from trainer.data.missing import listed
from trainer.data.parts import Arrays, Parts
from trainer.data.refusal import DataFile, refused
from trainer.data.section import Table
from trainer.text import clipped, quoted

if TYPE_CHECKING:
    from types import ModuleType

    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG")
_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_GAP = 2.0
"""Pillow's `reducing_gap`: a picture that is more than so much larger is first reduced in a cheaper way."""


def stamp_of(folder: DataFile) -> Hashable:
    """Return what is another once a picture was added, removed or changed. Raises ConfigError."""
    classes, _ = _classes(folder)
    return hash(tuple((file.path, stamp(file)) for files in classes.values() for file in files))


def read_folders(folders: Parts[DataFile], size: int, channels: int) -> Table:
    """Return the pictures as rows of pixels, class by class.

    Args:
        folders: that hold a folder for each class.
        size: rows and columns to which each picture is scaled.
        channels: 1 for grey, 3 for colour; transparency is left out.

    Raises:
        ConfigError: one line that names the picture.
    """
    read = folders.map(lambda folder: _read(folder, size, channels, stamp_of(folder)))
    beside = (
        folder.told(line) for folder, (_, lines) in zip(folders.present, read.present, strict=True) for line in lines
    )
    table = table_of_arrays(read.map(lambda part: part[0]), "classification", "error")
    return replace(table, warnings=(*beside, *table.warnings))


@lru_cache(maxsize=3)
def _read(folder: DataFile, size: int, channels: int, stamp: Hashable) -> tuple[Arrays, tuple[str, ...]]:  # noqa: ARG001
    """Return pictures and warnings; the second call is free, until the stamp is another: to decode takes long."""
    classes, beside = _classes(folder)
    files = [file for pictures in classes.values() for file in pictures]
    if len(files) * size * size * channels > MOST_BYTES:
        raise folder.refused(
            f"must leave at most {MOST_BYTES} numbers, got {len(files)} pictures of {size} x {size} x {channels}."
            " Make it smaller.",
            key="data.image_size",
        )
    contents = ((read_content(file), file) for file in files)
    names = np.repeat([*classes], [len(pictures) for pictures in classes.values()])
    return Arrays(folder, decoded(contents, len(files), size, channels), names, "pixel", "class"), beside


def _classes(folder: DataFile) -> tuple[dict[str, list[DataFile]], tuple[str, ...]]:
    """Return the pictures of each class in the order of their names, and a warning where other files lie beside."""
    classes: dict[str, list[DataFile]] = {}
    beside = []
    for name, is_folder in _entries(folder):
        if is_folder:
            classes[name] = _pictures(DataFile(folder.path / name, folder.key))
        else:
            beside.append(name)
    if not classes:
        raise folder.refused("must hold a folder of pictures for each class, got none. Sort the pictures into folders.")
    return classes, (f"files beside the folders of the classes are left out: {listed(beside)}",) if beside else ()


def _pictures(folder: DataFile) -> list[DataFile]:
    entries = _entries(folder)
    if not entries:
        raise folder.refused("must hold pictures in every class's folder, got an empty one. Remove it.")
    if inner := [name for name, is_folder in entries if is_folder]:
        raise folder.refused(f"must hold pictures alone, got the folder {quoted(inner[0])}. Move its pictures up.")
    return [DataFile(folder.path / name, folder.key) for name, _ in entries]


def _entries(folder: DataFile) -> list[tuple[str, bool]]:
    """Return the names in a folder, sorted, and whether each is a folder; hidden ones count for nothing."""
    try:
        return sorted((path.name, path.is_dir()) for path in folder.path.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise unreadable(folder, error) from None


def decoded(pictures: Iterable[tuple[bytes, DataFile]], count: int, size: int, channels: int) -> NDArray[np.uint8]:
    """Return so many pictures, shape [pictures, size, size, channels].

    Args:
        pictures: content and name of each.
        count: how many there are.
        size: rows and columns to which each is scaled.
        channels: 1 for grey, 3 for colour.
    """
    pillow = _pillow()
    pixels = np.empty((count, size, size, channels), np.uint8)
    with warnings.catch_warnings():
        # All others are about what is left out here: transparency, animation.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pillow.DecompressionBombWarning)
        for place, (content, file) in enumerate(pictures):
            pixels[place] = _pixels(content, file, size, channels, pillow)
    return pixels


def _pillow() -> "ModuleType":
    try:
        from PIL import Image
    except ImportError:
        message = "needs Pillow to read pictures, which is not installed. Install it with pip install 'nn-tui[images]'."
        raise refused(message, "data.source") from None
    return Image


def _pixels(content: bytes, file: DataFile, size: int, channels: int, pillow: "ModuleType") -> NDArray[np.uint8]:
    try:
        with pillow.open(io.BytesIO(content), formats=_FORMATS) as picture:
            if picture.mode not in _EIGHT_BITS:
                raise file.refused("must have 8 bits a channel, got a picture with more. Convert it.")
            return _scaled(picture, size, channels, pillow)
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning):
        raise file.refused(f"must have at most {pillow.MAX_IMAGE_PIXELS} pixels, got more. Scale it down.") from None
    except pillow.UnidentifiedImageError:
        raise file.refused("must be a PNG or JPEG picture, got something else. Convert or remove it.") from None
    # What Pillow raises on damaged pictures; found by fuzzing it.
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError) as error:
        reason = clipped(str(error), 60)
        raise file.refused(f"must be a whole picture, got a damaged one ({reason}). Copy it again.") from None


def _scaled(picture: "Image", size: int, channels: int, pillow: "ModuleType") -> NDArray[np.uint8]:
    mode = "RGB" if channels == 3 else "L"
    picture.draft(mode, (size, size))
    scaled = picture.convert(mode).resize((size, size), pillow.Resampling.BILINEAR, reducing_gap=_GAP)
    return np.asarray(scaled).reshape(size, size, channels)
