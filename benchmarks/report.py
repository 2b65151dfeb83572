"""What was measured, against its bar: a table for the terminal, and `RESULTS.md`, which tells the machine too."""

import os
import platform
import statistics
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_PACKAGES = ("jax", "jaxlib", "optax", "textual", "plotext", "numpy", "keras")
_HEADER = ("what", "against", "bar", "median", "spread", "runs", "reached")


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement.

    Attributes:
        what: that was measured.
        against: the reference, measured in turn with it; "" for a plain number.
        bar: the number to reach; None for a figure that is only told.
        at_least: whether more is better.
        values: one a repetition; none if it could not be measured.
        unit: of the bar and the values; "" for a ratio.
        note: what else to know.
    """

    what: str
    against: str
    bar: float | None
    at_least: bool
    values: tuple[float, ...]
    unit: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """Return the median of the repetitions."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool:
        """Return whether the median reaches the bar, if there is one."""
        if self.bar is None:
            return True
        return self.median >= self.bar if self.at_least else self.median <= self.bar

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table."""
        bar = "" if self.bar is None else f"{'>=' if self.at_least else '<='} {self.bar:g}{self._unit}"
        if not self.values:
            return (self.what, self.against, bar, "-", "-", "0", self.note)
        spread = f"{min(self.values):.3g} to {max(self.values):.3g}"
        median = f"{self.median:.3g}{self._unit}"
        reached = "" if self.bar is None else "yes" if self.reached else "NO"
        return (self.what, self.against, bar, median, spread, str(len(self.values)), reached)

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def table(results: list[Result]) -> str:
    """Return the results as an aligned Markdown table."""
    rows = [_HEADER, *(result.cells() for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows]
    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([lines[0], rule, *lines[1:]])


def write(results: list[Result], path: Path, settings: str) -> None:
    """Write the results, and where and how they were measured."""
    notes = [f"* {result.what} ({result.against or 'plain'}): {result.note}" for result in results if result.note]
    parts = [
        "# Results",
        "Written by `python -m benchmarks`. Every ratio is taken against a reference that ran in turn with it, on the "
        "same machine; the median of the ratios counts, the spread is their least and greatest.",
        table(results),
        "\n".join(notes),
        "## Where and how",
        "\n".join(f"* {line}" for line in (*machine(), settings)),
    ]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def machine() -> list[str]:
    """Return lines about this machine and what is installed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    versions = ", ".join(map(_version, _PACKAGES))
    return [
        f"date: {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}",
        f"processor: {_processor()}, {os.cpu_count()} cores",
        f"memory: {memory:.1f} GiB",
        f"system: {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}; {versions}",
        f"load average at the end (1, 5, 15 minutes): {load}",
    ]


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name} not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.machine())
