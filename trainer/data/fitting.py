"""What is refused and what is odd about examples once they are scaled, whether they are held or stream."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.data.missing import listed
from trainer.data.refusal import refused
from trainer.data.scaling import Scaling
from trainer.data.section import LEAST_EXAMPLES, ImageShape, TableSection
from trainer.text import quoted


class _Named(Protocol):
    @property
    def feature_names(self) -> tuple[str, ...]: ...
    @property
    def target_names(self) -> tuple[str, ...]: ...
    @property
    def image_shape(self) -> ImageShape | None: ...


def require_some(count: int) -> None:
    """Raise ConfigError if these are too few examples to draw parts from."""
    if count < LEAST_EXAMPLES:
        raise refused(f"must hold at least {LEAST_EXAMPLES} examples, got {count}. Add examples.")


def require_finite(x: NDArray[Any], names: tuple[str, ...]) -> None:
    """Raise ConfigError if a scaled value, of columns with these names, has left the 32-bit floats."""
    finite = np.isfinite(x).all(axis=0)
    if not finite.all():
        name = quoted(names[int(finite.argmin())])
        raise refused(
            f"must leave finite values, got one in column {name} that is too far from the training part."
            " Correct it or remove the column.",
            "data.standardize",
        )


def constant(section: TableSection, data: _Named, x: Scaling, y: Scaling) -> Iterator[str]:
    """Yield which targets and features never change in the training part, where that may harm."""
    yield from _constant(data.target_names, y, "targets")
    # The rim of a picture is the same in all of them; left as it is, it harms nothing.
    if not data.image_shape or section.standardize not in ("none", "minmax_all"):
        yield from _constant(data.feature_names, x, "features")


def _constant(names: tuple[str, ...], scaling: Scaling, subject: str) -> tuple[str, ...]:
    columns = np.flatnonzero(scaling.constant)
    if not columns.size:
        return ()
    return (f"{subject} that never change in the training part: {listed([names[column] for column in columns])}",)
