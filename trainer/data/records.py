"""Named columns of a file, whichever format they are from, and those that are like them in another file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from trainer.data.parts import Parts
from trainer.data.refusal import DataFile
from trainer.problems import ConfigError, nearest
from trainer.text import clean, clipped, quoted

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Records:
    """Named columns of a file.

    Attributes:
        file: where they are from.
        frame: columns of numbers or of text, their names safe to show.
        line_of: gives the line, 1-based, of a row; None where the file has no lines.
        warnings: what was found odd, one line each.
        unread: types of columns that are not read, by their names; nulls stand for them.
    """

    file: DataFile
    frame: "pl.DataFrame"
    line_of: Callable[[int], int] | None = None
    warnings: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    def place(self, row: int) -> tuple[str, int]:
        """Return where a row is, in words that count from 1, and its line; 0 where the file has no lines."""
        line = self.line_of(row) if self.line_of else 0
        return (f"line {line}" if line else f"row {row + 1}"), line

    def refused(self, message: str, row: int) -> ConfigError:
        """Return the error to raise about a row."""
        words, line = self.place(row)
        return self.file.refused(message if line else f"{message} It is in {words}.", line=line)

    def column(self, wanted: str, key: str = "data.target") -> str:
        """Return the name of a column that a person asks for; "" is the last one.

        Args:
            wanted: as it is written.
            key: of the setting that asks.

        Raises:
            ConfigError: there is none of this name.
        """
        names = self.frame.columns
        name = clean(wanted) or names[-1]
        if name in names:
            return name
        columns = ", ".join(clipped(known, 40) for known in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise self.file.refused(
            f"must name a column, got {quoted(wanted)}.{nearest(name, names)} Columns: {columns}{more}.",
            key=key,
        )

    def like(self, other: "Records") -> "Records":
        """Return these records with the columns of others, in their order.

        Raises:
            ConfigError: a column lacks, or there is one more.
        """
        ours, theirs = self.frame.columns, other.frame.columns
        if lacking := [name for name in theirs if name not in ours]:
            raise self.file.refused(f"must have the columns of data.path, got none named {quoted(lacking[0])}. Add it.")
        if surplus := [name for name in ours if name not in theirs]:
            raise self.file.refused(
                f"must have the columns of data.path, got one more, {quoted(surplus[0])}. Remove it."
            )
        return self.having(theirs)

    def having(self, names: Sequence[str]) -> "Records":
        """Return these columns alone, in this order.

        Not by `select` or `drop`: to these the name `*` is all of them.
        """
        return replace(self, frame=self.frame[list(names)])

    def require_read(self) -> None:
        """Raise ConfigError if a column is left that is not read."""
        found = [f"{quoted(name)} of type {self.unread[name]}" for name in self.frame.columns if name in self.unread]
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            raise self.file.refused(
                f"must hold columns of numbers, truth values or text, got {', '.join(found[:_SHOWN])}{more}."
                " Convert them, or name those to leave out in data.ignore."
            )


def without(parts: Parts[Records], names: Iterable[str]) -> Parts[Records]:
    """Return the parts without some of their columns.

    Raises:
        ConfigError: the training part has none of a name, or what is left is not read.
    """
    key = "data.ignore"
    ignored = {parts.train.column(name, key) for name in names}
    kept = parts.map(lambda part: part.having([name for name in part.frame.columns if name not in ignored]))
    if len(kept.train.frame.columns) < 2:
        raise parts.train.file.refused("must leave a target and a column beside it, got all others.", key=key)
    for part in kept.present:
        part.require_read()
    return kept
