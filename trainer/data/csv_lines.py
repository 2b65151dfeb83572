"""The lines of a CSV file: encoding, separator, header, and whether every line has as many fields."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainer.data.cells import NUMBER
from trainer.data.refusal import DataFile
from trainer.text import clean, quoted

MOST_COLUMNS = 10_000
"""Columns of a file, and features made of them."""

_BOM = b"\xef\xbb\xbf"
_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE_BYTES = 1 << 16
_SAMPLE_LINES = 50
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Lines:
    """A CSV file that is sound as far as lines and fields go.

    Attributes:
        file: whose lines they are.
        content: its text in UTF-8, each line ended by a line feed.
        separator: one character.
        header: names of the columns, safe to show, no two the same.
        warnings: names that had to be made up, one line each.
        blank: whether there are empty lines, which count for nothing.
        n_examples: records under the header.
    """

    file: DataFile
    content: bytes
    separator: str
    header: tuple[str, ...]
    warnings: tuple[str, ...]
    blank: bool
    n_examples: int

    def packed(self) -> bytes:
        """Return the content without its empty lines."""
        return re.sub(rb"\n{2,}", b"\n", self.content).strip(b"\n") if self.blank else self.content

    def line_of(self, row: int) -> int:
        """Return the line, 1-based, in which the example `row` starts."""
        number, end = -2, 0
        for fields, line in _records(self.content, self.separator):
            number += bool(fields)
            if number == row:
                break
            end = line
        return end + 1


def read_lines(content: bytes, file: DataFile) -> Lines:
    """Check encoding, header and number of fields.

    Raises:
        ConfigError: the file is no CSV file with a header and at least one line under it.
    """
    content = _decodable(content, file)
    separator = _sniff(content)
    widths = _Widths()
    try:
        for fields, line in _records(content, separator):
            widths.add(fields, line)
    except csv.Error as error:
        raise file.refused(
            f"must have closed quotes and fields of at most {csv.field_size_limit()} characters,"
            f" got: {clean(str(error))}. Repair the line.",
            line=widths.last + 1,
        ) from None
    widths.check(file)
    header, warnings = unique_names(widths.header)
    return Lines(file, content, separator, header, warnings, widths.blank, widths.rows)


class _Widths:
    """Counts fields, line by line."""

    def __init__(self) -> None:
        self.header: list[str] = []
        self.rows = 0
        self.last = 0
        self.blank = False
        self._ragged: list[str] = []
        self._n_ragged = 0
        self._first_ragged = 0

    def add(self, fields: list[str], line: int) -> None:
        if not fields:
            self.blank = True
        elif not self.header:
            self.header = fields
        else:
            self.rows += 1
            if len(fields) != len(self.header):
                self._note(len(fields))
        self.last = line

    def _note(self, width: int) -> None:
        self._n_ragged += 1
        self._first_ragged = self._first_ragged or self.last + 1
        if self._n_ragged <= _SHOWN:
            self._ragged.append(f"{width} in line {self.last + 1}")

    def check(self, file: DataFile) -> None:
        columns = len(self.header)
        if columns > MOST_COLUMNS:
            raise file.refused(f"must have at most {MOST_COLUMNS} columns, got {columns}. Remove columns.")
        if self._n_ragged:
            total = f" ({self._n_ragged} such lines)" if self._n_ragged > _SHOWN else ""
            raise file.refused(
                f"must have {columns} fields in every line, as in the header, got {', '.join(self._ragged)}{total}."
                " Repair or remove those lines.",
                line=self._first_ragged,
            )
        if columns < 2:
            name = quoted(self.header[0]) if self.header else "none"
            raise file.refused(
                f"must have at least two columns, parted by comma, semicolon, tab or |, got {name}."
                " Add a column to predict."
            )
        if all(re.match(NUMBER, cell.strip()) for cell in self.header):
            raise file.refused("must start with column names, got a line of numbers. Add a header.", line=1)
        if not self.rows:
            raise file.refused("must hold examples, got a header and no line under it. Add examples.")


def _decodable(content: bytes, file: DataFile) -> bytes:
    """Return UTF-8 without a byte order mark, whose lines end in line feeds."""
    nul = content.find(b"\0")
    if nul >= 0:
        raise file.refused(
            f"must be text in UTF-8, got a NUL byte at offset {nul}. It may be UTF-16 or binary: save it as UTF-8."
        )
    if not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise file.refused(
                f"must be text in UTF-8, got the byte 0x{content[error.start]:02x} at offset {error.start}."
                " Save it as UTF-8."
            ) from None
    content = content.removeprefix(_BOM)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not content.strip():
        raise file.refused("must hold examples, got a file of blanks.")
    return content


def _sniff(content: bytes) -> str:
    """Return the separator that cuts the most of the first lines into as many fields as the first one."""
    sample = content[:_SAMPLE_BYTES].decode(errors="ignore").split("\n")
    lines = [line for line in sample[: len(sample) - 1 or 1] if line][:_SAMPLE_LINES]
    return max(_SEPARATORS, key=lambda separator: _agreement(lines, separator))


def _agreement(lines: list[str], separator: str) -> tuple[int, int]:
    try:
        widths = [len(fields) for fields in csv.reader(lines, delimiter=separator)]
    except csv.Error:
        return 0, 0
    if not widths or widths[0] < 2:
        return 0, 0
    return widths.count(widths[0]), widths[0]


def _records(content: bytes, separator: str) -> Iterator[tuple[list[str], int]]:
    """Yield the fields of each record, and the line it ends in; an empty line has no fields."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="\n"), delimiter=separator, strict=True)
    for fields in reader:
        yield fields, reader.line_num


def unique_names(header: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return column names, none empty, twice the same or `^…$`, and a warning for each that was made up.

    The last are patterns to polars, wherever it takes a name.
    """
    names: dict[str, None] = {}
    warnings = []
    for number, cell in enumerate(header, start=1):
        wanted = clean(cell.strip())
        own = (wanted[:-1] if wanted.startswith("^") and wanted.endswith("$") else wanted) or f"column_{number}"
        name, suffix = own, 2
        while name in names:
            name, suffix = f"{own}_{suffix}", suffix + 1
        names[name] = None
        if name != wanted:
            warnings.append(
                f"column {number} is called {quoted(name)} here: its own name is {quoted(wanted)}, empty, taken or a"
                " pattern"
            )
    return tuple(names), tuple(warnings)
