"""What a source becomes: arrays that train, validate and test, or the mere counts of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.fold import Fold, View
from trainer.data.section import ImageShape
from trainer.data.stream import Stream
from trainer.data.vocabulary import Vocabulary
from trainer.models import Inputs
from trainer.task import Task


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the examples.

    Attributes:
        x: features, shape [examples, features]; or tokens, of the smallest type that holds them, [examples, context].
        y: class indices (int32, shape [examples]), outputs (float32, shape [examples, outputs]), or the token that
            follows each of `x`.
    """

    x: NDArray[np.float32] | NDArray[np.unsignedinteger[Any]]
    y: NDArray[np.int32] | NDArray[np.float32] | NDArray[np.unsignedinteger[Any]]

    def __len__(self) -> int:
        return len(self.x)

    def rows(self, some: NDArray[np.integer[Any]]) -> "Part":
        """Return some of them."""
        return Part(self.x[some], self.y[some])


@dataclass(frozen=True, slots=True)
class Splits:
    """All examples, split and scaled.

    Attributes:
        train: never empty; where examples stream, a sample of those that train.
        validation: may have no examples.
        test: may have no examples.
        task: what the target asks for.
        feature_names: one a column of `x`, safe to show; none for tokens.
        target_names: one a class, one an output, or one a token, safe to show.
        image_shape: of the picture that each example is, or None.
        categories: for each feature its categories by their numbers, none for a number; empty if no column is embedded.
        x_offset: shape [features], of tokens [0]; `x` holds (raw - offset) / scale, computed in double precision.
        x_scale: likewise, greater than 0.
        y_offset: shape [outputs]; 0 for classes and tokens, shape [1].
        y_scale: shape [outputs]; 1 for classes and tokens, shape [1].
        fingerprint: SHA-256 of the examples as read, their split and their scaling; not of where the file lies.
        warnings: what was found odd, one line each.
        vocabulary: what tokens stand for, else None.
        fold: which fold it is, and what it shares with the others; None without folds.
        folds: all of them, this one first, where all are to be trained; else none.
        stream: where the training examples lie that are too many to hold; None where they are in `train`.
        sampled: place of each example of `train` among those that train, where it is a sample; else None.
        buffer: how many of them lie on the device at a time, before these are made whole batches; 0 for all.
    """

    train: Part | View
    validation: Part | View
    test: Part | View
    task: Task
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    image_shape: ImageShape | None
    categories: tuple[tuple[str, ...], ...]
    x_offset: NDArray[np.float32]
    x_scale: NDArray[np.float32]
    y_offset: NDArray[np.float32]
    y_scale: NDArray[np.float32]
    fingerprint: str
    warnings: tuple[str, ...]
    vocabulary: Vocabulary | None = None
    fold: Fold | None = None
    folds: tuple["Splits", ...] = ()
    stream: Stream | None = None
    sampled: NDArray[np.int64] | None = None
    buffer: int = 0

    @property
    def shared_fingerprint(self) -> str:
        """Return what tells whether others train on the same examples, in whatever folds."""
        return self.fold.fingerprint if self.fold else self.fingerprint

    @property
    def n_train(self) -> int:
        """Return how many examples train."""
        return self.stream.n_train if self.stream else len(self.train)

    @property
    def least_target(self) -> float:
        """Return the least of all targets as held, for regression."""
        if self.stream:
            return self.stream.least_target
        return min(float(part.y.min()) for part in (self.train, self.validation, self.test) if len(part))

    @property
    def target_mean(self) -> NDArray[np.float32]:
        """Return the mean of the training targets as trained on, shape [outputs]; [0] where they are no numbers."""
        if self.task != "regression":
            return np.zeros(1, np.float32)
        if self.stream:
            return self.stream.y_mean.astype(np.float32)
        mean: NDArray[np.float32] = self.train.y.mean(axis=0, dtype=np.float32)
        return mean

    @property
    def train_labels(self) -> dict[str, int]:
        """Return how many training examples each class has, by its name; empty where there are no classes."""
        if self.task != "classification":
            return {}
        if self.stream:
            counts = self.stream.label_counts
        else:
            counts = np.bincount(self.train.y.astype(np.int64), minlength=len(self.target_names))
        return dict(zip(self.target_names, counts.tolist(), strict=True))

    @property
    def n_features(self) -> int:
        """Return the number of inputs of a network."""
        return len(self.x_offset) or int(self.train.x.shape[1])

    @property
    def n_outputs(self) -> int:
        """Return the number of classes, of outputs, or of different tokens."""
        return len(self.target_names)

    @property
    def summary(self) -> "Summary":
        """Return what a form can tell of them."""
        return Summary(
            n_train=self.fold.least_train if self.fold else self.n_train,
            n_validation=self.fold.most_validation if self.fold else len(self.validation),
            n_test=len(self.test),
            n_features=self.n_features,
            target_names=self.target_names,
            task=self.task,
            image_shape=self.image_shape,
            categories=tuple(map(len, self.categories)),
            buffer=self.buffer,
            feature_bytes=self.stream.outlines[0][1].itemsize if self.stream else 4,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """What a form can tell of a source: counts of examples and features, names of outputs (classes, tokens).

    Of folds, the fewest that train and the most that validate, which differ by one at most.

    Attributes:
        categories: as `Inputs` has them.
        buffer: as in `Splits`.
        feature_bytes: of a feature as a buffer holds it.
    """

    n_train: int
    n_validation: int
    n_test: int
    n_features: int
    target_names: tuple[str, ...]
    task: Task
    image_shape: ImageShape | None
    categories: tuple[int, ...] = ()
    buffer: int = 0
    feature_bytes: int = 4

    @property
    def n_outputs(self) -> int:
        """Return the number of classes, or of outputs."""
        return len(self.target_names)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Return the names of the classes; None where there are none."""
        return self.target_names if self.task == "classification" else None

    @property
    def inputs(self) -> Inputs:
        """Return what an example is made of, as a model sees it."""
        vocabulary = self.n_outputs if self.task == "language_modeling" else 0
        return Inputs(self.n_features, self.image_shape, vocabulary, self.categories)
