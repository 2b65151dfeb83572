"""Augmentation: what is changed at random in the examples of each update, so that no two epochs see the same ones.

`trainer.augmenting` has the maths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainer.fields import Section, live, structural
from trainer.problems import Problem

if TYPE_CHECKING:
    from trainer.losses import Loss
    from trainer.models import Inputs


class Augmentation(Section):
    """`augmentation`: validation, test and pictures of the model at work see the examples as they are."""

    enabled: bool = structural(
        False, "Change the training examples at random in each update; against overfitting where there are few."
    )
    shift: int = live(
        0, "Move each picture by up to so many pixels along rows and columns; zeros come in from outside.",
        unit="pixels", ge=0, le=65_536, source="He et al. 2016, as a crop of padding",
    )  # fmt: skip
    flip: float = live(
        0.0,
        "Chance that a picture is mirrored left to right; 0.5 where both ways round mean the same.",
        ge=0,
        le=1,
        source="Krizhevsky et al. 2012",
    )
    crop: float = live(
        1.0, "Least share of a picture's area that is kept and stretched over all of it; 1 is off.", gt=0, le=1,
        source="Szegedy et al. 2015",
    )  # fmt: skip
    cutout: int = live(
        0, "Side of the square that is set to zero around a random pixel of each picture.", unit="pixels",
        ge=0, le=65_536, source="DeVries and Taylor 2017",
    )  # fmt: skip
    mixup: float = live(
        0.0, "Alpha of the Beta distribution by which pairs of examples and targets are mixed; 0.1 to 0.4 is usual.",
        ge=0, le=1000, source="Zhang et al. 2018",
    )  # fmt: skip
    noise: float = live(
        0.0, "Standard deviation of the noise added to each feature, in units of the features as trained on.", ge=0,
        source="Bishop 1995",
    )  # fmt: skip


_OFF = Augmentation()
_OF_PICTURES = ("shift", "flip", "crop", "cutout")
_IN_PIXELS = ("shift", "cutout")


def misfits(asked: Augmentation, inputs: Inputs, loss: Loss) -> Iterator[Problem]:
    """Yield what of it such examples, or this loss, do not allow."""
    if not asked.enabled:
        return
    if inputs.vocabulary or inputs.categories:
        what = "tokens" if inputs.vocabulary else "categories that are looked up"
        yield Problem(f"must be false for {what}: nothing lies between two of them.", "augmentation.enabled")
        return
    for name in _OF_PICTURES:
        value, off = getattr(asked, name), getattr(_OFF, name)
        if inputs.image_shape is None and value != off:
            yield Problem(f"must be {off:g} for examples that are no pictures, got {value:g}.", f"augmentation.{name}")
    shortest = min(inputs.image_shape[:2]) if inputs.image_shape else None
    for name in _IN_PIXELS:
        value = getattr(asked, name)
        if shortest is not None and value >= shortest:
            message = f"must be less than the {shortest} pixels of the shorter side, got {value}."
            yield Problem(message, f"augmentation.{name}")
    if asked.mixup and not loss.takes_mixed:
        message = f'must be 0 for loss.kind = "{getattr(loss, "kind", "")}", whose targets are whole classes,'
        yield Problem(f"{message} got {asked.mixup:g}.", "augmentation.mixup")
