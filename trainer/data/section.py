"""What every data source has in common: its settings, and what its `read` gives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ValidationInfo, field_validator

from trainer.fields import Section, fixed, structural
from trainer.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainer.data.left import Left
    from trainer.data.vocabulary import Vocabulary

AskedTask = Literal["auto", "classification", "regression"]
Missing = Literal["error", "drop", "impute"]
Categories = Literal["one_hot", "embedding"]
Standardize = Literal["none", "standard", "minmax", "minmax_all"]
ImageShape = tuple[int, int, int]
"""Rows, columns and channels: 1 for grey, 3 for red, green and blue."""

LEAST_EXAMPLES = 2
"""That are left to train."""


UNSEEN = "unseen"
"""Stands for every category that no training example has; where categories are numbered, it is 0."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one feature or several are made of.

    Attributes:
        name: safe to show.
        words: its categories, safe to show; none for a column of numbers.
        is_embedded: whether it stays one feature, the number of its category from 1 on, 0 for `UNSEEN`; else each word
            is a feature of 0 and 1.
    """

    name: str
    words: tuple[str, ...] = ()
    is_embedded: bool = False

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the names of its features."""
        return tuple(f"{self.name}={word}" for word in self.words if not self.is_embedded) or (self.name,)

    @property
    def numbered(self) -> tuple[str, ...]:
        """Return its categories by their numbers, if it is embedded."""
        return (UNSEEN, *self.words) if self.is_embedded else ()


@dataclass(frozen=True, slots=True)
class Table:
    """Examples as a source holds them, before split and scaling.

    Attributes:
        x: features, real numbers, shape [examples, features]; finite, or NaN where a value is to be filled in. Of a
            text tokens, unsigned integers, shape [examples, context].
        y: class indices (integers, shape [examples]), outputs (floats, shape [examples, outputs]), or of a text the
            token that follows each of `x`.
        task: classification where `y` holds class indices, language modeling where it holds tokens.
        feature_names: one a column of `x`; none for tokens.
        target_names: one a class, one an output, or one a token.
        image_shape: of the picture that each example is, or None.
        columns: what the features are made of, in their order; empty where each is a column of numbers.
        target: name of the column to predict, safe to show; "" where the examples have no such columns.
        warnings: what was found odd while reading, one line each.
        n_validation, n_test: examples at the end that the source itself sets aside, those that validate first; 0 where
            the part is to be drawn.
        vocabulary: what the tokens of a text stand for, else None.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    task: Task
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    image_shape: ImageShape | None = None
    columns: tuple[Column, ...] = ()
    target: str = ""
    warnings: tuple[str, ...] = ()
    n_validation: int = 0
    n_test: int = 0
    vocabulary: Vocabulary | None = None

    @property
    def categories(self) -> tuple[tuple[str, ...], ...]:
        """Return for each feature its categories by their numbers, none for a number; empty if none is embedded."""
        if not any(column.is_embedded for column in self.columns):
            return ()
        return tuple(column.numbered for column in self.columns for _ in column.feature_names)

    @property
    def n_outputs(self) -> int:
        """Return the number of classes, of outputs, or of different tokens."""
        return len(self.target_names)


def standardize_field(default: Standardize) -> Any:
    """Declare how features are scaled, with the default that suits the source."""
    return fixed(
        default,
        "Scaling fitted on the training part: to mean 0 and deviation 1; to 0 to 1; minmax_all: by one scale for all.",
        source="LeCun et al. 1998",
    )


def categories_field() -> Any:
    """Declare what becomes of columns of words."""
    return structural(
        "one_hot",
        "A column of words: one_hot, 0 and 1 for each word; embedding, a vector that is learned, for many words.",
        source="Guo and Berkhahn 2016",
    )


def ignore_field() -> Any:
    """Declare columns that are left out."""
    return structural(
        (), "Columns of a table to leave out, parted by commas, such as names of people and numbers of rows.",
        max_length=10_000,
    )  # fmt: skip


def task_field() -> Any:
    """Declare what the target asks for."""
    return structural("auto", "Classes or numbers; auto: text and few whole numbers are classes.")


def missing_field() -> Any:
    """Declare what is done about a missing value."""
    return fixed(
        "error", "A missing value: refuse the file, leave the example out, or fill in the median or the word missing."
    )


class DataSection(Section):
    """`data`: the settings of every source. A source adds `source` and its own fields, and reads its examples.

    The examples have an order, and the source says itself which of them validate and test.
    """

    PATHS: ClassVar[tuple[str, ...]] = ()
    """Fields that name files or folders."""

    validation_split: float = structural(
        0.2,
        "Share of the examples that validates and is never trained on; with k_fold, each fold has its own part.",
        source="Keras' fit",
        ge=0,
        lt=0.9,
    )
    test_split: float = structural(
        0.0, "Share of the examples set aside for one look at the very end.", advanced=True, ge=0, lt=0.9
    )

    @field_validator("test_split")
    @classmethod
    def _leave_examples_to_train(cls, test_split: float, info: ValidationInfo) -> float:
        validation_split = info.data.get("validation_split", 0.0)
        if test_split + validation_split > 0.95:
            raise ValueError(
                f"must leave at least 0.05 to train beside validation_split = {validation_split}, got {test_split}."
                " Lower one of them."
            )
        return test_split

    def stamp(self, file_base: Path | None) -> Hashable:  # noqa: ARG002
        """Return what is another whenever the source's files are others. Raises `ConfigError`, as `read`."""
        return None

    def left_in_files(self, file_base: Path | None) -> Left | None:  # noqa: ARG002
        """Return the examples where they are to stay in their files and stream, else None. Raises `ConfigError`."""
        return None

    @property
    def scales_target(self) -> bool:
        """Return whether a target that is a number is trained on scaled."""
        return False

    @property
    def folds(self) -> int:
        """Return into how many folds the examples are divided; 0 for a single split."""
        return 0

    @property
    def trains_all_folds(self) -> bool:
        """Return whether each of them is a run of its own."""
        return False

    def fetch(self, file_base: Path | None) -> None:
        """Bring what is elsewhere onto this machine, which may take long; `read` does not. Raises `ConfigError`."""

    @abstractmethod
    def read(self, file_base: Path | None) -> Table:
        """Return all examples of the source, in an order that depends on nothing but the section and its file.

        Args:
            file_base: folder that a relative path starts from; None for the working folder.

        Raises:
            ConfigError: they cannot be read or cannot be trained on.
        """


