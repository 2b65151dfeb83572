"""What a person looks at before training on examples: their columns, how the classes are balanced, a few of them."""

from dataclasses import dataclass

import numpy as np

from trainer.data.column_facts import ColumnFacts, columns_of, facts_of_columns, facts_of_numbers, value_in
from trainer.data.section import ImageShape, Table
from trainer.data.split import Rows
from trainer.data.vocabulary import Vocabulary
from trainer.thumbnails import thinned_shape, thumbnail

MOST_COLUMNS = 1000
"""Columns or outputs that are told of."""

_SAMPLES = 12
_PASSAGE = 240


@dataclass(frozen=True, slots=True)
class Sample:
    """A training example.

    Attributes:
        target: its class, or the value of its first output.
        values: of the columns that are told of, words for categories; none for a picture.
        pixels: of the picture that it is, as `thumbnail` has them; else none.
    """

    target: str | float
    values: tuple[str | float, ...]
    pixels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is to know of examples before they are scaled, from the training part.

    Attributes:
        number_type: NumPy's name of the type that the features are held in.
        columns: the first of them, or all pixels together; none of a text.
        n_columns: how many there are; one for the pixels of pictures.
        target: name of the column to predict, "" where there are no such columns.
        outputs: the first of them; none for classes.
        classes: training examples by the name of their class, in its order; or how often each token is to be predicted,
            the most frequent first; none for numbers.
        samples: of each class in turn, or the first few; none of a text.
        image_shape: of the pictures that the samples are, as far as they are shown, or None.
        warnings: what was found odd while reading, one line each.
        text: how the training part begins; "" where it is no text.
    """

    number_type: str
    columns: tuple[ColumnFacts, ...]
    n_columns: int
    target: str
    outputs: tuple[ColumnFacts, ...]
    classes: tuple[tuple[str, int], ...]
    samples: tuple[Sample, ...]
    image_shape: ImageShape | None
    warnings: tuple[str, ...]
    text: str = ""

    @property
    def counted(self) -> str:
        """Return what `classes` counts: a class or a token."""
        return "token" if self.text else "class"


def overview_of(read: Table, table: Table, train: Rows) -> Overview:
    """Return the overview of examples.

    Args:
        read: the examples as they were read.
        table: the same without missing values.
        train: rows of the training part.
    """
    if table.vocabulary is not None:
        return _overview_of_text(table, table.vocabulary, train)
    y = table.y[train]
    classifies = table.task == "classification"
    counts = np.bincount(y, minlength=table.n_outputs).tolist() if classifies else []
    columns = facts_of_columns(read, table, train, MOST_COLUMNS)
    return Overview(
        number_type=table.x.dtype.name,
        columns=columns,
        n_columns=1 if table.image_shape else len(columns_of(table)),
        target=table.target,
        outputs=() if classifies else facts_of_numbers(table.target_names[:MOST_COLUMNS], y[:, :MOST_COLUMNS]),
        classes=tuple(zip(table.target_names, counts, strict=True)) if classifies else (),
        samples=tuple(
            _sample(table if table.image_shape else read, int(row), columns) for row in train[_chosen(table, train)]
        ),
        image_shape=thinned_shape(table.image_shape),
        warnings=table.warnings,
    )


def _overview_of_text(table: Table, vocabulary: Vocabulary, train: Rows) -> Overview:
    counts = np.bincount(table.y[train].ravel(), minlength=table.n_outputs)
    classes = ((table.target_names[token], int(counts[token])) for token in np.argsort(-counts, kind="stable"))
    beginning = vocabulary.spelled(table.x[train[:_PASSAGE]].ravel()[:_PASSAGE])
    return Overview(table.x.dtype.name, (), 0, "", (), tuple(classes), (), None, table.warnings, beginning)


def _chosen(table: Table, train: Rows) -> Rows:
    """Return places of examples to show: the first of each class, then the second of each, and so on."""
    if table.task != "classification":
        return np.arange(min(_SAMPLES, len(train)))
    y = table.y[train]
    order = np.argsort(y, kind="stable")
    ordered = y[order]
    number_in_class = np.arange(len(y)) - np.searchsorted(ordered, ordered)
    return order[np.argsort(number_in_class, kind="stable")[:_SAMPLES]]


def _sample(table: Table, row: int, columns: tuple[ColumnFacts, ...]) -> Sample:
    target = table.target_names[int(table.y[row])] if table.task == "classification" else float(table.y[row, 0])
    if table.image_shape is None:
        return Sample(target, tuple(value_in(table.x[row], *span) for span in columns_of(table)[: len(columns)]))
    (pixel,) = columns
    assert pixel.least is not None
    assert pixel.greatest is not None
    return Sample(target, (), tuple(thumbnail(table.x[row], table.image_shape, pixel.least, pixel.greatest)))
