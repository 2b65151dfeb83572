"""Axis ranges, tick positions and short numbers for charts.

Ranges are rounded outward to a fraction of a tick, so that a live chart keeps its scale, and with it every cell already
on screen, while new points stay inside.
"""

import math
from typing import NamedTuple

_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_MANTISSAS = (1.0, 2.0, 2.5, 5.0, 10.0)


class Range(NamedTuple):
    """A closed interval of axis values, `low < high`."""

    low: float
    high: float


def tick_step(span: float, count: int) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that cuts `span` into at most `count` parts."""
    least = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(least))
    return power * next((mantissa for mantissa in _MANTISSAS if mantissa * power >= least * (1 - 1e-9)), 10.0)


def x_range(first: float, last: float) -> Range:
    """Return the x range for data in [first, last]; its end moves in eighths of a power of two as data grow."""
    if last <= first:
        return Range(first - 0.5, first + 0.5)
    low = 0.0 if 0.0 < first <= (last - first) / 4 else first
    step = math.ldexp(1.0, math.ceil(math.log2(last - low)) - 4)
    high = low + math.ceil((last - low) / step) * step
    return Range(low, max(high, last))


def y_range(low: float, high: float) -> Range:
    """Return the y range for data in [low, high], padded by a few hundredths and never across zero.

    A flat series gets a range around its value, so that its line lies in the middle.
    """
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = abs(low) / 2 or 1.0
        return Range(low - margin, high + margin)
    padded = _rounded_outward(low, high, tick_step(high - low, 20))
    return Range(
        max(padded.low, 0.0) if low >= 0.0 else padded.low, min(padded.high, 0.0) if high <= 0.0 else padded.high
    )


def log_range(low: float, high: float) -> Range:
    """Return the range for data in [low, high], both already decimal logarithms."""
    if high - low <= 1e-9:
        return Range(low - 0.5, high + 0.5)
    return _rounded_outward(low, high, tick_step(high - low, 20))


def ticks(limits: Range, count: int, *, whole: bool = False) -> list[float]:
    """Return ascending tick values inside `limits`, about `count` of them; only whole numbers if `whole`."""
    step = tick_step(limits.high - limits.low, count)
    if whole and step % 1.0:
        step = math.ceil(step)
    first, last = math.ceil(limits.low / step - 1e-6), math.floor(limits.high / step + 1e-6)
    return [round(index * step, 12 - math.floor(math.log10(step))) for index in range(first, last + 1)]


def log_ticks(limits: Range, count: int) -> list[float]:
    """Return tick values for `limits` given as powers of ten: whole decades, else 1-2-5, else evenly spaced values."""
    stride = max(1, math.ceil((limits.high - limits.low) / max(count, 1)))
    decades = range(math.ceil(limits.low - 1e-9), math.floor(limits.high + 1e-9) + 1)
    if len(decades) > 2:
        return [10.0**decade for decade in decades if decade % stride == 0]
    low, high = 10.0**limits.low, 10.0**limits.high
    between = [m * 10.0**d for d in range(math.floor(limits.low), math.ceil(limits.high) + 1) for m in (1, 2, 5)]
    inside = [value for value in between if low <= value * (1 + 1e-9) and value <= high * (1 + 1e-9)]
    return inside if len(inside) >= 2 else [value for value in ticks(Range(low, high), count) if value > 0]


def tick_labels(values: list[float]) -> list[str]:
    """Return one text a tick, all with the same decimals and unit: 0.25, 1200, 12k, 1.5M, 2.5e-4."""
    peak = max(map(abs, values), default=0.0)
    scale, suffix = _unit(peak)
    scaled = [value / scale for value in values]
    decimals = next((n for n in range(15) if all(abs(round(v, n) - v) < 1e-6 * _spread(scaled) for v in scaled)), 15)
    return [f"{value:.{decimals}f}{suffix}" if value else "0" for value in scaled]


def reading(value: float) -> str:
    """Return `value` with four significant digits, trailing zeros kept so that a live number does not jump in width."""
    if not math.isfinite(value) or value == 0.0:
        return _special(value)
    magnitude = abs(value)
    if magnitude < 0.00099995 or magnitude >= 999.95e9:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    for scale, suffix in _SUFFIXES:
        if magnitude >= scale * 9.9995 or (scale > 1e3 and magnitude >= scale * 0.99995):
            return f"{value / scale:#.4g}".rstrip(".") + suffix
    return f"{value:#.4g}".rstrip(".")


def _rounded_outward(low: float, high: float, step: float) -> Range:
    return Range(math.floor(low / step - 0.25) * step, math.ceil(high / step + 0.25) * step)


def _unit(peak: float) -> tuple[float, str]:
    """Return what to divide ticks by and the suffix that says so."""
    if peak == 0.0 or 0.01 * (1 - 1e-9) <= peak < 1e4:
        return 1.0, ""
    if 1e4 <= peak < 1e12:
        return next((scale, suffix) for scale, suffix in _SUFFIXES if peak >= scale)
    exponent = math.floor(math.log10(peak) + 1e-9)
    return 10.0**exponent, f"e{exponent}"


def _spread(values: list[float]) -> float:
    return (values[-1] - values[0]) or abs(values[0]) or 1.0


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "0" if value == 0.0 else "∞" if value > 0 else "-∞"
