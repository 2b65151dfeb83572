"""Examples as they come: those that are still to be divided, and those that the source itself sets aside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainer.data.refusal import DataFile

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Parts(Generic[T]):
    """What trains and may be divided, what validates and what tests; None for a part that is to be drawn."""

    train: T
    validation: T | None = None
    test: T | None = None

    @property
    def present(self) -> list[T]:
        """Return those that there are, in this order."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]

    def map(self, change: Callable[[T], U]) -> "Parts[U]":
        """Return what becomes of each."""
        validation, test = (None if part is None else change(part) for part in (self.validation, self.test))
        return Parts(change(self.train), validation, test)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Examples as one array of features and one of targets.

    Attributes:
        file: where they are from.
        x: real numbers or text, shape [examples, ...].
        y: likewise.
        features: name of the array of features, safe to show.
        target: name of the array of targets, likewise.
        target_file: where the targets are from; None where that is the same file.
    """

    file: DataFile
    x: NDArray[Any]
    y: NDArray[Any]
    features: str = "x"
    target: str = "y"
    target_file: DataFile | None = None

    @property
    def file_of_targets(self) -> DataFile:
        """Return where the targets are from."""
        return self.target_file or self.file


def joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the arrays as one, along the first axis; a single one as it is."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
