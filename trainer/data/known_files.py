"""What is in the files of the sets that have a name: pictures of one shape, in ten classes."""

from dataclasses import replace

import numpy as np

from trainer.data.array_table import table_of_arrays
from trainer.data.content import read_content
from trainer.data.npz_file import read_npz
from trainer.data.parts import Arrays, Parts, joined
from trainer.data.reading import read_four
from trainer.data.refusal import DataFile
from trainer.data.section import ImageShape, Table

_SIDE, _CHANNELS = 32, 3
_RECORD = 1 + _SIDE * _SIDE * _CHANNELS
"""Bytes of a picture of CIFAR-10: its label, then all of red, of green, of blue, row by row."""


def read_known(files: list[DataFile], shape: ImageShape, classes: tuple[str, ...]) -> Table:
    """Return the pictures, those that test at the end.

    Args:
        files: Keras' archive, MNIST's four, or six batches of CIFAR-10.
        shape: that the pictures must have.
        classes: names of the classes, by index.

    Raises:
        ConfigError: one line that names the file.
    """
    readers = {1: _archive, 4: read_four, 6: _batches}
    return table_of_known(readers[len(files)](files), shape, classes)


def table_of_known(parts: Parts[Arrays], shape: ImageShape, classes: tuple[str, ...]) -> Table:
    """Return the pictures; arguments and errors as of `read_known`."""
    parts = parts.map(lambda part: replace(part, features="pixel", target="class"))
    table = table_of_arrays(parts, "classification", "error")
    if (table.image_shape, table.target_names) != (shape, tuple(map(str, range(len(classes))))):
        raise parts.train.file.refused(
            f"must hold pictures of {shape[0]} x {shape[1]} in {len(classes)} classes from 0, got"
            f" {list(parts.train.x.shape[1:])} in {table.n_outputs}. Name the folder of the set."
        )
    return replace(table, target_names=classes)


def _archive(files: list[DataFile]) -> Parts[Arrays]:
    (file,) = files
    content = read_content(file)
    train, test = (read_npz(content, file, f"x_{part}", f"y_{part}") for part in ("train", "test"))
    return Parts(train, test=test)


def _batches(files: list[DataFile]) -> Parts[Arrays]:
    batches = [_batch(file) for file in files]
    train = batches[:-1]
    x, y = joined([batch.x for batch in train]), joined([batch.y for batch in train])
    return Parts(Arrays(files[0], x, y), test=batches[-1])


def _batch(file: DataFile) -> Arrays:
    content = read_content(file)
    if len(content) % _RECORD:
        raise file.refused(f"must hold pictures of {_RECORD} bytes, got {len(content)} bytes. Unpack it again.")
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    planes = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return Arrays(file, planes.transpose(0, 2, 3, 1), records[:, 0])
