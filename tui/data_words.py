"""Examples in words, before anything trains on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trainer.text import clean, clipped
from tui.plan_words import aligned
from tui.wording import number

if TYPE_CHECKING:
    from trainer.data.overview import Overview, Range, Sample
    from trainer.data.splits import Summary

_MOST_CLASSES = 20
_LONGEST = 24


def headline(data: Summary, overview: Overview) -> str:
    """Return shape, type and balance in one line."""
    count = data.n_train + data.n_validation + data.n_test
    return f"{count:,} {_what(data)} ({overview.number_type}), {_targets(data, overview)}."


def _what(data: Summary) -> str:
    if data.image_shape:
        return f"pictures of {' x '.join(map(str, data.image_shape))}"
    return f"examples of {data.n_features:,} {'tokens' if data.task == 'language_modeling' else 'features'}"


def _targets(data: Summary, overview: Overview) -> str:
    n_outputs = data.n_outputs
    if data.task == "language_modeling":
        return f"{n_outputs:,} different tokens"
    if not overview.classes:
        return f"{n_outputs:,} output{'s' if n_outputs > 1 else ''}"
    least, most = (end(count for _, count in overview.classes) for end in (min, max))
    return f"{n_outputs:,} classes of {least:,}{f' to {most:,}' if most > least else ''} training examples"


def data_lines(data: Summary, overview: Overview) -> list[str]:
    """Return the headline, then the balance of the classes, ranges, a few examples, and what is odd."""
    n_features = len(overview.features) if data.image_shape else data.n_features
    parts = (
        _balance("token" if data.task == "language_modeling" else "class", overview.classes),
        _ranges("output", overview.outputs, data.n_outputs),
        _ranges("feature", overview.features, n_features),
        _samples(overview),
        [clean(line) for line in overview.text.split("\n")] if overview.text else [],
        [f"! {warning}" for warning in overview.warnings],
    )
    return [headline(data, overview), *(line for part in parts if part for line in ("", *part))]


def data_table(data: Summary, overview: Overview) -> dict[str, Any]:
    """Return the same as plain values, for programs."""
    counts = {"train": data.n_train, "validation": data.n_validation, "test": data.n_test}
    return {"task": data.task, "examples": counts, **asdict(overview), "classes": dict(overview.classes)}


def _balance(heading: str, classes: Sequence[tuple[str, int]]) -> list[str]:
    if not classes:
        return []
    total = sum(count for _, count in classes)
    rows = [(clipped(name, _LONGEST), f"{count:,}", f"{count / total:.1%}") for name, count in classes[:_MOST_CLASSES]]
    return [*aligned([(heading, "train", "share"), *rows]), *_more(len(classes) - len(rows))]


def _ranges(heading: str, ranges: Sequence[Range], count: int) -> list[str]:
    if not ranges:
        return []
    rows = [(clipped(it.name, _LONGEST), number(it.least), number(it.mean), number(it.greatest)) for it in ranges]
    return [*aligned([(heading, "least", "mean", "greatest"), *rows]), *_more(count - len(rows))]


def _more(count: int) -> list[str]:
    return [f"and {count:,} more"] if count > 0 else []


def _samples(overview: Overview) -> list[str]:
    if not any(sample.values for sample in overview.samples):
        return []
    heads = ("example", *(clipped(it.name, _LONGEST) for it in overview.features))
    return aligned([heads, *(_row(sample) for sample in overview.samples)])


def _row(sample: Sample) -> tuple[str, ...]:
    target = clipped(sample.target, _LONGEST) if isinstance(sample.target, str) else number(sample.target)
    return target, *map(number, sample.values)
