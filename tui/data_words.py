"""Examples in words, before anything trains on them: the same on a page and in print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from trainer.text import clean, clipped
from tui.plan_words import aligned
from tui.wording import number

if TYPE_CHECKING:
    from trainer.data.column_facts import ColumnFacts
    from trainer.data.overview import Overview, Sample
    from trainer.data.splits import Summary

_PRINTED = 20
"""Classes and columns that are printed."""

_PRINTED_SAMPLES, _PRINTED_VALUES = 3, 8
_LONGEST = 24
_GAP = "  "
_BAR, _LONGEST_BAR = 16, 40


def headline(data: Summary, overview: Overview) -> str:
    """Return shape, type and balance in one line."""
    count = data.n_train + data.n_validation + data.n_test
    target = f"{clipped(overview.target, _LONGEST)}: " if overview.target and overview.classes else ""
    return f"{count:,} {_what(data)} ({overview.number_type}), {target}{_targets(data, overview)}."


def _what(data: Summary) -> str:
    if data.image_shape:
        return f"pictures of {' x '.join(map(str, data.image_shape))}"
    return f"examples of {data.n_features:,} {'tokens' if data.task == 'language_modeling' else 'features'}"


def parts_line(data: Summary) -> str:
    """Return the shape of each part in one line."""
    each = " x ".join(map(str, data.image_shape or (data.n_features,)))
    parts = (("train", data.n_train), ("validation", data.n_validation), ("test", data.n_test))
    return " · ".join(f"{name} {f'{count:,} x {each}' if count else 'none'}" for name, count in parts)


def data_lines(data: Summary, overview: Overview) -> list[str]:
    """Return the headline and the parts, then the balance of the classes, columns, a few examples, and what is odd."""
    parts = (
        [parts_line(data)],
        balance_table(overview.classes[:_PRINTED], heading=overview.counted) + _more(len(overview.classes) - _PRINTED),
        column_table(overview.outputs[:_PRINTED], "output") + _more(len(overview.outputs) - _PRINTED),
        column_table(overview.columns[:_PRINTED]) + _more(overview.n_columns - _PRINTED),
        _samples(overview),
        [clean(line) for line in overview.text.split("\n")] if overview.text else [],
        [f"! {warning}" for warning in overview.warnings],
    )
    return [headline(data, overview), *(line for part in parts if part for line in ("", *part))]


def data_table(data: Summary, overview: Overview) -> dict[str, Any]:
    """Return the same as plain values, for programs."""
    counts = {"train": data.n_train, "validation": data.n_validation, "test": data.n_test}
    samples = [{"target": sample.target, "values": sample.values} for sample in overview.samples]
    told = {"task": data.task, "examples": counts, "features": data.n_features, "shape": data.image_shape}
    return {**told, **asdict(overview), "classes": dict(overview.classes), "samples": samples}


def balance_table(classes: Sequence[tuple[str, int]], width: int = 0, heading: str = "class") -> list[str]:
    """Return a line of heads and one for each class: examples that train, their share, and a bar.

    Args:
        classes: examples by the name of their class.
        width: cells that a line may take; 0 for bars of a usual length.
        heading: what a class is.
    """
    if not classes:
        return []
    total, most = sum(count for _, count in classes), max(count for _, count in classes)
    rows = [(clipped(name, _LONGEST), f"{count:,}", f"{count / total:.1%}") for name, count in classes]
    lines = aligned([(heading, "train", "share"), *rows])
    room = width - max(map(len, lines)) - len(_GAP) if width else _BAR
    bars = (_GAP + "━" * max(1, round(min(room, _LONGEST_BAR) * count / most)) for _, count in classes)
    return [lines[0], *(line + bar for line, bar in zip(lines[1:], bars, strict=True))] if room > 0 else lines


def column_table(columns: Sequence[ColumnFacts], heading: str = "column") -> list[str]:
    """Return a line of heads and one for each column; of categories the commonest in place of a range."""
    if not columns:
        return []
    rows = [
        (clipped(it.name, _LONGEST), _type(it), f"{it.missing:,}" if it.missing else "–", *_range(it)) for it in columns
    ]
    heads = (heading, "type", "missing", "min", "mean", "max", "std", "commonest")
    has_words = any(it.n_categories for it in columns)
    return aligned([(heads if has_words else heads[:-1]), *(row if has_words else row[:-1] for row in rows)], (0, 1, 7))


def names_width(columns: Sequence[ColumnFacts], heading: str = "column") -> int:
    """Return the cells that the names of columns take in a table, under their head and with the gap after them."""
    return max(cell_len(clipped(name, _LONGEST)) for name in (heading, *(it.name for it in columns))) + len(_GAP)


def sample_table(overview: Overview) -> list[str]:
    """Return a line of targets, with what they are, and one for each column: an example below its target."""
    heads = (name_of_target(overview), *(_target(sample) for sample in overview.samples))
    rows = [
        (clipped(column.name, _LONGEST), *(_value(sample.values[place]) for sample in overview.samples))
        for place, column in enumerate(overview.columns)
    ]
    return aligned([heads, *rows])


def name_of_target(overview: Overview) -> str:
    """Return what a table of examples calls their targets."""
    name = overview.target or (overview.outputs[0].name if overview.outputs else overview.counted)
    return clipped(name, _LONGEST)


def _targets(data: Summary, overview: Overview) -> str:
    n_outputs = data.n_outputs
    if data.task == "language_modeling":
        return f"{n_outputs:,} different tokens"
    if not overview.classes:
        return f"{n_outputs:,} output{'s' if n_outputs > 1 else ''}"
    least, most = (end(count for _, count in overview.classes) for end in (min, max))
    return f"{n_outputs:,} classes of {least:,}{f' to {most:,}' if most > least else ''} training examples"


def _type(column: ColumnFacts) -> str:
    if column.kind == "category":
        return f"{column.n_categories:,} categor{'y' if column.n_categories == 1 else 'ies'}"
    return "pixels" if column.kind == "pixel" else column.kind


def _range(column: ColumnFacts) -> tuple[str, ...]:
    if column.n_categories:
        return "", "", "", "", f"{clipped(column.commonest, _LONGEST)} {column.commonest_share:.0%}"
    return *map(_amount, (column.least, column.mean, column.greatest, column.deviation)), ""


def _more(count: int) -> list[str]:
    return [f"and {count:,} more"] if count > 0 else []


def _samples(overview: Overview) -> list[str]:
    if overview.image_shape:
        return []
    heads = (name_of_target(overview), *(clipped(it.name, _LONGEST) for it in overview.columns[:_PRINTED_VALUES]))
    samples = overview.samples[:_PRINTED_SAMPLES]
    return aligned([heads, *((_target(it), *map(_value, it.values[:_PRINTED_VALUES])) for it in samples)])


def _target(sample: Sample) -> str:
    return _value(sample.target)


def _value(value: str | float) -> str:
    return clipped(value, _LONGEST) if isinstance(value, str) else _amount(value)


def _amount(value: float | None) -> str:
    """Return a number as `number` does, but without an exponent where it has up to seven digits before the point."""
    if value is not None and 1000 <= abs(value) < 9_999_999.5:
        return f"{value:.0f}"
    return number(value)
