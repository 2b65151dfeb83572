"""Insights: what somebody who knows would say about a run, with the numbers it rests on and what to do.

Each rule looks at the run so far and speaks once. A rule that is not sure says nothing.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from trainer.config import Config
from trainer.events import Insight, Layer
from trainer.insights import curves, inside, labels
from trainer.insights.story import Seen, Story

_Rule = Callable[[Story], Seen | None]

_CAUSES_OF_STANDING: Final = (
    curves.constant_start,
    inside.constant_predictor,
    inside.vanishing_gradients,
    curves.exploding_gradients,
    curves.learning_rate_too_high,
    curves.learning_rate_too_low,
)

_RULES: Final[tuple[tuple[_Rule, tuple[_Rule, ...]], ...]] = (
    (labels.label_imbalance, ()),
    (curves.constant_start, ()),
    (inside.constant_predictor, (curves.constant_start,)),
    (inside.dead_units, (curves.constant_start, inside.constant_predictor)),
    (inside.vanishing_gradients, (curves.constant_start, inside.constant_predictor, inside.dead_units)),
    (curves.exploding_gradients, ()),
    (curves.learning_rate_too_high, (curves.exploding_gradients, inside.constant_predictor)),
    (curves.learning_rate_too_low, (curves.constant_start, inside.constant_predictor, inside.vanishing_gradients)),
    (curves.overfitting, (curves.learning_rate_too_high, curves.exploding_gradients)),
    (curves.underfitting, _CAUSES_OF_STANDING),
    (curves.plateau, (*_CAUSES_OF_STANDING, curves.underfitting)),
)
"""The rules, by whose names the insights go; each with those after which it has nothing to add."""

_LEFT: Final = 0.1
"""Share of itself by which the lowest loss must have fallen since a rule spoke, for what it told of to be over."""

_OF_THE_RATE: Final = (curves.exploding_gradients, curves.learning_rate_too_high, curves.learning_rate_too_low)
"""Rules whose cause may pass: a person, a callback or the schedule changes the rate while the run goes on."""


class Insights:
    """The rules over one run."""

    def __init__(self, config: Config, labels: Mapping[str, int] | None = None, first_epoch: int = 0) -> None:
        """Begin; arguments as in `Story`."""
        self._story = Story(config, labels or {}, first_epoch)
        self._spoke: dict[_Rule, float] = {}

    def on_epoch_end(
        self, metrics: Mapping[str, float], inside: Mapping[str, Layer] | None = None, base_rate: float = math.nan
    ) -> Iterator[Insight]:
        """Take note of an epoch; yield what there is to say for the first time.

        Args:
            metrics: of the epoch; its `learning_rate` is the one last used.
            inside: the look inside at its end, if there was one.
            base_rate: that rate without its schedule; NaN where it is not known.
        """
        self._story.add(metrics, inside, base_rate)
        for rule, silencers in _RULES:
            if rule in self._spoke or any(map(self._holds, silencers)):
                continue
            if seen := rule(self._story):
                self._spoke[rule] = self._story.lowest_loss
                yield Insight(name=rule.__name__, message=seen.message, evidence=seen.evidence)

    def _holds(self, rule: _Rule) -> bool:
        """Say whether a rule spoke of what still is."""
        if rule not in self._spoke:
            return False
        then, now = self._spoke[rule], self._story.lowest_loss
        return rule not in _OF_THE_RATE or not now < then - _LEFT * abs(then)
