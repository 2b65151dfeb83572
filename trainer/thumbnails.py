"""Pictures for eyes: thinned out where they are large, their pixels as bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.section import ImageShape
from trainer.picture_file import MOST_PIXELS


def thinned_shape(shape: ImageShape | None) -> ImageShape | None:
    """Return the shape of what `thumbnail` makes of a picture."""
    return None if shape is None else (min(shape[0], MOST_PIXELS), min(shape[1], MOST_PIXELS), shape[2])


def thumbnail(pixels: NDArray[Any], shape: ImageShape, darkest: float, brightest: float) -> list[int]:
    """Return the channels of a picture's pixels, row by row, from 0 for the darkest to 255 for the brightest.

    Args:
        pixels: one example, shape [features].
        shape: of the picture that it is.
        darkest: number of all pictures.
        brightest: likewise.
    """
    picked = np.ix_(*(_thinned(size) for size in shape[:2]))
    raw = pixels.astype(np.float64).reshape(shape)[picked]
    span = (brightest - darkest) or 1.0
    told: list[int] = ((raw - darkest) / span * 255).round().clip(0, 255).astype(int).ravel().tolist()
    return told


def _thinned(size: int) -> NDArray[np.int64]:
    """Return which rows or columns of a picture are kept, evenly spread."""
    return np.linspace(0, size - 1, min(size, MOST_PIXELS)).round().astype(np.int64)
