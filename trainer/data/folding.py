"""From examples as read to folds of them: held once, divided by class, each scaled by what trains in it."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.fitting import require_finite
from trainer.data.fold import Change, Floats, Fold
from trainer.data.missing import fill_values
from trainer.data.refusal import refused
from trainer.data.scaling import Scaling
from trainer.data.section import Table, TableSection
from trainer.data.split import Rows, deal
from trainer.data.splits import Part


def divided(section: TableSection, table: Table, pool: Rows) -> list[tuple[int, Rows, Rows]]:
    """Return for each fold that is asked for its number and the places in the pool that train and that validate.

    Args:
        section: asks for folds.
        table: all examples.
        pool: rows of those that do not test.

    Raises:
        ConfigError: they cannot be divided so.
    """
    k = section.k_fold
    if table.n_validation:
        raise refused(f"must be 0 where the validation part is given, got {k}. Leave one of them out.", "data.k_fold")
    if table.categories:
        message = f'must be 0 with data.categories = "embedding", got {k}. Use "one_hot", or a single split.'
        raise refused(message, "data.k_fold")
    if k > len(pool):
        raise refused(f"must be at most the {len(pool)} examples, got {k}. Use fewer.", "data.k_fold")
    groups = table.y[pool] if table.task == "classification" else np.zeros(len(pool), np.int32)
    place = deal(groups, k, section.seed)
    numbers = [section.fold] if section.fold else range(1, k + 1)
    return [(number, np.flatnonzero(place != number - 1), np.flatnonzero(place == number - 1)) for number in numbers]


@dataclass(frozen=True, slots=True)
class Held:
    """Examples as all folds share them.

    Attributes:
        pool: those that train and validate.
        test: those that test.
        x, y: how they are scaled; None where no fold scales them.
        fingerprint: of all of it.
    """

    pool: Part
    test: Part
    x: Scaling | None
    y: Scaling | None
    fingerprint: str

    def fold(
        self, number: int, of: int, train: Rows, validation: Rows, x: Scaling, y: Scaling, fill: Floats | None
    ) -> Fold:
        """Return a fold, given its own scaling and what it fills in."""
        return Fold(
            number=number,
            of=of,
            pool=self.pool,
            test=self.test,
            train=train,
            validation=validation,
            x=Change.between(self.x, x) if self.x else None,
            y=Change.between(self.y, y) if self.y else None,
            fill=fill,
            fingerprint=self.fingerprint,
        )


def robust(scaling: Scaling, raw: NDArray[Any]) -> Scaling:
    """Return a scaling that holds the usual values of each column to all digits, however far away the others lie.

    A value far from all others may be in no more than one fold's way: it must not cost the others' training part its
    digits. Around the median, 32 bits are as many digits of what is near as of what is far.
    """
    is_none = not scaling.offset.any() and (scaling.scale == 1).all()
    return scaling if is_none else replace(scaling, offset=np.median(raw, axis=0).astype(np.float64))


def filled(table: Table, train: Rows, scaling: Scaling) -> Floats | None:
    """Return what stands for a missing value of each feature, as trained on; None where none is missing."""
    medians = fill_values(table, train)
    return None if medians is None else ((medians - scaling.offset) / scaling.scale).astype(np.float32)


def own_fingerprint(shared: str, number: int, of: int) -> str:
    """Return the fingerprint of a fold."""
    return hashlib.sha256(f"{shared} {number}/{of}".encode()).hexdigest()


def check_finite(fold: Fold, names: tuple[str, ...]) -> None:
    """Refuse a value that, scaled by this fold, leaves the 32-bit floats."""
    held = np.stack([np.fmin.reduce(fold.pool.x), np.fmax.reduce(fold.pool.x)])
    with np.errstate(over="ignore"):
        seen = fold.features(held)
    require_finite(seen, names)
