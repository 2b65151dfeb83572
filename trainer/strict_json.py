"""Strict JSON: what is not finite as a string, since JSON has no infinities and no NaN."""

import math
from typing import Any


def strict(value: Any) -> Any:
    """Return the value as strict JSON has it, at any depth: "NaN", "Infinity", "-Infinity"; tuples as lists."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
