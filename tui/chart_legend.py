"""The line above a chart: every curve's line style, label and latest value."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from trainer.text import clean
from tui.chart_frame import PLAIN

_GAP = "  "
_READABLE = 10
"""Cells of a label worth more than the value beside it."""


class Entry(NamedTuple):
    """What the legend says about one curve; `label` is untrusted and shown as it is."""

    swatch: str
    label: str
    value: str
    style: Style


def legend_strip(entries: Sequence[Entry], width: int, text: Style) -> Strip:
    """Return the legend in exactly `width` cells: labels shrink a little, then values go, then labels shrink more."""
    strip = Strip.blank(0)
    # No longer than the line at most: every shorter label is made of this one.
    shown = [entry._replace(label=_shortened(clean(entry.label), width)) for entry in entries]
    for strip in _variants(shown, text):
        if strip.cell_length <= width:
            break
    return strip.adjust_cell_length(width, PLAIN)


def _variants(entries: Sequence[Entry], text: Style) -> Iterator[Strip]:
    longest = max((cell_len(entry.label) for entry in entries), default=0)
    for limit in range(longest, min(longest, _READABLE) - 1, -1):
        yield Strip(_line(entries, limit, True, text))
    for limit in range(longest, 0, -1):
        yield Strip(_line(entries, limit, False, text))


def _line(entries: Sequence[Entry], limit: int, with_value: bool, text: Style) -> list[Segment]:
    segments: list[Segment] = []
    for entry in entries:
        if segments:
            segments.append(Segment(_GAP, PLAIN))
        segments.append(Segment(f"{entry.swatch} ", entry.style))
        segments.append(Segment(_shortened(entry.label, limit), text))
        if with_value and entry.value:
            segments.append(Segment(f" {entry.value}", entry.style + Style(bold=True)))
    return segments


def _shortened(label: str, limit: int) -> str:
    """Return `label` in at most `limit` cells, cut in the middle: names of runs differ at their ends."""
    if cell_len(label) <= limit:
        return label
    tail = set_cell_size(label[::-1], limit // 2)[::-1].lstrip()
    return set_cell_size(label, (limit - 1) // 2).rstrip() + "…" + tail
