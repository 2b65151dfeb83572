"""What `nn-tui doctor` finds."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: its subject, what was found, and whether that is as it should be."""

    subject: str
    found: str
    verdict: Verdict = "ok"
