import codecs
import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from trainer import toml
from trainer.problems import ConfigError, Problem


def problems(read: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        toml.read(read) if isinstance(read, Path) else toml.parse(read, "p.toml")
    return caught.value.problems


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p.toml"


@pytest.mark.parametrize(
    "data", [b'a = "\xc3\xa4"\n', codecs.BOM_UTF8 + b'a = "\xc3\xa4"\n', b'a = "\xc3\xa4"\r\n', b'a = "\xc3\xa4"']
)
def test_utf_8_is_read_with_or_without_a_mark_and_whatever_ends_the_lines(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert toml.read(path)[0] == {"a": "ä"}


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        ('a = "x"'.encode("utf-16"), 0, "must be UTF-8, this looks like UTF-16. Save it as UTF-8."),
        (codecs.BOM_UTF16_BE + 'a = "x"'.encode("utf-16-be"), 0, "this looks like UTF-16"),
        (b'a = 1\nb = "\xff"', 2, "must be UTF-8, byte 11 is not (0xff)"),
        (b"#" * ((1 << 20) + 1), 0, "must be at most 1048576 bytes"),
        (b"\x00", 1, "is not TOML"),
    ],
)
def test_what_is_no_text_is_refused(path: Path, data: bytes, line: int, words: str) -> None:
    path.write_bytes(data)
    (problem,) = problems(path)
    assert (problem.file, problem.line) == (str(path), line)
    assert words in problem.message


def test_a_file_of_the_largest_size_is_read(path: Path) -> None:
    path.write_bytes(b"a = 1".ljust(1 << 20))
    assert toml.read(path)[0] == {"a": 1}


@pytest.mark.parametrize("name", ["missing.toml", ".", "x" * 3000, "fifo", "\x1b]0;title\x07.toml"])
def test_what_is_no_file_is_refused_in_one_line_and_at_once(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (problem,) = problems(tmp_path / name)
    assert problem.message.startswith("cannot be read: ")
    assert str(problem).isprintable()


def test_a_link_to_a_file_is_followed(path: Path, tmp_path: Path) -> None:
    path.write_text("a = 1")
    (tmp_path / "link.toml").symlink_to(path)
    assert toml.read(tmp_path / "link.toml")[0] == {"a": 1}


@pytest.mark.parametrize(
    ("text", "key", "line", "words"),
    [
        ("[t]\na = 1\nb = 2\na = 3", "t.a", 4, "stands twice, in lines 2 and 4. Remove one."),
        ("[t]\na = 1\n[u]\n[t]\n", "t", 4, "stands twice, in lines 1 and 4. Remove one."),
        ("[[w]]\na = 1\n[[w]]\na = 2\nb = 1\nb = 2", "w.b", 6, "stands twice, in lines 5 and 6. Remove one."),
        ("a.b = 1\na = 2", "", 2, "is not TOML: Cannot overwrite a value"),
        ("a = 1\nb = = 2", "", 2, "is not TOML: Invalid value in column 5: b = = 2"),
        ("a = 1\nkey", "", 2, "is not TOML: Expected '=' after a key in a key/value pair before the end of the file"),
        ('a = "x\nb = 1', "", 1, "is not TOML"),
        ('a = "\\uD800"', "", 1, "is not TOML: Escaped character is not a Unicode scalar value"),
        ("[t]\na = 2020-01-01", "t.a", 2,
         'cannot be a date, got 2020-01-01. If a word is meant, quote it: "2020-01-01".'),
        ("a = 07:32:00", "a", 1, "cannot be a date"),
        ("a = 2020-01-01T00:00:00Z", "a", 1, "cannot be a date"),
        ("a = [1, [2020-01-01]]", "a", 1, "cannot be a date"),
        ("a = 9223372036854775808", "a", 1, "must be a number of at most 64 bits"),
        ("a = -9223372036854775809", "a", 1, "must be a number of at most 64 bits"),
        (f"a = {'1' * 5000}", "", 0, "has a number of more than"),
        (f"a = {'[' * 5000}", "", 0, "is nested deeper than 32 levels"),
        (f"a = {'{a=' * 5000}", "", 0, "is nested deeper than 32 levels"),
        (f"[a{'.a' * 40}]\nb = 1", f"a{'.a' * 32}", 1, "is nested deeper than 32 levels"),
    ],
)  # fmt: skip
def test_a_text_that_is_not_understood_is_refused_with_its_line(text: str, key: str, line: int, words: str) -> None:
    (problem,) = problems(text)
    assert (problem.key, problem.file, problem.line) == (key, "p.toml", line)
    assert words in problem.message
    assert str(problem).isprintable()


def test_the_numbers_of_64_bits_are_taken() -> None:
    assert toml.parse("a = 9223372036854775807\nb = -9223372036854775808") == {"a": 2**63 - 1, "b": -(2**63)}


def test_every_value_that_no_config_can_mean_is_told() -> None:
    told = problems("a = 2020-01-01\nb = 1\n[c]\nd = 99999999999999999999\ne = 07:32:00")
    assert [(problem.key, problem.line) for problem in told] == [("a", 1), ("c.d", 4), ("c.e", 5)]


def test_a_control_sequence_in_a_text_that_is_refused_does_not_reach_the_screen() -> None:
    (problem,) = problems('a = "\x1b[2J\x9b"')
    assert "\\x1b" in problem.message
    assert str(problem).isprintable()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1", 1), ("1e-3", 0.001), ("true", True), ("[8, 8]", [8, 8]), ("{a = 1}", {"a": 1}), ("'x'", "x"), ("adam",
         "adam"),
        ("two words", "two words"), ("", ""), ("2020-01-01", "2020-01-01"), ("1\n[x]", "1\n[x]"), ("1 # one", 1), ("'",
         "'"),
    ],
)  # fmt: skip
def test_a_word_means_its_value_or_itself(text: str, meant: Any) -> None:
    assert toml.value(text) == meant
    assert type(toml.value(text)) is type(meant)


LINES = """\
a = 1
"quoted key" = 2

[ t ]  # a table
b.c = 3
  d = "x = y"
'e' = [
  1,
]
[t.u.v]
f = 4
[[w]]
g = 5
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("a", 1), ("quoted key", 2), ("t", 4), ("t.b.c", 5), ("t.b", 5), ("t.d", 6), ("t.e", 7), ("t.u", 10), ("t.u.v",
         10),
        ("t.u.v.f", 11), ("w", 12), ("w.g", 13),
    ],
)  # fmt: skip
def test_each_key_has_the_line_it_stands_in(key: str, line: int) -> None:
    assert toml.lines(LINES)[key] == line


def test_nothing_but_the_keys_has_a_line() -> None:
    assert sorted(toml.lines(LINES)) == sorted(
        ["a", "quoted key", "t", "t.b", "t.b.c", "t.d", "t.e", "t.u", "t.u.v", "t.u.v.f", "w", "w.g"]
    )


def test_what_is_written_is_what_is_read_and_none_is_left_out() -> None:
    table = {"a": None, "b": {"c": (1, 2), "d": None}, "e": 0.1, "f": 'quote " \\ ä\n', "g": 1e-300, "h": {}}
    assert toml.parse(toml.dump(table)) == {"b": {"c": [1, 2]}, "e": 0.1, "f": 'quote " \\ ä\n', "g": 1e-300, "h": {}}


def test_a_date_in_the_middle_of_a_word_is_a_word() -> None:
    assert toml.parse('a = "2020-01-01"') == {"a": "2020-01-01"}
    assert not isinstance(toml.value("2020-01-01"), dt.date)
