"""Examples that stay in their files, made ready to train: one pass over all of them, and what is held of them.

Those that validate and test are held as usual, and are therefore at most as many as a buffer has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from trainer.data.chunks import Chunks
from trainer.data.fitting import constant, require_finite
from trainer.data.left import Left
from trainer.data.missing import listed
from trainer.data.outline import Outline, Stretches, outline_of
from trainer.data.scaling import UNSCALED, Scaling, fitted
from trainer.data.section import Standardize
from trainer.data.split import split_warnings
from trainer.data.splits import Part, Splits
from trainer.data.stored import Stored
from trainer.data.stream import Stream, StreamReader
from trainer.data.survey import Columns, columns_of
from trainer.task import Task


class _Surveyed(NamedTuple):
    """What a pass found: features, targets that are numbers, and the SHA-256 of all."""

    x: Columns
    y: Columns | None
    digest: str


def load_stream(left: Left) -> Splits:
    """Read all examples once; return what is held of them, and the rest as a stream. Raises ConfigError."""
    outline = outline_of(left)
    names = outline.feature_names, outline.target_names
    found = _survey(left.x, left.y, outline.chunks, outline.parts[0].tobytes(), names, outline.census.task)
    stream = _stream(outline, found)
    _require_finite(stream.x_scaling, found.x, outline.feature_names)
    bounds = outline.chunks.bounds
    stretches = [outline.sample, *([bounds(chunk) for chunk in part.tolist()] for part in outline.parts[1:])]
    with stream.opened() as reader:
        train, validation, test = (_part(stream, reader, its) for its in stretches)
    scalings = stream.x_scaling, stream.y_scaling
    x, y = ((scaling.offset.astype(np.float32), scaling.scale.astype(np.float32)) for scaling in scalings)
    return Splits(
        train=train,
        validation=validation,
        test=test,
        task=outline.census.task,
        feature_names=outline.feature_names,
        target_names=outline.target_names,
        image_shape=outline.image_shape,
        categories=(),
        x_offset=x[0],
        x_scale=x[1],
        y_offset=y[0],
        y_scale=y[1],
        fingerprint=_fingerprint(outline, found),
        warnings=tuple(_warnings(outline, stream)),
        stream=stream,
        sampled=outline.places,
        buffer=outline.buffer,
    )


@lru_cache(maxsize=8)
def _survey(
    x: Stored, y: Stored, chunks: Chunks, trains: bytes, names: tuple[tuple[str, ...], ...], task: Task
) -> _Surveyed:
    """Read all; the second time is free, until a file is another, or what trains of it."""
    digest, its = hashlib.sha256(), np.frombuffer(trains, np.int64)
    features = columns_of(x, names[0], "data.features", chunks, its, digest.update)
    if task == "regression":
        targets = columns_of(y, names[1], "data.target", chunks, its, digest.update)
        return _Surveyed(features, targets, digest.hexdigest())
    for _, labels in chunks.of_array(y):
        digest.update(np.ascontiguousarray(labels).data)
    return _Surveyed(features, None, digest.hexdigest())


def _stream(outline: Outline, found: _Surveyed) -> Stream:
    section, y = outline.left.section, found.y
    y_scaling = UNSCALED if y is None else _fitted(y, "standard" if section.scales_target else "none")
    means = np.zeros(1) if y is None else (y.train.mean - y_scaling.offset) / y_scaling.scale
    return Stream(
        x=outline.left.x,
        y=outline.left.y,
        chunks=outline.chunks,
        trains=outline.parts[0],
        seed=section.seed,
        classes=outline.census.classes,
        label_counts=outline.census.counts[:, 0],
        x_scaling=_fitted(found.x, section.standardize),
        y_scaling=y_scaling,
        y_mean=means,
        least_target=0.0 if y is None else float(y.all.low.min()),
    )


def _fitted(columns: Columns, kind: Standardize) -> Scaling:
    train = columns.train
    return fitted(train.low, train.high, lambda _: (train.mean, train.deviation), kind)


def _require_finite(scaling: Scaling, x: Columns, names: tuple[str, ...]) -> None:
    """Refuse a value that, scaled, leaves the 32-bit floats."""
    ends = scaling.apply(np.stack([x.all.low, x.all.high]))
    require_finite(ends, names)


def _part(stream: Stream, reader: StreamReader, stretches: Stretches) -> Part:
    """Return the examples of some stretches, held as usual."""
    count = sum(stop - start for start, stop in stretches)
    (features, _), (outputs, y_type) = stream.outlines
    part = Part(np.empty((count, *features), np.float32), np.empty((count, *outputs), y_type))
    place = 0
    for start, stop in stretches:
        rows = slice(place, place + stop - start)
        part.x[rows], part.y[rows] = reader.features(start, stop), reader.targets(start, stop)
        place = rows.stop
    return part


def _warnings(outline: Outline, stream: Stream) -> Iterator[str]:
    section = outline.left.section
    yield from constant(section, outline, stream.x_scaling, stream.y_scaling)
    yield from outline.warnings
    census = outline.census
    if census.task == "classification":
        sizes, (trains, validate) = census.counts.sum(axis=1), census.counts.T[:2]
        if len(untrained := np.flatnonzero(trains == 0)):
            yield f"classes that no training example is of: {listed([outline.target_names[i] for i in untrained])}"
        yield from split_warnings(sizes, outline.target_names, validate, section.validation_split)


def _fingerprint(outline: Outline, found: _Surveyed) -> str:
    """Return what is another whenever the examples, their split, their scaling or the order of their chunks are."""
    section = outline.left.section
    told = (
        "streamed", section.standardize, section.scales_target, section.seed, outline.census.task, outline.buffer,
        outline.feature_names, outline.target_names, outline.chunks.length, found.digest,
    )  # fmt: skip
    digest = hashlib.sha256(json.dumps(told).encode())
    for part in outline.parts:
        digest.update(f"{part.shape}".encode())
        digest.update(part.tobytes())
    return digest.hexdigest()
