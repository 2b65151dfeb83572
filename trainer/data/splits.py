"""What a source becomes: arrays that train, validate and test, or the mere counts of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.data.section import ImageShape, Task
from trainer.models import Inputs


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the examples.

    Attributes:
        x: features, shape [examples, features].
        y: class indices (int32, shape [examples]) or outputs (float32, shape [examples, outputs]).
    """

    x: NDArray[np.float32]
    y: NDArray[np.int32] | NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Splits:
    """All examples, split and scaled.

    Attributes:
        train: never empty.
        validation: may have no examples.
        test: may have no examples.
        task: what the target asks for.
        feature_names: one a column of `x`, safe to show.
        target_names: one a class, or one an output, safe to show.
        image_shape: of the picture that each example is, or None.
        x_offset: shape [features]; `x` holds (raw - offset) / scale, computed in double precision.
        x_scale: shape [features], greater than 0.
        y_offset: shape [outputs]; 0 for classes, shape [1].
        y_scale: shape [outputs]; 1 for classes, shape [1].
        fingerprint: SHA-256 of the examples as read, their split and their scaling; not of where the file lies.
        warnings: what was found odd, one line each.
    """

    train: Part
    validation: Part
    test: Part
    task: Task
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    image_shape: ImageShape | None
    x_offset: NDArray[np.float32]
    x_scale: NDArray[np.float32]
    y_offset: NDArray[np.float32]
    y_scale: NDArray[np.float32]
    fingerprint: str
    warnings: tuple[str, ...]

    @property
    def train_labels(self) -> dict[str, int]:
        """Return how many training examples each class has, by its name; empty for regression."""
        if self.task != "classification":
            return {}
        counts = np.bincount(self.train.y.astype(np.int64), minlength=len(self.target_names))
        return dict(zip(self.target_names, counts.tolist(), strict=True))

    @property
    def n_features(self) -> int:
        """Return the number of inputs of a network."""
        return len(self.feature_names)

    @property
    def n_outputs(self) -> int:
        """Return the number of classes, or of outputs."""
        return len(self.target_names)

    @property
    def summary(self) -> "Summary":
        """Return what a form can tell of them."""
        return Summary(
            n_train=len(self.train),
            n_validation=len(self.validation),
            n_test=len(self.test),
            n_features=self.n_features,
            n_outputs=self.n_outputs,
            task=self.task,
            image_shape=self.image_shape,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """What a form can tell of a source: counts of examples, features and outputs (classes, for classification)."""

    n_train: int
    n_validation: int
    n_test: int
    n_features: int
    n_outputs: int
    task: Task
    image_shape: ImageShape | None

    @property
    def inputs(self) -> Inputs:
        """Return what an example is made of, as a model sees it."""
        return Inputs(self.n_features, self.image_shape)
