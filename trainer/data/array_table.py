"""From arrays to the one table: what features and targets may be, whichever file the arrays are from."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data.missing import Gaps
from trainer.data.parts import Arrays, Parts, joined
from trainer.data.refusal import DataFile
from trainer.data.scaling import LARGEST
from trainer.data.section import AskedTask, ImageShape, Missing, Table
from trainer.data.target import class_indices, task_of_numbers
from trainer.problems import ConfigError
from trainer.task import Task
from trainer.text import quoted

MOST_FEATURES = 100_000
"""Numbers of one example."""


def table_of_arrays(parts: Parts[Arrays], asked: AskedTask, missing: Missing) -> Table:
    """Return the examples, each as one row of numbers.

    Features of shape [examples, rows, columns] are grey pictures; with a fourth axis of 1 or 3 channels they are grey
    or in colour.

    Args:
        parts: the arrays; targets of shape [examples] or [examples, outputs].
        asked: the task, or "auto".
        missing: what to do about a missing value: NaN, an empty label.

    Raises:
        ConfigError: one line that names the file.
    """
    check_alike(parts)
    shape = parts.train.x.shape[1:]
    names = feature_names_of(parts.train, shape)
    warnings: list[str] = []
    sound = parts.map(lambda part: _sound(part, names, asked, missing, warnings))
    y, task, target_names = _target(sound.present, asked)
    return Table(
        x=joined([part.x for part in sound.present]),
        y=y,
        task=task,
        feature_names=names,
        target_names=target_names,
        image_shape=image_shape_of(shape),
        warnings=tuple(warnings),
        n_validation=len(sound.validation.x) if sound.validation else 0,
        n_test=len(sound.test.x) if sound.test else 0,
    )


def check_alike(parts: Parts[Arrays]) -> None:
    """Refuse arrays that cannot be trained on, or that are not like those of the training part."""
    ours = parts.train
    for part in parts.present:
        file, x, y = part.file, part.x, part.y
        if not x.ndim or not y.ndim or len(x) != len(y):
            raise _unequal(part)
        if not x.size or not y.size:
            raise file.refused(f"must hold examples, got {list(x.shape)} and {list(y.shape)}. Add examples.")
        if x.dtype.kind == "U":
            raise file.refused("must name an array of numbers, got one of text. Encode it.", key="data.features")
        if x.shape[1:] != ours.x.shape[1:] or y.shape[1:] != ours.y.shape[1:]:
            raise file.refused(
                f"must hold examples of the shape that training has, {list(ours.x.shape[1:])} with targets"
                f" {list(ours.y.shape[1:])}, got {list(x.shape[1:])} with {list(y.shape[1:])}."
            )
        if (y.dtype.kind == "U") != (ours.y.dtype.kind == "U"):
            raise file.refused("must hold targets of the type that training has, got text and numbers. Save one kind.")


def _unequal(part: Arrays) -> ConfigError:
    x, y = list(part.x.shape), list(part.y.shape)
    if part.target_file:
        name = quoted(part.file.path.name)
        return part.target_file.refused(f"must hold a target for each example of {name}, got {y} for {x}.")
    return part.file.refused(
        f"must hold arrays with as many examples each, got '{part.features}' {x} and '{part.target}' {y}."
    )


def feature_names_of(part: Arrays, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return a name for each number of an example of this shape. Raises ConfigError: there are too many."""
    count = int(np.prod(shape, dtype=np.int64))
    if count > MOST_FEATURES:
        raise part.file.refused(
            f"must hold at most {MOST_FEATURES} numbers an example, got {count}.", key="data.features"
        )
    name = part.features
    return tuple(f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)) if shape else (name,)


def image_shape_of(shape: tuple[int, ...]) -> ImageShape | None:
    """Return the shape of the picture that each example of this shape is, or None."""
    match shape:
        case rows, columns:
            return rows, columns, 1
        case rows, columns, 1 | 3 as channels:
            return rows, columns, channels
    return None


