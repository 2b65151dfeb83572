"""`nn-tui lr-find`: the learning-rate finder without a screen."""

import json
import math

import presets
from trainer.config import parse_settings
from trainer.preparation import prepare
from trainer.problems import ConfigError
from trainer.strict_json import strict
from tui.wording import number

_BAR_WIDTH = 40
"""Of the rate whose loss falls furthest; the others have their share of that fall."""


def print_search(preset: str, settings: list[str], lowest: float, highest: float, updates: int, as_json: bool) -> None:
    """Print each rate with its loss, and the suggestion last. Raises ConfigError."""
    if not lowest < highest:
        raise ConfigError(f"--from must be below --to, got {lowest:g} and {highest:g}.")
    found = presets.find(preset)
    config = found.permitted(found.load().changed(parse_settings(settings)))
    prepared = prepare(config, found.base)
    from trainer.devices import prepare_jax

    prepare_jax()
    from trainer.lr_finder import find, start_and_fall

    seen = find(prepared, lowest, highest, updates=updates)
    tried = [*zip(seen.rates.tolist(), seen.losses.tolist(), strict=True)]
    if as_json:
        pairs = [strict({"learning_rate": rate, "loss": loss}) for rate, loss in tried]
        print(json.dumps({"suggestion": seen.suggestion, "reason": seen.reason, "updates": updates, "tried": pairs}))
        return
    start, fall = start_and_fall(seen.losses)
    for rate, loss in tried:
        length = round(_BAR_WIDTH * (start - loss) / fall) if math.isfinite(loss) and loss < start else 0
        mark = " ◀" if rate == seen.suggestion else ""
        print(f"{rate:<9.3g} {number(loss):>9}  {'━' * length}{mark}")
    print(f"{seen.suggestion:g}: {seen.reason}" if seen.suggestion else f"no suggestion: {seen.reason}")
