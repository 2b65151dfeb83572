"""Words for numbers: the same on every screen and in every line that is printed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trainer.text import clean, clipped

if TYPE_CHECKING:
    from trainer.events import Unsaved
    from trainer.replicas import Spread
    from trainer.run import Run
    from trainer.status import Best

STATE_GLYPHS = {
    "starting": "…", "compiling": "…", "running": "▶", "paused": "‖", "finished": "✓", "stopped": "■",
    "diverged": "✗", "failed": "!", "crashed": "?", "damaged": "?",
}  # fmt: skip

QUIET = ("learning_rate", "grad_norm")
"""What a run measures of its training and not of its model: a reader rarely asks for it."""


def number(value: float | None) -> str:
    """Return a number in at most 4 significant digits; "–" for none, "NaN" and "∞" for what is no number."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:.4g}"


def best_words(best: Best | None) -> str:
    """Return the best value of a run so far and its epoch, as "val_loss 0.0871 @12", safe to show; "–" for none."""
    return f"{clean(best.metric)} {number(best.value)} @{best.epoch + 1}" if best else "–"


def judged_words(run: Run) -> str:
    """Return the best value of a run as `best_words` does, or of a group as "val_loss 0.0870 ± 0.0031"."""
    from trainer.replicas import best

    if run.replicas and (found := best(run)):
        return f"{clean(found[0])} {number(found[1].mean)} ± {found[1].std:.2g}"
    return best_words(run.status.best)


def mean_and_std(spread: Spread) -> str:
    """Return the mean and standard deviation of so many values, as "0.0870 ± 0.0031 (n=5)"."""
    return f"{number(spread.mean)} ± {spread.std:.2g} (n={spread.n})"


def count(value: float) -> str:
    """Return a count in short: 950, 12.3k, 4.56M."""
    for least, size, letter in ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (9999.5, 1e3, "k")):
        if abs(value) >= least:
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}"


def size(n_bytes: float) -> str:
    """Return an amount of memory: 512 B, 102 KiB, 1.21 MiB."""
    for least, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if n_bytes >= 0.9995 * least:
            amount = n_bytes / least
            return f"{amount:,.0f} {unit}" if amount >= 999.5 else f"{amount:.3g} {unit}"
    return f"{n_bytes:.0f} B"


def duration(seconds: float) -> str:
    """Return a length of time: 0.42 s, 12 s, 3:05, 2:10:07."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(then: float, now: float | None = None) -> str:
    """Return how long ago a time was, in Unix seconds: now, 3 min, 2 h, 4 d."""
    seconds = (time.time() if now is None else now) - then
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return "now"


def unsaved(told: Sequence[Unsaved], *, goes_on: bool = True) -> str:
    """Return what is not being saved, since when and why, in one line that is safe to show."""
    first = min(told, key=lambda one: one.time)
    since = time.strftime("%H:%M", time.localtime(first.time))
    whats = ", ".join(one.what for one in told)
    then = "; training goes on in memory" if goes_on else ""
    return f"{whats} not saved since {since}: {clipped(first.message, 100)}{then}"


def metrics_line(metrics: Mapping[str, float]) -> str:
    """Return the metrics of an epoch in one line, without those that a reader rarely asks for."""
    return "  ".join(f"{name} {number(value)}" for name, value in metrics.items() if name not in QUIET)
