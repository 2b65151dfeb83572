"""Class weights: how much an example of each class counts in what is made small, so that rare ones are learned too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ValidationError, WrapValidator

from trainer.fields import Numbers
from trainer.problems import Problem
from trainer.text import clipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_SHOWN = 8


def _in_one_line(value: Any, validate: Any) -> Any:
    """Return the value, or tell in one problem what pydantic would tell in one for each kind of value."""
    try:
        return validate(value)
    except ValidationError:
        got = repr(value) if isinstance(value, str) else str(value)
        message = f'must be "none", "balanced" or a list of numbers above 0, got {clipped(got, 60)}.'
        raise ValueError(message) from None


ClassWeight = Annotated[Literal["none", "balanced"] | Numbers, WrapValidator(_in_one_line)]
"""A rule for the weights, or the weights themselves, one a class."""


def misfit(asked: str | Sequence[float], classes: Sequence[str] | None) -> Problem | None:
    """Return why the weights do not fit, if they do not; `classes` by name, None where there are none."""
    if asked == "none":
        return None
    if classes is None:
        got = f'"{asked}"' if asked == "balanced" else "a list"
        return Problem(f'must be "none" here, where nothing has a class, got {got}.', "loss.class_weight")
    if asked == "balanced" or len(asked) == len(classes):
        return None
    names = ", ".join(clipped(name, 40) for name in classes[:_SHOWN]) + (", ..." if len(classes) > _SHOWN else "")
    message = f"must have one weight for each of the {len(classes)} classes ({names}), got {len(asked)}."
    return Problem(message, "loss.class_weight")


def weights_of(asked: str | Sequence[float], counts: Sequence[int]) -> NDArray[np.float32]:
    """Return the weight of each class.

    Args:
        asked: `loss.class_weight` of a config that fits.
        counts: training examples of each class; one that has none weighs nothing, and no part of the others.

    Source: balanced as in `sklearn.utils.class_weight`, after King and Zeng 2001.
    """
    import numpy as np

    there = np.array(counts)
    if asked == "none":
        return np.ones(len(there), np.float32)
    if asked != "balanced":
        return np.array(asked, np.float32)
    balanced = there.sum() / (np.count_nonzero(there) * np.maximum(there, 1))
    return np.where(there > 0, balanced, 0).astype(np.float32)
