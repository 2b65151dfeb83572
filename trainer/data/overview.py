"""What a person looks at before training on examples: how the classes are balanced, ranges, a few of the examples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.section import Table
from trainer.data.split import Rows
from trainer.data.vocabulary import Vocabulary

MOST_COLUMNS = 8
"""Features or outputs that are told of."""

_SAMPLES = 3
_PASSAGE = 240


@dataclass(frozen=True, slots=True)
class Range:
    """The values of a feature or an output in the training part, in its own units."""

    name: str
    least: float
    mean: float
    greatest: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A training example.

    Attributes:
        target: its class, or the value of its first output.
        values: of the features that are told of; none for a picture.
    """

    target: str | float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is to know of examples before they are scaled, from the training part.

    Attributes:
        number_type: NumPy's name of the type that the features are held in.
        features: the first few, or all pixels together.
        outputs: the first few; none for classes.
        classes: training examples by the name of their class, in its order; or how often each token is to be predicted,
            the most frequent first; none for numbers.
        samples: one each of the first classes, or the first few; none of a text.
        warnings: what was found odd while reading, one line each.
        text: how the training part begins; "" where it is no text.
    """

    number_type: str
    features: tuple[Range, ...]
    outputs: tuple[Range, ...]
    classes: tuple[tuple[str, int], ...]
    samples: tuple[Sample, ...]
    warnings: tuple[str, ...]
    text: str = ""


def overview_of(table: Table, train: Rows) -> Overview:
    """Return the overview of a table without missing values, of which these rows train."""
    if table.vocabulary is not None:
        return _overview_of_text(table, table.vocabulary, train)
    y = table.y[train]
    classifies = table.task == "classification"
    counts = np.bincount(y, minlength=table.n_outputs).tolist() if classifies else []
    return Overview(
        number_type=table.x.dtype.name,
        features=_ranges(("pixel",), table.x[train].reshape(-1, 1))
        if table.image_shape
        else _ranges(table.feature_names, table.x[:, :MOST_COLUMNS][train]),
        outputs=() if classifies else _ranges(table.target_names, y[:, :MOST_COLUMNS]),
        classes=tuple(zip(table.target_names, counts, strict=True)) if classifies else (),
        samples=tuple(_samples(table, train)),
        warnings=table.warnings,
    )


def _overview_of_text(table: Table, vocabulary: Vocabulary, train: Rows) -> Overview:
    counts = np.bincount(table.y[train].ravel(), minlength=table.n_outputs)
    classes = ((table.target_names[token], int(counts[token])) for token in np.argsort(-counts, kind="stable"))
    beginning = vocabulary.spelled(table.x[train[:_PASSAGE]].ravel()[:_PASSAGE])
    return Overview(table.x.dtype.name, (), (), tuple(classes), (), table.warnings, beginning)


def _ranges(names: tuple[str, ...], columns: NDArray[Any]) -> tuple[Range, ...]:
    rows = zip(names, columns.min(axis=0), columns.mean(axis=0, dtype=np.float64), columns.max(axis=0), strict=False)
    return tuple(Range(name, float(least), float(mean), float(greatest)) for name, least, mean, greatest in rows)


def _samples(table: Table, train: Rows) -> list[Sample]:
    classifies = table.task == "classification"
    places = np.unique(table.y[train], return_index=True)[1] if classifies else np.arange(len(train))
    shown = 0 if table.image_shape else MOST_COLUMNS
    return [
        Sample(
            table.target_names[int(table.y[row])] if classifies else float(table.y[row, 0]),
            tuple(table.x[row, :shown].astype(np.float64).tolist()),
        )
        for row in train[places[:_SAMPLES]]
    ]
