"""From a set of the Hub to the one table: pictures and their classes, or named columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.data.array_table import table_of_arrays
from trainer.data.image_folder import decoded
from trainer.data.missing import listed
from trainer.data.parts import Arrays, Parts
from trainer.data.record_table import table_of_records
from trainer.data.records import Records, without
from trainer.data.refusal import DataFile, refused
from trainer.text import clean, quoted

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from trainer.data.hub import Answer
    from trainer.data.hugging_face import HuggingFace
    from trainer.data.section import Table

FIELDS = ("part", "validation_part", "test_part")
"""Those that name what trains, validates and tests."""


def table_of_set(section: HuggingFace, answer: Answer) -> Table:
    """Return the examples of a set. Raises ConfigError, in one line."""
    parts = parts_of(answer, section.name or section.folder, tuple(section.parts))
    if not parts.train.frame.columns:
        raise refused("must hold columns of numbers, text, classes or pictures, got none.", "data.name")
    parts = without(parts, section.ignore)
    target = parts.train.column(section.target or _only_label(parts.train, answer))
    parts = _chosen(parts, section.features, target)
    pictures = [name for name in parts.train.frame.columns if answer.kinds.get(name) == "picture" and name != target]
    table = _pictures(section, parts, pictures, target) if pictures else _columns(section, parts, answer, target)
    left_out = [name for name, kind in answer.kinds.items() if not kind]
    told = f"columns that are neither numbers, text, classes nor pictures are left out: {listed(left_out)}"
    return replace(_named(table, answer.names.get(target)), warnings=(*([told] if left_out else []), *table.warnings))


def pictures_of(parts: Parts[Records], picture: str, target: str, size: int, channels: int) -> Parts[Arrays]:
    """Return a column of pictures, decoded, and its targets.

    Args:
        parts: the columns.
        picture: name of that column.
        target: name of the column to predict.
        size: rows and columns that each picture is scaled to.
        channels: 1 for grey, 3 for colour.
    """
    return parts.map(lambda part: _arrays(part, picture, target, size, channels))


def parts_of(answer: Answer, name: str, fields: tuple[str, ...]) -> Parts[Records]:
    """Return the parts of a set by those of `FIELDS` that name them."""
    found = {}
    for field, frame in zip(fields, answer.frames, strict=True):
        found[field] = Records(DataFile(Path(name), f"data.{field}"), frame)
    validation, test = (found.get(field) for field in FIELDS[1:])
    return Parts(found[FIELDS[0]], validation, test)


def _only_label(train: Records, answer: Answer) -> str:
    """Return the column of classes, if there is one alone; else "", which is the last column."""
    labels = [name for name in train.frame.columns if answer.kinds[name] == "label"]
    return labels[0] if len(labels) == 1 else ""


def _chosen(parts: Parts[Records], features: tuple[str, ...], target: str) -> Parts[Records]:
    if not features:
        return parts
    names = [parts.train.column(name, "data.features") for name in features]
    return parts.map(lambda part: part.having(list(dict.fromkeys([*names, target]))))


def _columns(section: HuggingFace, parts: Parts[Records], answer: Answer, target: str) -> Table:
    parts = parts.map(lambda part: replace(part, frame=_in_words(part.frame, answer, target)))
    task = "classification" if target in answer.names and section.task == "auto" else section.task
    return table_of_records(parts, target, task, section.missing, section.categories)


def _in_words(frame: pl.DataFrame, answer: Answer, target: str) -> pl.DataFrame:
    """Return the columns with labels as the names of their classes, but for the target's."""
    import polars as pl

    named = [name for name in frame.columns if name in answer.names and name != target]
    return frame.with_columns(
        frame[name].replace_strict(dict(enumerate(answer.names[name])), default=None, return_dtype=pl.String)
        for name in named
    )


def _pictures(section: HuggingFace, parts: Parts[Records], pictures: list[str], target: str) -> Table:
    if len(pictures) > 1:
        got = ", ".join(map(quoted, pictures))
        raise refused(f"must leave one column of pictures, got {got}. Name the others in it.", "data.ignore")
    arrays = pictures_of(parts, pictures[0], target, section.image_size, section.channels)
    table = table_of_arrays(arrays, section.task, section.missing)
    beside = [name for name in parts.train.frame.columns if name not in (*pictures, target)]
    told = f"columns beside the pictures are left out: {listed(beside)}"
    return replace(table, warnings=(*table.warnings, told)) if beside else table


def _named(table: Table, names: list[str] | None) -> Table:
    """Return the table with the names of its classes in place of their numbers."""
    if names is None or table.task != "classification":
        return table
    return replace(table, target_names=tuple(clean(names[int(number)]) for number in table.target_names))


def _arrays(part: Records, picture: str, target: str, size: int, channels: int) -> Arrays:
    contents = part.frame[picture]
    if contents.null_count():
        row = int(contents.is_null().arg_max() or 0)
        raise part.refused("must hold the pictures themselves, got none, or the name of a file.", row)
    files = (part.file.of_row(row) for row in range(len(contents)))
    pixels = decoded(zip(contents, files, strict=True), len(contents), size, channels)
    return Arrays(part.file, pixels, _targets(part.frame[target]), "pixel", target)


def _targets(column: pl.Series) -> NDArray[Any]:
    return column.to_numpy() if column.dtype.is_numeric() else column.fill_null("").to_numpy().astype(np.str_)
