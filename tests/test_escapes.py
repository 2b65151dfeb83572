import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.escapes import checked

PICTURE = "\x1b[?2026h\x1b[3;10H\x1b[1;38;2;1;2;3mloss ⠉⠒ 日本\x1b[0m\x1b[4;1H\n\x1b[?2026l"


@pytest.mark.parametrize(
    "sent",
    [
        PICTURE, "\x1b[H", "", "\x07", "\x1b[?1049h", "\x1b[?25l", "\x1b[>25u", "\x1b[<u", "\x1b[?2026$p",
        "\x1b]52;c;bG9zcw==\x07", "\x1b]22;pointer\x07",
    ],
)  # fmt: skip
def test_what_the_app_sends_passes(sent: str):
    assert checked(sent) == sent


@pytest.mark.parametrize(
    "smuggled",
    [
        "\x1b]0;owned\x07", "\x1b]52;c;ZXZpbA==\x07", "\x1b]8;;http://x\x1b\\", "\x1b[2J", "\x1b[6n", "\x1b[?1049l",
        "\x1b[c", "\x1bc", "\x1b[5i", "\x1bP+q544e\x1b\\", "\x9b2J", "\x9d0;owned\x9c",
        "\x07", "\r", "\t", "\x7f", "\x00",
        "\x1b[?2026$p", "\x1b_Gf=24\x1b\\", "\x1b[21t", "\x1b[>4;2m",
    ],
)  # fmt: skip
def test_in_a_picture_nothing_passes_but_colours_and_places(smuggled: str):
    sent = checked(f"{PICTURE}a name {smuggled} goes on{PICTURE}")
    assert smuggled not in sent
    assert sent.startswith(PICTURE)
    assert sent.endswith(PICTURE)


@given(st.text(st.sampled_from("\x1b[]?;0123456789hlmHJ\x07\x9bPc\\ a\n\r") | st.characters(), max_size=30))
def test_whatever_is_sent_within_a_picture_only_paints(text: str):
    rest = re.sub(r"\x1b\[[0-9;]*[mH]|\x1b\[\?2026[hl]|\n", "", checked(PICTURE + text))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", rest)
