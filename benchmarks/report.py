"""What was measured, against its bar: a table for the terminal, and `RESULTS.md`, which tells the machine too.

The page has a part for each device. A measurement takes the place of the last one of the same on the same device; the
rows that it has nothing to say of stay, each with its day.
"""

import os
import platform
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_PACKAGES = ("jax", "jaxlib", "optax", "textual", "plotext", "numpy", "keras")
_HEADER = ("what", "against", "bar", "median", "spread", "runs", "reached", "day", "more")
_TITLE = "# Results"
_INTRODUCTION = (
    "Written by `python -m benchmarks`. Every ratio is taken against a reference that ran in turn with it, on the same "
    "machine; the median of the ratios counts, the spread is their least and greatest."
)
_PART = "\n\n## On "

Row = tuple[str, ...]


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

    def row(self) -> Row:
        """Return its row of the table."""
        bar = "" if self.bar is None else f"{'>=' if self.at_least else '<='} {self.bar:g}{self._unit}"
        median, spread, reached = "-", "-", ""
        if self.values:
            spread = f"{min(self.values):.3g} to {max(self.values):.3g}"
            median = f"{self.median:.3g}{self._unit}"
            reached = "" if self.bar is None else "yes" if self.reached else "NO"
        day = time.strftime("%Y-%m-%d", time.gmtime())
        return (self.what, self.against, bar, median, spread, str(len(self.values)), reached, day, self.note)

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


def table(rows: Sequence[Row]) -> str:
    """Return rows as an aligned Markdown table."""
    whole = [_HEADER, *rows]
    widths = [max(len(row[column]) for row in whole) for column in range(len(_HEADER))]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in whole]
    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([lines[0], rule, *lines[1:]])


def write(results: Sequence[Result], path: Path, device: str, settings: str) -> None:
    """Put the results into the page, and where and how they were measured."""
    page = path.read_text(encoding="utf-8").rstrip() if path.exists() else ""
    parts = dict(part.split("\n\n", 1) for part in page.split(_PART)[1:])
    known = {row[:2]: row for row in _rows(parts.get(device, ""))}
    known |= {result.row()[:2]: result.row() for result in results}
    facts = "\n".join(f"* {line}" for line in (*machine(), settings))
    parts[device] = f"{table(list(known.values()))}\n\nAt the last measurement:\n\n{facts}"
    text = "".join(f"{_PART}{name}\n\n{part}" for name, part in parts.items())
    path.write_text(f"{_TITLE}\n\n{_INTRODUCTION}{text}\n", encoding="utf-8")


def _rows(part: str) -> Iterator[Row]:
    """Yield the rows of the table in a part of the page."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield tuple(cell.strip() for cell in line.strip("|").split(" | "))


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
