"""From a section to the arrays that train, validate and test."""

import hashlib
import json
from collections.abc import Hashable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data import folding
from trainer.data.categories import fit_numbers, unseen_apart
from trainer.data.fitting import constant, require_finite, require_some
from trainer.data.fold import Fold, View
from trainer.data.missing import imputed
from trainer.data.overview import Overview, overview_of
from trainer.data.scaling import OF_TOKENS, UNSCALED, Scaling, fit
from trainer.data.section import DataSection, Standardize, Table, TableSection
from trainer.data.split import Rows, split, split_warnings
from trainer.data.splits import Part, Splits, Summary


def load(section: DataSection, file_base: Path | None = None) -> Splits:
    """Read, split and scale the examples. The result depends on the section and its file alone.

    Args:
        section: any member of `Data`.
        file_base: folder that a relative `data.path` starts from; None for the working folder.

    Raises:
        ConfigError: they cannot be read or cannot be trained on.
    """
    if left := section.left_in_files(file_base):
        from trainer.data.streaming import load_stream

        return load_stream(left)
    section.fetch(file_base)
    table = section.read(file_base)
    return _drawn(section, table) if isinstance(section, TableSection) else _in_order(table)


def _drawn(section: TableSection, table: Table) -> Splits:
    """Return the examples, split and scaled as the section says."""
    parts = _split(section, table)
    if section.k_fold:
        folds = _folds(section, table, parts)
        return folds[0] if section.fold else replace(folds[0], folds=tuple(folds))
    table = imputed(unseen_apart(table, parts[0]), parts[0])
    x_scaling = fit_numbers(table, parts[0], section.standardize)
    y_scaling = _fit_target(section, table, parts[0])
    y = _scaled_target(table, y_scaling)
    # Part by part: all examples may be so many that there is no room for a copy of them.
    train, validation, test = (Part(_scaled(table, rows, x_scaling), y[rows]) for rows in parts)
    fingerprint = _fingerprint(section.standardize, _scales_target(section, table), table, parts)
    warnings = (*table.warnings, *_warnings(section, table, parts, x_scaling, y_scaling))
    return _splits(table, (train, validation, test), x_scaling, y_scaling, fingerprint, warnings)


def _splits(
    table: Table,
    parts: tuple[Part | View, Part | View, Part | View],
    x: Scaling,
    y: Scaling,
    fingerprint: str,
    warnings: tuple[str, ...],
    fold: Fold | None = None,
) -> Splits:
    train, validation, test = parts
    return Splits(
        train=train,
        validation=validation,
        test=test,
        task=table.task,
        feature_names=table.feature_names,
        target_names=table.target_names,
        image_shape=table.image_shape,
        categories=table.categories,
        x_offset=x.offset.astype(np.float32),
        x_scale=x.scale.astype(np.float32),
        y_offset=y.offset.astype(np.float32),
        y_scale=y.scale.astype(np.float32),
        fingerprint=fingerprint,
        warnings=warnings,
        vocabulary=table.vocabulary,
        fold=fold,
    )


def _in_order(table: Table) -> Splits:
    """Return tokens as they are, in their order: what the source does not set aside trains."""
    pairs = zip(_cut(table, table.x), _cut(table, table.y), strict=True)
    train, validation, test = (Part(x, y) for x, y in pairs)
    fingerprint = _fingerprint("none", False, table, _rows_in_order(table))
    return _splits(table, (train, validation, test), OF_TOKENS, UNSCALED, fingerprint, table.warnings)


def _folds(section: TableSection, table: Table, parts: tuple[Rows, Rows, Rows]) -> list[Splits]:
    """Return the folds that are asked for; they share what they hold."""
    pool, _, test = parts
    places = folding.divided(section, table, pool)
    whole = imputed(table, pool).x[pool]
    x = folding.robust(fit(whole, section.standardize), whole)
    y = folding.robust(_fit_target(section, table, pool), table.y[pool])
    targets = _scaled_target(table, y)
    pooled, tests = (Part(x.apply(table.x[rows]), targets[rows]) for rows in (pool, test))
    rows = pool, parts[1], test
    fingerprint = _fingerprint(section.standardize, _scales_target(section, table), table, rows)
    its = x if section.standardize != "none" else None, y if _scales_target(section, table) else None
    held = folding.Held(pooled, tests, *its, fingerprint)
    return [_fold(section, table, held, (pool, test), *its) for its in places]


def _fold(
    section: TableSection, table: Table, held: folding.Held, parts: tuple[Rows, Rows],
    number: int, train: Rows, validation: Rows,
) -> Splits:  # fmt: skip
    pool, test = parts
    whole = imputed(table, pool[train])
    x, y = fit(whole.x[pool[train]], section.standardize), _fit_target(section, table, pool[train])
    fill = folding.filled(table, pool[train], x)
    fold = held.fold(number, section.k_fold, train, validation, x, y, fill)
    folding.check_finite(fold, table.feature_names)
    views = View(fold, held.pool, train), View(fold, held.pool, validation), View(fold, held.test, np.arange(len(test)))
    warnings = (*whole.warnings, *_warnings(section, table, (pool[train], pool[validation], test), x, y))
    fingerprint = folding.own_fingerprint(held.fingerprint, number, section.k_fold)
    return _splits(table, views, x, y, fingerprint, warnings, fold)


