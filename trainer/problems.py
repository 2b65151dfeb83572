"""What is wrong with what a person gave us: one line each, all at once.

`ConfigError` is about input that was refused before anything was created; `RunError` about a run directory or
a run that could not go on. Both carry their problems as a tuple, so that a caller can show every one.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        message: rule, value got and what to do, without the place, as one line.
        key: dotted path of the hyperparameter, or "" where none is meant.
        file: path of the file it stands in, or "".
        line: line in that file, 1-based; 0 where unknown.
    """

    message: str
    key: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.key} {self.message}" if self.key else f"{place}{self.message}"


class ProblemsError(Exception):
    """Carries every problem found; `str` gives them a line each."""

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ConfigError(ProblemsError):
    """Input that was refused: a preset, a setting, a data file, a command line."""


class RunError(ProblemsError):
    """A run directory that cannot be used, or a run that failed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean X?" for the known word nearest to `word`, or "" where none is near."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {match[0]}?" if match else ""
