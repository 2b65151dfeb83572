"""How data are refused: one line that names the setting, the file and the line."""

from dataclasses import dataclass
from pathlib import Path

from trainer.problems import ConfigError, Problem
from trainer.text import clean

_USUAL = "data.path"
_OF_TRAINING = (_USUAL, "data.part")


def refused(message: str, key: str = _USUAL, path: Path | None = None, line: int = 0) -> ConfigError:
    """Return the error to raise.

    Args:
        message: rule, value got and what to do.
        key: the setting that leads to it.
        path: the data file, where the problem lies in it.
        line: in that file, 1-based; 0 where none is meant.
    """
    return ConfigError(Problem(message, key=key, file=clean(str(path)) if path else "", line=line))


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file or folder, and the setting that names it."""

    path: Path
    key: str = _USUAL

    def of_row(self, row: int) -> "DataFile":
        """Return what stands for one row of it, which a person counts from 1."""
        return DataFile(Path(f"{self.path} row {row + 1}"), self.key)

    def refused(self, message: str, *, key: str = "", line: int = 0) -> ConfigError:
        """Return the error to raise; `key` where another setting is to blame."""
        return refused(message, key or self.key, self.path, line)

    def told(self, warning: str) -> str:
        """Return a warning about the file, with the setting that names it where that is not the usual one."""
        return warning if self.key in _OF_TRAINING else f"{self.key}: {warning}"