def describe(section: DataSection, file_base: Path | None = None) -> Summary:
    """Return counts and shapes; the second call is free, until the section or its file changes. Raises as `load`."""
    return _seen(section, file_base, section.stamp(file_base))[0]


def overview(section: DataSection, file_base: Path | None = None) -> Overview:
    """Return balance, ranges and a few examples; free after `describe`. Raises as `load`."""
    return _seen(section, file_base, section.stamp(file_base))[1]


@lru_cache(maxsize=64)
def _seen(section: DataSection, file_base: Path | None, stamp: Hashable) -> tuple[Summary, Overview]:  # noqa: ARG001
    if left := section.left_in_files(file_base):
        from trainer.data.outline import outline_of, overview_of_sample

        outline = outline_of(left)
        return outline.summary, overview_of_sample(outline)
    table = section.read(file_base)
    parts = _split(section, table) if isinstance(section, TableSection) else _rows_in_order(table)
    n_train, n_validation, n_test = map(len, parts)
    if isinstance(section, TableSection) and section.k_fold:
        pool = parts[0]
        (_, train, validation), *_ = folding.divided(section, table, pool)
        n_validation = -(-len(pool) // section.k_fold)
        n_train, parts = len(pool) - n_validation, (pool[train], pool[validation], parts[2])
    shapes = table.x.shape[1], table.target_names, table.task, table.image_shape
    summary = Summary(n_train, n_validation, n_test, *shapes, tuple(map(len, table.categories)))
    filled = imputed(unseen_apart(table, parts[0]), parts[0])
    return summary, overview_of(table, filled, parts[0])


def _rows_in_order(table: Table) -> tuple[Rows, Rows, Rows]:
    train, validation, test = _cut(table, np.arange(len(table.x)))
    return train, validation, test


def _cut(table: Table, rows: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the rows that train, validate and test: those that the source sets aside are at the end."""
    n = len(table.x) - table.n_test
    return np.split(rows, [n - table.n_validation, n])


def _split(section: TableSection, table: Table) -> tuple[Rows, Rows, Rows]:
    """Return the rows of each part: drawn, but for what the source itself sets aside. Folds are still in the first."""
    n_drawn = len(table.x) - table.n_validation - table.n_test
    require_some(n_drawn)
    groups = table.y[:n_drawn] if table.task == "classification" else np.zeros(n_drawn, np.int32)
    shares = (
        0.0 if table.n_validation or section.k_fold else section.validation_split,
        0.0 if table.n_test else section.test_split,
    )
    train, validation, test = split(groups, *shares, section.seed)
    given = np.arange(n_drawn, len(table.x))
    if table.n_validation:
        validation = given[: table.n_validation]
    if table.n_test:
        test = given[table.n_validation :]
    return train, validation, test


def _fit_target(section: DataSection, table: Table, train: Rows) -> Scaling:
    if table.task == "classification":
        return UNSCALED
    return fit(table.y[train], "standard" if _scales_target(section, table) else "none")


def _scales_target(section: DataSection, table: Table) -> bool:
    return table.task == "regression" and section.scales_target


def _scaled_target(table: Table, scaling: Scaling) -> NDArray[np.int32] | NDArray[np.float32]:
    return table.y.astype(np.int32) if table.task == "classification" else scaling.apply(table.y)


def _scaled(table: Table, rows: Rows, scaling: Scaling) -> NDArray[np.float32]:
    """Return the features of some examples; refuses a value that, scaled, leaves the 32-bit floats."""
    x = scaling.apply(table.x[rows])
    require_finite(x, table.feature_names)
    return x


def _warnings(
    section: TableSection, table: Table, parts: tuple[Rows, Rows, Rows], x: Scaling, y: Scaling
) -> tuple[str, ...]:
    found = [*constant(section, table, x, y)]
    if section.validation_split and not len(parts[1]):
        found.append(f"data.validation_split = {section.validation_split} of {len(table.x)} examples is none of them")
    if section.test_split and not len(parts[2]):
        found.append(f"data.test_split = {section.test_split} of {len(table.x)} examples is none of them")
    if table.task == "classification":
        wanted = section.k_fold or section.validation_split
        sizes, validate = (np.bincount(rows, minlength=table.n_outputs) for rows in (table.y, table.y[parts[1]]))
        found.extend(split_warnings(sizes, table.target_names, validate, wanted))
    return tuple(found)


def _fingerprint(standardize: Standardize, scales_target: bool, table: Table, parts: tuple[Rows, Rows, Rows]) -> str:
    # What the settings lead to, not the settings: a new one with a default must not make an old run another's.
    names = [table.feature_names, table.target_names, *([table.categories] if table.categories else [])]
    told = (standardize, scales_target, table.task, *names)
    digest = hashlib.sha256(json.dumps(told).encode())
    for array in (table.x, table.y, *parts):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
