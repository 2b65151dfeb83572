"""What is known of examples that stay in their files without reading their features: counts, classes, a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.data.array_table import check_alike, feature_names_of, image_shape_of, n_outputs_of
from trainer.data.census import Census, census_of
from trainer.data.chunks import Chunks, drawn, ordered
from trainer.data.fitting import require_some
from trainer.data.left import Left
from trainer.data.overview import Overview, overview_of
from trainer.data.parts import Arrays, Parts
from trainer.data.section import ImageShape, Table
from trainer.data.split import Rows
from trainer.data.splits import Summary
from trainer.data.stored import Stored
from trainer.data.stream import buffer_of, buffered
from trainer.data.target import class_names, indices_of

_SAMPLED: Final = (64, 256)
"""Chunks of the training part that a sample is of, and how many examples of each."""

Stretches = Sequence[tuple[int, int]]
"""First row and the row after the last of each."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known without the features.

    Attributes:
        left: the files.
        feature_names, target_names, image_shape: as in `Splits`.
        buffer: examples of one, before it is made of whole batches.
        chunks: of the examples.
        parts: chunks that train, validate and test.
        census: of the target.
        sample: training examples by their rows.
    """

    left: Left
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    image_shape: ImageShape | None
    buffer: int
    chunks: Chunks
    parts: tuple[Rows, Rows, Rows]
    census: Census
    sample: Stretches

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what differs from what was asked for, one line each."""
        found, data = [], self.summary
        for name, count in (("validation", data.n_validation), ("test", data.n_test)):
            share = getattr(self.left.section, f"{name}_split")
            if count + self.chunks.length < share * self.chunks.n_rows:
                asked = f"data.{name}_split = {share} of {self.chunks.n_rows:,} examples"
                found.append(f"{asked} is cut to {count:,}: where examples stream, as many as a buffer has")
        return tuple(found)

    @property
    def places(self) -> NDArray[np.int64]:
        """Return the place of each sampled example among those that train."""
        trains, starts = self.parts[0], np.array([start for start, _ in self.sample])
        sizes = self.chunks.sizes(trains)
        firsts = (np.cumsum(sizes) - sizes)[np.searchsorted(trains, starts // self.chunks.length)]
        counts = (stop - start for start, stop in self.sample)
        return np.concatenate([first + np.arange(count) for first, count in zip(firsts, counts, strict=True)])

    @property
    def summary(self) -> Summary:
        """Return counts and shapes."""
        n_train, n_validation, n_test = map(self.chunks.rows, self.parts)
        shapes = len(self.feature_names), self.target_names, self.census.task, self.image_shape
        return Summary(
            n_train, n_validation, n_test, *shapes, buffer=self.buffer, feature_bytes=buffered(self.left.x).itemsize
        )


def outline_of(left: Left) -> Outline:
    """Return the outline of the examples in these files. Raises ConfigError: they cannot be trained on."""
    section, x, y = left
    arrays = Arrays(x.file, x.outline, y.outline, target_file=y.file)
    check_alike(Parts(arrays))
    names, n_outputs = feature_names_of(arrays, x.shape[1:]), n_outputs_of(arrays, section.task)
    require_some(len(x))
    chunks, buffer = Chunks.of(len(x), x.row_bytes), buffer_of(section.buffer_size, len(names))
    parts = drawn(chunks, section.validation_split, section.test_split, buffer, section.seed)
    census = census_of(y, n_outputs, section.task, chunks, parts)
    single = ("y",) if n_outputs == 1 else tuple(f"y[{index}]" for index in range(n_outputs))
    n_chunks, n_each = _SAMPLED
    sampled = (chunks.bounds(chunk) for chunk in ordered(parts[0], section.seed, 0)[:n_chunks].tolist())
    return Outline(
        left,
        names,
        class_names(census.classes) if census.task == "classification" else single,
        image_shape_of(x.shape[1:]),
        buffer,
        chunks,
        parts,
        census,
        [(start, min(stop, start + n_each)) for start, stop in sampled],
    )


def overview_of_sample(outline: Outline) -> Overview:
    """Return balance of all training examples, ranges and a few examples of a sample. Raises ConfigError."""
    x, y = (_rows(array, outline.sample) for array in outline.left[1:])
    census = outline.census
    classifies = census.task == "classification"
    table = Table(
        x=x,
        y=indices_of(y[:, 0], census.classes, outline.left.y.file) if classifies else y.astype(np.float64),
        task=census.task,
        feature_names=outline.feature_names,
        target_names=outline.target_names,
        image_shape=outline.image_shape,
        warnings=(f"ranges are those of {len(x):,} sampled examples: the data stream", *outline.warnings),
    )
    counts = census.counts[:, 0].tolist()
    seen = overview_of(table, table, np.arange(len(x)))
    return replace(seen, classes=tuple(zip(outline.target_names, counts, strict=True)) if classifies else ())


def _rows(array: Stored, stretches: Stretches) -> NDArray[Any]:
    with array.opened() as reader:
        found = [reader.rows(start, stop) for start, stop in stretches]
    return np.concatenate(found).reshape(sum(map(len, found)), -1)
