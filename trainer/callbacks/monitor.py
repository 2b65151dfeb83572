"""Which way a metric improves, and whether a value is an improvement.

The comparison is Keras' (`MonitorCallback`, 3.15): the value is shifted by `min_delta` in double precision, then both
sides are compared in single precision, where a subnormal number counts as zero. Ours differs in one thing: a value
that is not finite never improves on anything and never becomes a reference.
"""

import ctypes
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from trainer import further_metrics
from trainer.callbacks.actions import Direction, EpochEnd, Renewal, Warn
from trainer.problems import ConfigError, Problem

Mode = Literal["auto", "min", "max"]

_LOWER: Final = "loss error error_rate mae mse msle nll cross_entropy brier ece max_error seconds"
_HIGHER: Final = "accuracy balanced_accuracy auc r2 explained_variance examples_per_second"

METRIC_DIRECTIONS: Final[Mapping[str, Direction]] = MappingProxyType(
    {**dict.fromkeys(_LOWER.split(), "min"), **dict.fromkeys(_HIGHER.split(), "max"), **further_metrics.directions()}
)
"""Which way each metric improves, without the prefix `val_`: the one table that callbacks and screens use."""

_TINY = 2.0**-126


def metric_direction(metric: str) -> Direction | None:
    """Return which way a metric, of whichever examples and weights, improves; None where that is not known."""
    return METRIC_DIRECTIONS.get(metric.removeprefix("ema_").removeprefix("val_"))


def is_better(value: float, reference: float | None, direction: Direction) -> bool:
    """Say whether a finite `value` is strictly better than `reference`; any finite value is better than None."""
    if not math.isfinite(value):
        return False
    return reference is None or (value < reference if direction == "min" else value > reference)


def single(value: float) -> float:
    """Round to single precision; beyond its range the result is infinite."""
    return ctypes.c_float(value).value


def _compared(value: float) -> float:
    # XLA flushes subnormal numbers to zero, so to Keras 1e-40 and 2e-40 are equal.
    rounded = single(value)
    return rounded if abs(rounded) >= _TINY else 0.0


class Monitor:
    """One callback's view of one metric."""

    def __init__(self, name: str, metric: str, mode: Mode, min_delta: float = 0.0) -> None:
        """Fix the direction.

        Args:
            name: the callback's table in the config.
            metric: the metric's name, with its prefix.
            mode: "min" or "max"; "auto" looks the metric up in `METRIC_DIRECTIONS`.
            min_delta: smallest change that counts; the sign is ignored.

        Raises:
            ConfigError: the mode is "auto" and the metric is not in the table.
        """
        self.name = name
        self.metric = metric
        self.direction = _direction(name, metric, mode)
        self._shift = abs(min_delta) if self.direction == "min" else -abs(min_delta)

    def improves(self, value: float, reference: float | None) -> bool:
        """Say whether `value` improves on `reference` by more than `min_delta`; equality does not."""
        if not math.isfinite(value) or reference is None:
            return math.isfinite(value)
        shifted, bar = _compared(value + self._shift), _compared(reference)
        return shifted < bar if self.direction == "min" else shifted > bar

    def renewal(self, reference: float | None, horizon: int) -> Renewal | None:
        """Return that an improvement on `reference` gives so many epochs; None while there is nothing to improve on."""
        if reference is None:
            return None
        return Renewal(self.metric, self.direction, reference, abs(self._shift), horizon)

    def read(self, end: EpochEnd, warned: bool) -> tuple[float | None, tuple[Warn, ...]]:
        """Return the metric's value, None if the epoch lacks it, and what there is to say about it.

        Args:
            end: the epoch.
            warned: whether an earlier epoch of the run lacked the metric already, which is said once only.
        """
        value = end.metrics.get(self.metric)
        if value is None:
            return None, () if warned else (Warn(self._missing(end)),)
        if not math.isfinite(value):
            return value, (Warn(f"callbacks.{self.name}: {self.metric} is {value:f}, which never counts as better."),)
        return value, ()

    def _missing(self, end: EpochEnd) -> str:
        have = ", ".join(sorted(end.metrics)) or "none"
        return f"callbacks.{self.name}.monitor must be a metric of the run, got {self.metric!r}. Metrics: {have}."


def _direction(name: str, metric: str, mode: Mode) -> Direction:
    direction = metric_direction(metric) if mode == "auto" else mode
    if direction is None:
        message = f'must be "min" or "max" for the metric {metric!r}, whose better end is not known, got "auto".'
        raise ConfigError(Problem(message, key=f"callbacks.{name}.mode"))
    return direction