class TableSection(DataSection):
    """A source of examples without an order: those that validate and test are drawn, features are scaled."""

    k_fold: int = fixed(
        0, "Folds: so many runs at once, each validated on another part of the examples. 0 is off; 5 or 10 is usual.",
        unit="folds", ge=0, le=256, source="Stone 1974; Kohavi 1995",
    )  # fmt: skip
    fold: int = fixed(
        0, "Which of the folds validates; 0 trains all of them, this run the first.", advanced=True, ge=0, le=256
    )
    seed: int = fixed(0, "Seed of the split and of generated points.", advanced=True, ge=0, lt=2**63)
    standardize: Standardize = standardize_field("standard")

    @field_validator("k_fold")
    @classmethod
    def _is_no_single_fold(cls, k_fold: int) -> int:
        if k_fold == 1:
            raise ValueError("must be 0 or at least 2, got 1. Use 0 for a single split.")
        return k_fold

    @field_validator("fold")
    @classmethod
    def _is_one_of_the_folds(cls, fold: int, info: ValidationInfo) -> int:
        if "k_fold" in info.data and fold > (k_fold := info.data["k_fold"]):
            raise ValueError(f"must be at most k_fold = {k_fold}, got {fold}.")
        return fold

    @property
    def folds(self) -> int:  # noqa: D102
        return self.k_fold

    @property
    def trains_all_folds(self) -> bool:  # noqa: D102
        return self.k_fold > 0 and not self.fold


class NumericTargetSection(TableSection):
    """A source whose target may be a number."""

    standardize_target: bool = fixed(
        True, "Train on the target scaled to zero mean and unit variance; metrics are told in its own units."
    )

    @property
    def scales_target(self) -> bool:  # noqa: D102
        return self.standardize_target
