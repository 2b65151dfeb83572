"""Words for what a look at the model saw: the same on the page and in what is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.wording import number

if TYPE_CHECKING:
    from trainer.picture_file import Example, Pictures

BEGINS = "▸"
"""Where the network begins to write: a mark, since no colour may say it alone."""


def headline(pictures: Pictures) -> str:
    """Return whose weights these are, on what they were tried, and how many they got right."""
    part = "validation" if pictures.split == "validation" else "training"
    of = f"{pictures.examples}" if pictures.examples == pictures.of else f"{pictures.examples} of {pictures.of}"
    when = f"epoch {pictures.epoch + 1}" if pictures.epoch_is_over else f"update {pictures.step}"
    words = [f"weights of {when}", f"{of} {part} examples"]
    if pictures.passages:
        from trainer.picture_file import TEMPERATURE

        words.append(f"drawn at temperature {TEMPERATURE:g}")
    if pictures.task == "classification" and pictures.examples:
        wrong = pictures.examples - pictures.right
        words.append(f"{wrong} wrong ({wrong / pictures.examples:.1%})")
    return " · ".join(words)


def verdict(pictures: Pictures, example: Example) -> tuple[list[str], bool]:
    """Return the true and the predicted label, in two parts where they differ, and whether they do."""
    if isinstance(example.true, int) and isinstance(example.predicted, int):
        true, predicted = pictures.target(example.true), pictures.target(example.predicted)
        return ([f"{true} ✓"], False) if example.true == example.predicted else ([true, f"seen as {predicted}"], True)
    assert isinstance(example.true, list)
    assert isinstance(example.predicted, list)
    true_value, value = example.true[0], example.predicted[0]
    off = value - true_value
    return [f"{number(true_value)},", f"predicted {number(value)} ({'+' if off > 0 else ''}{_short(off)})"], True


def facts(example: Example) -> str:
    """Return how sure the network was, and the loss."""
    sure = f"{example.predicted_share:.0%} · " if example.predicted_share is not None else ""
    return f"{sure}loss {_short(example.loss)}"


def feature_words(example: Example) -> list[str]:
    """Return the unusual features, each with how many standard deviations it is from the mean."""
    return [f"{feature.name} {number(feature.value)} {feature.deviation:+.1f}σ" for feature in example.features]


def _short(value: float) -> str:
    return number(float(f"{value:.3g}"))
