"""One fold: examples that all folds share, held once, and how this one divides and scales them.

What is held is scaled by all examples together, for 32 bits to suffice. Each fold's own scaling, fitted on its own
training part, comes on top of that and cancels it: no number of a fold depends on what validates it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from trainer.data.scaling import Scaling
    from trainer.data.split import Rows
    from trainer.data.splits import Part

Floats = NDArray[np.float32]


class Change(NamedTuple):
    """From numbers as held to numbers as trained on: (held - offset) / scale, a column each."""

    offset: Floats
    scale: Floats

    @classmethod
    def between(cls, held: Scaling, trained_on: Scaling) -> Change:
        """Return the change from one scaling to another."""
        offset, scale = (trained_on.offset - held.offset) / held.scale, trained_on.scale / held.scale
        return cls(offset.astype(np.float32), scale.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Fold:
    """How one fold sees the examples.

    Attributes:
        number: from 1.
        of: how many folds there are.
        pool: all examples but those that test, as held; values to be filled in are NaN. The same for all folds.
        test: those that test, likewise.
        train, validation: rows of the pool.
        x: of features; None where they are trained on as held.
        y: of targets, likewise.
        fill: what stands for a missing value of each feature, as trained on; None where none is missing.
        fingerprint: of what all folds share.
    """

    number: int
    of: int
    pool: Part
    test: Part
    train: Rows
    validation: Rows
    x: Change | None
    y: Change | None
    fill: Floats | None
    fingerprint: str

    @property
    def least_train(self) -> int:
        """Return how many examples train in the fold with the fewest of them."""
        return len(self.pool) - self.most_validation

    @property
    def most_train(self) -> int:
        """Return how many examples train in the fold with the most of them."""
        return len(self.pool) - len(self.pool) // self.of

    @property
    def most_validation(self) -> int:
        """Return how many examples validate in the fold with the most of them."""
        return -(-len(self.pool) // self.of)

    def features(self, held: NDArray[Any]) -> Floats:
        """Return features as trained on."""
        x: Floats = held if self.x is None else (held - self.x.offset) / self.x.scale
        return x if self.fill is None else np.where(np.isnan(x), self.fill, x)

    def targets(self, held: NDArray[Any]) -> Any:
        """Return targets as trained on."""
        return held if self.y is None else (held - self.y.offset) / self.y.scale


@dataclass(frozen=True, slots=True)
class View:
    """Some examples as a fold trains on them; made anew each time, so that the folds together take no more memory."""

    fold: Fold
    held: Part
    places: Rows

    def __len__(self) -> int:
        return len(self.places)

    def rows(self, some: Rows) -> View:
        """Return some of them, of which alone `x` and `y` then are."""
        return View(self.fold, self.held, self.places[some])

    @property
    def x(self) -> Floats:
        """Return the features, shape [examples, features]."""
        return self.fold.features(self.held.x[self.places])

    @property
    def y(self) -> Any:
        """Return the targets, as in `Part`."""
        return self.fold.targets(self.held.y[self.places])
