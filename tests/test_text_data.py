"""A text as data: its tokens are those of the file, in order, and none is both trained and validated on."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusal

from trainer.data import Text
from trainer.data.loading import describe, load, overview
from trainer.data.splits import Splits
from trainer.data.text import Tokens
from trainer.data.tokens import read_text
from trainer.data.vocabulary import Vocabulary
from trainer.models import Inputs
from tui.data_words import data_lines

PROSE = "It is a truth universally acknowledged, that a single man must be in want of a wife.\n" * 8


def written(folder: Path, content: str | bytes, name: str = "some.txt") -> Text:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Text(path=str(folder / name), context=8)


def spelled(splits: Splits, tokens: Any) -> str:
    assert splits.vocabulary is not None
    return splits.vocabulary.spelled(tokens.ravel())


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff"), min_size=80, max_size=300),
    context=st.integers(1, 7),
    validation=st.sampled_from([0.0, 0.2, 0.5]),
    test=st.sampled_from([0.0, 0.3]),
    tokens=st.sampled_from(["characters", "bytes"]),
)
def test_each_part_is_a_stretch_of_the_text_of_its_own_and_each_target_what_comes_next(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    context: int,
    validation: float,
    test: float,
    tokens: Tokens,
) -> None:
    section = written(tmp_path_factory.mktemp("text"), text).model_copy(
        update={"context": context, "validation_split": validation, "test_split": test, "tokens": tokens}
    )
    splits, whole = load(section), list(text if tokens == "characters" else text.encode())
    n_validation, n_test = round(len(whole) * validation), round(len(whole) * test)
    starts = 0, len(whole) - n_test - n_validation, len(whole) - n_test
    ends = *starts[1:], len(whole)
    for part, start, end in zip((splits.train, splits.validation, splits.test), starts, ends, strict=True):
        count = max(0, end - start - 1) // context * context
        for shift, array in enumerate((part.x, part.y)):
            held = array.ravel().tolist()
            found = held if tokens == "bytes" else [splits.vocabulary.characters[token] for token in held]  # type: ignore[union-attr]
            assert found == whole[start + shift : start + shift + count]


def test_tokens_are_integers_as_small_as_they_can_be(tmp_path: Path) -> None:
    assert load(written(tmp_path, PROSE)).train.x.dtype == np.uint8
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 400)))
    assert load(written(tmp_path, many)).train.y.dtype == np.uint16
    assert load(written(tmp_path, many).model_copy(update={"tokens": "bytes"})).n_outputs == 256


def test_what_is_told_before_reading_is_what_is_read(tmp_path: Path) -> None:
    section = written(tmp_path, PROSE)
    splits = load(section)
    assert describe(section) == splits.summary
    assert splits.summary.inputs == Inputs(8, vocabulary=len(set(PROSE)))
    told = overview(section)
    assert told.text == PROSE[:240]
    names, counts = zip(*told.classes, strict=True)
    seen = spelled(splits, splits.train.y)
    assert dict(told.classes)["space"] == counts[0] == seen.count(" ")
    assert list(counts) == sorted(counts, reverse=True)
    assert set(names) == {"space", "\\n", *set(PROSE)} - {" ", "\n"}
    lines = data_lines(describe(section), told)
    count = len(splits.train) + len(splits.validation)
    assert lines[0] == f"{count} examples of 8 tokens (uint8), {len(names)} different tokens."
    assert PROSE.split("\n")[0] in lines


def test_line_ends_and_gzip_change_nothing(tmp_path: Path) -> None:
    plain = load(written(tmp_path, PROSE))
    for content in (
        PROSE.replace("\n", "\r\n"),
        PROSE.replace("\n", "\r"),
        "\ufeff" + PROSE,
        gzip.compress(PROSE.encode(), mtime=0),
    ):
        other = load(written(tmp_path, content))
        assert other.fingerprint == plain.fingerprint
        assert (other.train.x == plain.train.x).all()
    assert load(written(tmp_path, PROSE.upper())).fingerprint != plain.fingerprint


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    section = written(tmp_path, PROSE)
    before = describe(section)
    written(tmp_path, PROSE * 2)
    assert describe(section).n_train > before.n_train


def test_bytes_that_are_no_text_are_spelled_as_far_as_they_are() -> None:
    assert Vocabulary("").spelled(np.frombuffer("né\xff".encode("latin-1"), np.uint8)) == "n��"
    names = Vocabulary("").names
    assert (len(names), len(set(names)), names[0], names[65], names[200]) == (256, 256, "\\x00", "A", "\\xc8")


def test_the_text_of_the_program_is_the_whole_novel() -> None:
    table = read_text(None, "characters", 64, 0.0, 0.0)
    assert table.vocabulary is not None
    text = table.vocabulary.spelled(table.x.ravel())
    assert text.startswith("Chapter 1\nSir Walter Elliot, of Kellynch Hall, in Somersetshire, was a man who,")
    assert "Her spring of felicity was in the glow of her spirits" in text
    assert [f"Chapter {number}\n" in text for number in range(1, 26)] == [True] * 24 + [False]
    assert "gutenberg" not in text.lower()
    assert text.isascii()
    assert table.n_outputs == 75


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must hold examples, got an empty file."),
        (
            b"plain \xe9t\xe9",
            "must be text in UTF-8, got byte 0xe9 at place 6."
            ' Save it as UTF-8, or set data.tokens = "bytes".',
        ),
        (
            "too short for it",
            "must leave at least 2 + 1 + 0 examples of 8 tokens to train, validate and test, got 1 + 0 + 0."
            " Use a longer text, or a smaller data.context.",
        ),
        (
            "".join(map(chr, range(0x3000, 0x3000 + 8193))),
            'must hold at most 8192 different characters, got 8193. Set data.tokens = "bytes".',
        ),
        (gzip.compress(PROSE.encode(), mtime=0)[:60], "must be a whole gzip file, got a damaged one. Copy it again."),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    assert refusal(written(tmp_path, content)) == f"some.txt: data.path {words}"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("pipe", "must name a regular file, got a pipe, socket or device."),
        ("missing", "must name a file or folder, got a path where there is none."),
        (".", "must name a file, got a folder."),
    ):
        assert words in refusal(Text(path=name), tmp_path)
