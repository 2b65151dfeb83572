"""Text of strangers made safe to show: names, labels, headers, paths and cells on their way to a screen or a log line.

A terminal obeys what it is sent: a column name may set the window title, write the clipboard or erase the screen, and
a bidirectional control may make one label look like another. After `clean` every such character is spelled out.
"""

import unicodedata

# Controls, formats (bidirectional, zero-width, tags), what is not assigned (yet), lone surrogates, line and paragraph
# separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"})
# Letters and marks by category, and yet nothing is seen of them.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def clean(text: str) -> str:
    r"""Return the text as one line in which every control, invisible or unpaired character is spelled out.

    Covers C0, DEL, C1, bidirectional and zero-width characters and lone surrogates (as in file names that are not
    UTF-8). Cleaning twice changes nothing more. Combining marks and wide characters stay.

    Returns:
        Text that every encoder takes, ESC as `\x1b`, a right-to-left override as `\u202e`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(character) if _hides(character) else character for character in text)


def quoted(text: str, limit: int = 60) -> str:
    """Return the text cleaned, in single quotes, and cut at `limit` characters, as error messages show a value got."""
    return f"'{clipped(text, limit)}'"


def clipped(text: str, limit: int) -> str:
    """Return the text cleaned and cut at `limit` characters, three dots marking the cut."""
    # Cut first as well: a cell may be megabytes long.
    whole = clean(text[: limit + 1])
    return whole if len(whole) <= limit else f"{whole[: limit - 3]}..."


def _hides(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE or character in _INVISIBLE


def _spelled(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
