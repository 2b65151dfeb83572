import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.text import clean, clipped, quoted

ANY_TEXT = st.text(st.characters(categories=None, codec=None)) | st.text(
    st.integers(0, 0x10FFFF).map(chr)  # lone surrogates, too
)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]52;c;ZXZpbA==\x1b\\", "\\x1b]52;c;ZXZpbA==\\x1b\\"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9d52;c;x\x9c", "\\x9d52;c;x\\x9c"),
        ("\x7f", "\\x7f"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\0", "\\x00"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("a\u200bb\ufeff\u2060", "a\\u200bb\\ufeff\\u2060"),
        ("\u2028", "\\u2028"),
        ("na\udcffme", "na\\udcffme"),
        ("\U000e0041", "\\U000e0041"),
        ("\u3164", "\\u3164"),
    ],
)
def test_clean_spells_out_what_a_terminal_would_obey_or_hide(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


@pytest.mark.parametrize("harmless", ["", "sepal length (cm)", "Größe", "年齢", "e\u0301", "[/red]", "=cmd()", "\\x1b"])
def test_clean_leaves_harmless_text_as_it_is(harmless: str) -> None:
    assert clean(harmless) == harmless


@given(ANY_TEXT)
def test_clean_leaves_no_control_and_text_that_can_be_encoded(text: str) -> None:
    shown = clean(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"}
    assert shown.encode().decode() == shown
    assert clean(shown) == shown


def test_clipped_marks_the_cut_and_keeps_the_limit() -> None:
    assert clipped("abcdefgh", 6) == "abc..."
    assert clipped("abcdef", 6) == "abcdef"
    assert len(clipped("\x1b" * 100, 10)) == 10


def test_quoted_shows_a_long_hostile_value_in_one_short_line() -> None:
    assert quoted("\x1b[2J") == "'\\x1b[2J'"
    assert len(quoted("x" * 10**6)) == 62
