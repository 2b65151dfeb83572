import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import Config
from trainer.insights import Insights


def said(losses: list[float], val_losses: list[float] | None = None, **settings: Any) -> list[tuple[int, str]]:
    """The epoch and the words of each insight over these epochs."""
    config = Config().changed({key.replace("__", "."): value for key, value in settings.items()})
    insights, found = Insights(config), []
    for epoch, loss in enumerate(losses):
        metrics = {"loss": loss, "learning_rate": 0.001}
        if val_losses is not None:
            metrics["val_loss"] = val_losses[epoch]
        found.extend((epoch, seen.message) for seen in insights.on_epoch_end(metrics))
    return found


FALLING = [1.0 / (epoch + 1) for epoch in range(20)]


@pytest.mark.parametrize(
    ("losses", "val_losses", "settings", "expected"),
    [
        (FALLING, FALLING, {}, []),
        (FALLING, None, {}, []),
        ([2.3] * 9, [2.3] * 9, {"model__initializer": "zeros"}, [(2, 'model.initializer = "zeros" cannot learn')]),
        ([5.0] * 9, [5.0] * 9, {"model__initializer": "ones"}, [(2, 'model.initializer = "ones" cannot learn')]),
        (FALLING, FALLING, {"model__initializer": "ones"}, []),
        ([2.3] * 9, None, {"model__initializer": "zeros", "model__hidden": []}, []),
        ([2.3] * 9, [2.3] * 9, {}, [(4,
         "the loss has not moved in 5 epochs (2.3). Try a learning rate ten times as high (0.01).")]),
        ([2.3, 2.3, 2.3, 2.3, 2.2], None, {}, []),
        ([1.0, 1.0, 1.0, 1.0, math.nan] + [1.0] * 9, None, {}, []),
        ([0.0] * 9, [0.0] * 9, {}, []),
        (FALLING[:14], [0.9, 0.5, *[0.6] * 9, 0.6, 0.7, 0.7], {}, [(11,
         "overfitting since epoch 2: val_loss rose 20% from 0.5")]),
        (FALLING[:10], [0.9, 0.5, *[0.9] * 8], {}, []),
        (FALLING[:14], [0.9, 0.5, *[0.54] * 12], {}, []),
        ([0.5] * 2 + [0.6] * 12, [0.9, 0.5, *[0.9] * 12], {}, []),
        ([0.5] * 2 + [0.495] * 12, [0.9, 0.5, *[0.9] * 12], {}, []),
        ([0.6] * 2 + [0.5] * 12, [0.9, 0.5, *[0.6] * 12], {}, []),
        (FALLING[:14], [0.9, 0.5, *[0.9, 0.52] * 6], {}, []),
        (FALLING[:14], [math.nan, 0.5, *[0.9] * 12], {}, [(11, "overfitting since epoch 2")]),
        (FALLING[:14], [0.9, 0.5, *[math.inf] * 12], {}, [(11, "overfitting since epoch 2")]),
        (FALLING[:14], [math.nan] * 14, {}, []),
        (FALLING[:14], [0.9, 0.0, *[0.5] * 12], {}, [(11, "overfitting since epoch 2")]),
    ],
)  # fmt: skip
def test_curves_are_told_by_what_they_show_once(
    losses: list[float], val_losses: list[float] | None, settings: dict[str, Any], expected: list[tuple[int, str]]
) -> None:
    found = said(losses, val_losses, **settings)
    assert [epoch for epoch, _ in found] == [epoch for epoch, _ in expected]
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert message.startswith(words)


number = st.sampled_from([0.0, 1e-300, 1.0, 2.0, 1e300, math.nan, math.inf, -1.0, -0.0]) | st.floats()


@given(rows=st.lists(st.tuples(number, number), max_size=14), initializer=st.sampled_from(["zeros", "he_normal"]))
def test_no_curve_makes_an_insight_fail_or_speak_twice(rows: list[tuple[float, float]], initializer: str) -> None:
    found = said([loss for loss, _ in rows], [validation for _, validation in rows], model__initializer=initializer)
    assert len({message.split(" ")[0] for _, message in found}) == len(found)
    assert all(message.endswith(".") and "\n" not in message for _, message in found)


def test_an_insight_carries_the_numbers_it_rests_on() -> None:
    insights, seen = Insights(Config()), []
    for epoch in range(14):
        seen += insights.on_epoch_end({"loss": FALLING[epoch], "val_loss": [0.9, 0.5][epoch] if epoch < 2 else 0.8})
    assert [found.evidence for found in seen] == [
        {"best_epoch": 1, "best_val_loss": 0.5, "val_loss": 0.8, "loss": FALLING[11]}
    ]