def _sound(part: Arrays, names: tuple[str, ...], asked: AskedTask, missing: Missing, warnings: list[str]) -> Arrays:
    """Return the arrays as [examples, features] and [examples, outputs], in range; NaN only where it is filled in."""
    x, y = _flat(part.x), _target_shape(part, asked)
    gaps = Gaps(len(x))
    if missing != "impute":
        _note_gaps(gaps, x, names)
    file = part.file if gaps.rows.any() else part.file_of_targets
    _note_gaps(gaps, y, tuple(f"{part.target}[{index}]" for index in range(y.shape[1])))
    warnings.extend(gaps.settle(missing, file, lambda row: (f"row {row + 1}", 0)))
    if gaps.rows.any():
        x, y = x[~gaps.rows], y[~gaps.rows]
    _check_range(x, "data.features", part.file)
    _check_range(y, "data.target", part.file_of_targets)
    return replace(part, x=x, y=y)


def _flat(x: NDArray[Any]) -> NDArray[Any]:
    flat = x.reshape(len(x), -1)
    return flat.astype(np.float32) if flat.dtype == np.float16 else flat


def _target_shape(part: Arrays, asked: AskedTask) -> NDArray[Any]:
    """Return the targets as [examples, outputs]."""
    n_outputs = n_outputs_of(part, asked)
    y = part.y.reshape(len(part.y), -1)
    if asked == "auto" and n_outputs > 1 and is_one_hot(y):
        raise one_hot(part.file_of_targets)
    return y


def n_outputs_of(part: Arrays, asked: AskedTask) -> int:
    """Return how many columns the targets have. Raises ConfigError: they can be neither classes nor numbers."""
    y, n_outputs = part.y, part.y.shape[1] if part.y.ndim > 1 else 1
    if y.ndim > 2 or (n_outputs > 1 and (asked == "classification" or y.dtype.kind == "U")):
        shape = [len(y), n_outputs] if y.ndim < 3 else list(y.shape)
        raise part.file_of_targets.refused(
            f"must name an array of one class an example, or of [examples, outputs] numbers, got {shape}.",
            key="data.target",
        )
    return n_outputs


def is_one_hot(y: NDArray[Any]) -> bool:
    """Return whether each row of targets, shape [examples, outputs], is a 1 among zeros."""
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())


def one_hot(file: DataFile) -> ConfigError:
    """Return the error to raise about targets that are one-hot."""
    return file.refused(
        "must not be one-hot, got a 1 and zeros in each row. Save y.argmax(axis=1), or set"
        ' data.task = "regression" if they are numbers.',
        key="data.target",
    )


def _note_gaps(gaps: Gaps, columns: NDArray[Any], names: tuple[str, ...]) -> None:
    if columns.dtype.kind not in "fU":
        return
    missing = columns == "" if columns.dtype.kind == "U" else np.isnan(columns)
    for index in np.flatnonzero(missing.any(axis=0)):
        gaps.add(names[index], missing[:, index])


def _check_range(columns: NDArray[Any], key: str, file: DataFile) -> None:
    if columns.dtype.kind != "f" or columns.dtype.itemsize < 4:
        return
    large = np.abs(columns) > LARGEST
    if large.any():
        row = int(large.any(axis=1).argmax())
        value, place = columns[row][large[row]][0], row + 1
        raise file.refused(
            f"must hold finite numbers below {LARGEST}, got {value} in row {place}. Correct it.", key=key
        )


def _target(parts: list[Arrays], asked: AskedTask) -> tuple[NDArray[Any], Task, tuple[str, ...]]:
    ours = parts[0]
    text, single, name = ours.y.dtype.kind == "U", ours.y.shape[1] == 1, ours.target
    if text and asked == "regression":
        raise ours.file_of_targets.refused(
            'must hold numbers for data.task = "regression", got text.', key="data.target"
        )
    guess: Task = "classification" if text else task_of_numbers(ours.y[:, 0]) if single else "regression"
    task = guess if asked == "auto" else asked
    if task == "classification":
        indices, names = class_indices([(part.y[:, 0], part.file_of_targets) for part in parts])
        return indices, task, names
    names = (name,) if single else tuple(f"{name}[{index}]" for index in range(ours.y.shape[1]))
    return joined([part.y.astype(np.float64) for part in parts]), task, names
