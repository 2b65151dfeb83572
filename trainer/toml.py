"""TOML: the one place where it is read and written. Everything read here is somebody else's text.

Sizes are capped before parsing, values that TOML allows and a config cannot mean are refused, and every problem has a
line: the parser gives none for keys that are valid, so a small scanner finds where each one stands.
"""

import codecs
import datetime as dt
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli
import tomli_w

from trainer import files
from trainer.problems import ConfigError, Problem
from trainer.text import clean

Table = dict[str, Any]

_SIZE_LIMIT = 1 << 20
_DEPTH_LIMIT = 32
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'")


def read(path: Path) -> tuple[Table, str]:
    """Return the tables of a file and its text.

    Raises:
        ConfigError: it cannot be read, is not TOML, or holds what no config can mean; with its line.
    """
    try:
        data = files.read_regular(Path(os.path.realpath(path)), _SIZE_LIMIT + 1)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or error}") from error
    if len(data) > _SIZE_LIMIT:
        raise _refused(path, f"must be at most {_SIZE_LIMIT} bytes, a preset is a page of text")
    text = _decoded(path, data)
    return parse(text, clean(str(path))), text


def parse(text: str, file: str = "") -> Table:
    """Return the tables of a text. Raises as `read`; `file` is what problems call it."""
    try:
        table = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(_misspelt(text, file, str(error))) from error
    except ValueError as error:  # an integer of more digits than Python converts
        message = f"has a number of more than {sys.get_int_max_str_digits()} digits"
        raise ConfigError(Problem(message, file=file)) from error
    except RecursionError as error:
        raise ConfigError(Problem(f"is nested deeper than {_DEPTH_LIMIT} levels", file=file)) from error
    problems = list(_meaningless(table, lines(text), file))
    if problems:
        raise ConfigError(problems)
    return table


def value(text: str) -> Any:
    """Return what `text` means on the right of an equals sign; a bare word is a string."""
    try:
        return parse(f"value = {text}")["value"] if "\n" not in text else text
    except (ConfigError, KeyError):
        return text


def dump(table: Mapping[str, Any]) -> str:
    """Return the tables as TOML; keys whose value is None are left out, since TOML has no word for it.

    The text is safe to show: outside of strings there is nothing but ASCII, and within them what hides is escaped.
    """
    text = tomli_w.dumps(_without_none(table))
    return "\n".join(line if clean(line) == line else "".join(map(_escaped, line)) for line in text.split("\n"))


def lines(text: str) -> dict[str, int]:
    """Return the line, 1-based, at which each dotted key and table stands; the last one, if it stands twice.

    A scanner of lines, not a parser: a key within a string of several lines may be found too. It only ever places
    problems with keys that the parser found.
    """
    found: dict[str, int] = {}
    for key, number in _standing(text):
        for end, character in enumerate(key):
            if character == ".":
                found.setdefault(key[:end], number)
        found[key] = number
    return found


def _standing(text: str) -> Iterator[tuple[str, int]]:
    """Yield each dotted key and table header with its line."""
    table: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            yield ".".join(table), number
        elif key := _KEY.match(line):
            yield ".".join([*table, *_parts(key[1])]), number


def _decoded(path: Path, data: bytes) -> str:
    for mark, name in ((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16")):
        if data.startswith(mark):
            raise _refused(path, f"must be UTF-8, this looks like {name}. Save it as UTF-8.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"must be UTF-8, byte {error.start} is not (0x{data[error.start]:02x}). Save it as UTF-8."
        raise ConfigError(Problem(message, file=clean(str(path)), line=line)) from error


def _refused(path: Path, message: str) -> ConfigError:
    return ConfigError(Problem(message, file=clean(str(path))))


def _misspelt(text: str, file: str, message: str) -> Problem:
    """Return the problem of a text that the parser refused, with the line and what stands there."""
    place = _PLACE.search(message)
    number, column = (int(place[1]), int(place[2])) if place else (text.rstrip().count("\n") + 1, 0)
    if ("overwrite" in message or "twice" in message) and (double := _double(text, number)):
        key, first = double
        return Problem(f"stands twice, in lines {first} and {number}. Remove one.", clean(key), file, number)
    line = "".join(text.split("\n")[number - 1 : number]).strip()
    where = f" in column {column}: {clean(line)[:80]}" if column and line else ""
    what = _PLACE.sub("", message).replace("(at end of document)", "before the end of the file").strip()
    return Problem(f"is not TOML: {clean(what)}{where}", file=file, line=number)


def _double(text: str, line: int) -> tuple[str, int] | None:
    """Return the key in this line and the line it stood in before, if it did."""
    seen: dict[str, int] = {}
    for key, number in _standing(text):
        if number == line and key in seen:
            return key, seen[key]
        seen[key] = number
    return None


def _meaningless(value: Any, places: Mapping[str, int], file: str, key: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Yield a problem for each value of a type that no hyperparameter has."""
    message = ""
    if len(key) > _DEPTH_LIMIT:
        message = f"is nested deeper than {_DEPTH_LIMIT} levels"
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _meaningless(item, places, file, (*key, name))
    elif isinstance(value, list):
        for item in value:
            yield from _meaningless(item, places, file, key)
    elif isinstance(value, dt.date | dt.time):
        message = f'cannot be a date, got {value}. If a word is meant, quote it: "{value}".'
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        message = "must be a number of at most 64 bits"
    if message:
        dotted = ".".join(key)
        yield Problem(message, key=clean(dotted[:80]), file=file, line=places.get(dotted, 0))


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]


def _escaped(character: str) -> str:
    if clean(character) == character:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return list(value) if isinstance(value, tuple) else value
