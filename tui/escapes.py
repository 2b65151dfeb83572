"""The escape sequences that the app may send to a terminal; no other passes.

What strangers named is cleaned where it becomes text (`trainer.text`). This is the second gate, at the terminal itself:
a text that got past the first one may place and colour letters, and nothing else. It cannot set a title, write the
clipboard, ask the terminal questions or switch its modes.
"""

import re

_CONTROL = r"[\x00-\x1f\x7f-\x9f]"

# Colours, places, line feeds, and the two marks around a picture that is to appear at once.
_PAINTING = r"\x1b\[[0-9;]*[mH]|\n|\x1b\[\?2026[hl]"

# Screen, cursor, focus, mouse, paste, line wrap, keys of kitty, the question for the two marks; the bell, what a person
# copied, the shape of the mouse's pointer. Only ever sent alone, which nothing within a picture is.
_ALONE = re.compile(
    r"\x1b\[\?(?:1049|25|1004|1000|1003|1006|1015|2004|7)[hl]|\x1b\[>\d+u|\x1b\[<u|\x1b\[\?2026\$p"
    r"|\x07|\x1b\]52;c;[A-Za-z0-9+/=]*\x07|\x1b\]22;[a-z-]*\x07"
)
_HARMLESS = re.compile(rf"(?:[^\x00-\x1f\x7f-\x9f]++|{_PAINTING})*+")
_EACH = re.compile(rf"({_PAINTING})|{_CONTROL}")

_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def checked(text: str) -> str:
    """Return what is written to the terminal at once, every control character outside of a known sequence replaced."""
    if _HARMLESS.fullmatch(text) or _ALONE.fullmatch(text):
        return text
    return _EACH.sub(lambda found: found[1] or _INSTEAD, text)
