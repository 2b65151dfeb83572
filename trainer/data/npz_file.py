"""Examples from an .npz archive: an array of features and one of targets."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.missing import Gaps
from trainer.data.npz_archive import read_pair
from trainer.data.refusal import refused
from trainer.data.scaling import LARGEST
from trainer.data.section import AskedTask, ImageShape, Table, Task
from trainer.data.target import classes_of, task_of_numbers
from trainer.text import clean

MOST_FEATURES = 100_000
"""Numbers of one example."""


def read_npz(content: bytes, path: Path, features: str, target: str, asked: AskedTask, drop: bool) -> Table:
    """Return the examples of an archive, each as one row of numbers.

    Arrays of shape [examples, rows, columns] are grey pictures; with a fourth axis of 1 or 3 channels they are grey or
    in colour.

    Args:
        content: of the file.
        path: of the file, for messages.
        features: name of the array of features, shape [examples, ...].
        target: name of the array of targets, shape [examples] or [examples, outputs].
        asked: the task, or "auto".
        drop: whether an example with a missing value (NaN, empty label) is left out rather than refused.

    Raises:
        ConfigError: one line that names the file.
    """
    x, y = read_pair(content, path, features, target)
    names, image_shape = _feature_names(clean(features), x.shape[1:], path)
    x, y = _flat(x), _target_shape(y, asked, path)
    gaps = Gaps(len(x))
    _note_gaps(gaps, x, names)
    _note_gaps(gaps, y, tuple(f"{clean(target)}[{index}]" for index in range(y.shape[1])))
    warnings = gaps.settle(drop, path, lambda row: (f"row {row}", 0))
    if gaps.rows.any():
        x, y = x[~gaps.rows], y[~gaps.rows]
    _check_range(x, "data.features", path)
    _check_range(y, "data.target", path)
    outputs, task, target_names = _target(clean(target), y, asked, path)
    return Table(x, outputs, task, names, target_names, image_shape, warnings)


def _feature_names(name: str, shape: tuple[int, ...], path: Path) -> tuple[tuple[str, ...], ImageShape | None]:
    """Return a name for each feature, and the picture's shape where an example is one."""
    count = int(np.prod(shape, dtype=np.int64))
    if count > MOST_FEATURES:
        raise refused(f"must hold at most {MOST_FEATURES} numbers an example, got {count}.", "data.features", path)
    names = tuple(f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)) if shape else (name,)
    return names, _image_shape(shape)


def _image_shape(shape: tuple[int, ...]) -> ImageShape | None:
    match shape:
        case rows, columns:
            return rows, columns, 1
        case rows, columns, 1 | 3 as channels:
            return rows, columns, channels
    return None


def _flat(x: NDArray[Any]) -> NDArray[Any]:
    flat = x.reshape(len(x), -1)
    return flat.astype(np.float32) if flat.dtype == np.float16 else flat


def _target_shape(y: NDArray[Any], asked: AskedTask, path: Path) -> NDArray[Any]:
    """Return the targets as [examples, outputs]."""
    y = y.reshape(len(y), -1) if y.ndim <= 2 else y
    if y.ndim > 2 or (y.shape[1] > 1 and (asked == "classification" or y.dtype.kind == "U")):
        raise refused(
            f"must name an array of one class an example, or of [examples, outputs] numbers, got {list(y.shape)}.",
            "data.target", path,
        )  # fmt: skip
    if asked == "auto" and y.shape[1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
        raise refused(
            "must not be one-hot, got a 1 and zeros in each row. Save y.argmax(axis=1), or set"
            ' data.task = "regression" if they are numbers.',
            "data.target", path,
        )  # fmt: skip
    return y


def _note_gaps(gaps: Gaps, columns: NDArray[Any], names: tuple[str, ...]) -> None:
    if columns.dtype.kind not in "fU":
        return
    missing = columns == "" if columns.dtype.kind == "U" else np.isnan(columns)
    for index in np.flatnonzero(missing.any(axis=0)):
        gaps.add(names[index], missing[:, index])


def _check_range(columns: NDArray[Any], key: str, path: Path) -> None:
    if columns.dtype.kind != "f" or columns.dtype.itemsize < 4:
        return
    large = ~(np.abs(columns) <= LARGEST)
    if large.any():
        row = int(large.any(axis=1).argmax())
        value = columns[row][large[row]][0]
        raise refused(f"must hold finite numbers below {LARGEST}, got {value} in row {row}. Correct it.", key, path)


def _target(
    name: str, y: NDArray[Any], asked: AskedTask, path: Path
) -> tuple[NDArray[np.int32] | NDArray[np.float64], Task, tuple[str, ...]]:
    text, single = y.dtype.kind == "U", y.shape[1] == 1
    if text and asked == "regression":
        raise refused('must hold numbers for data.task = "regression", got text.', "data.target", path)
    guess: Task = "classification" if text else task_of_numbers(y[:, 0]) if single else "regression"
    task = guess if asked == "auto" else asked
    if task == "classification":
        indices, names = classes_of(y[:, 0])
        return indices, task, names
    return y.astype(np.float64), task, (name,) if single else tuple(f"{name}[{index}]" for index in range(y.shape[1]))
