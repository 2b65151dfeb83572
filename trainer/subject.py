"""What a look at the model looks at: the examples, and for two features a grid over the plane they lie in.

All here depends on the data alone, so that it is made once for a training and every look shows the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.data.fold import View
from trainer.data.splits import Part, Splits
from trainer.picture_file import COLUMNS, MOST_PASSAGES, ROWS

Floats = NDArray[np.float64]

_MOST_TRAINING: Final = 16_384
"""Training examples that are looked at where none validate: they are copied for it, and there may be any number."""

_MOST_MEASURED: Final = 4096
"""Training examples whose mean and deviation count as usual."""

_PROMPT: Final = 48
"""Most tokens of an example after which a network for text goes on."""

_MARGIN: Final = 0.06
"""Share of the data's range that the plane reaches over it at each side."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A grid over two features.

    Attributes:
        low, high: its ends, as trained on; shape [2].
        points: shape [ROWS * COLUMNS, 2], row by row from the lowest second feature.
    """

    low: Floats
    high: Floats
    points: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Subject:
    """The examples that are looked at, and what is needed to show them.

    Attributes:
        splits: all examples.
        split: the part that they are from.
        rows: of each within `part`.
        plane: for data of two features that are numbers, else None.
        mean, deviation: of each feature in the training part, as trained on; shape [features], of tokens [0].
        rarity: for each feature that is the number of a category, by that number: how many standard deviations lie
            between 1 and the mean of the category as a feature of 0 and 1, in the training part.
        darkest, brightest: of the pixels in the training part, in raw units.
    """

    splits: Splits
    split: Literal["validation", "train"]
    rows: NDArray[np.int64]
    plane: Plane | None
    mean: Floats
    deviation: Floats
    rarity: Mapping[int, Floats]
    darkest: float
    brightest: float

    @property
    def part(self) -> Part | View:
        """Return the part that the examples are from, or what is held of it."""
        return self.splits.validation if self.split == "validation" else self.splits.train

    @property
    def size(self) -> int:
        """Return how many examples the part has."""
        return len(self.splits.validation) if self.split == "validation" else self.splits.n_train

    def place(self, row: int) -> int:
        """Return the place within its part of an example that is looked at."""
        sampled = self.splits.sampled if self.split == "train" else None
        return int(self.rows[row] if sampled is None else sampled[self.rows[row]])

    @property
    def asked(self) -> Part | None:
        """Return what the model is asked, in this order: the examples, then the plane.

        None if that is the validation part as it is, which the device has already.
        """
        part = self.part
        if self.plane is None:
            is_there = self.split == "validation" and len(self.rows) == len(part)
            return None if is_there else Part(*self._examples)
        (x, y), points = self._examples, self.plane.points
        return Part(np.concatenate([x, points]), np.concatenate([y, np.zeros((len(points), *y.shape[1:]), y.dtype)]))

    @property
    def _examples(self) -> tuple[NDArray[Any], NDArray[Any]]:
        its = self.part.rows(self.rows)
        return its.x, its.y


def subject_of(splits: Splits) -> Subject:
    """Return what to look at."""
    if splits.vocabulary is not None:
        return _subject_of_text(splits)
    validates = len(splits.validation) > 0
    rows = np.arange(len(splits.validation)) if validates else some(len(splits.train), _MOST_TRAINING)
    x = splits.train.x
    measured = x[some(len(x), _MOST_MEASURED)].astype(np.float64)
    low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
    raw_ends = [end * splits.x_scale + splits.x_offset for end in (low, high)]
    return Subject(
        splits=splits,
        split="validation" if validates else "train",
        rows=rows,
        plane=_plane(low, high) if splits.n_features == 2 and not splits.categories else None,
        mean=measured.mean(axis=0),
        deviation=measured.std(axis=0),
        rarity={
            place: _rarity(measured[:, place], len(words)) for place, words in enumerate(splits.categories) if words
        },
        darkest=float(raw_ends[0].min()),
        brightest=float(raw_ends[1].max()),
    )


def prompt_length(context: int) -> int:
    """Return how many tokens of an example a network for text is given to go on from."""
    return max(1, min(_PROMPT, context // 2))


def _subject_of_text(splits: Splits) -> Subject:
    validates = len(splits.validation) > 0
    rows = some(len(splits.validation if validates else splits.train), MOST_PASSAGES)
    nothing = np.zeros(0)
    return Subject(splits, "validation" if validates else "train", rows, None, nothing, nothing, {}, 0.0, 0.0)


def some(count: int, most: int) -> NDArray[np.int64]:
    """Return all places below `count`, or so many of them, the same ones every time.

    Drawn at random, as the examples' own order may have a period, and left in the order drawn, so that the first few
    are such a choice too.
    """
    return np.arange(count) if count <= most else np.random.default_rng(0).permutation(count)[:most]


def _rarity(numbers: Floats, n_categories: int) -> Floats:
    # One that none of them has counts as if one had it.
    shares = np.bincount(numbers.astype(np.int64), minlength=n_categories).clip(min=1) / len(numbers)
    return np.sqrt((1 - shares) / shares)


def _plane(low: Floats, high: Floats) -> Plane:
    span = np.where(high > low, high - low, 1.0)
    low, high = low - _MARGIN * span, high + _MARGIN * span
    across, up = (np.linspace(low[i], high[i], count) for i, count in enumerate((COLUMNS, ROWS)))
    points: Any = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    return Plane(low, high, points.astype(np.float32))
