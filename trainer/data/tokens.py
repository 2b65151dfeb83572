"""From a text to examples: stretches of it as tokens, and for each token the one that follows."""

from __future__ import annotations

import gzip
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trainer.data.content import read_content
from trainer.data.refusal import DataFile, refused
from trainer.data.section import LEAST_EXAMPLES, Table
from trainer.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from trainer.data.text import Tokens

_EMBEDDED: Final = "persuasion.txt.gz"

_MOST_CHARACTERS: Final = 8192
"""Different characters of a text: a network has an output for each at every place. A book of any script has less."""

_CODE_POINTS: Final = 0x110000


def read_text(file: DataFile | None, tokens: Tokens, context: int, validation: float, test: float) -> Table:
    """Return the examples of a text, in its order.

    Its end tests, what is before that validates, so that nothing is validated on what was trained on. An example begins
    where the one before it ended; of each part a rest that is shorter than an example is left out.

    Args:
        file: that holds it; None for the one that comes with the program.
        tokens: what it is cut into.
        context: tokens of an example.
        validation: share of the text that validates.
        test: share that tests, likewise.

    Raises:
        ConfigError: it cannot be read, is too short, or has too many different characters.
    """
    try:
        content = _embedded() if file is None else read_content(file)
        stream, vocabulary = _characters(content, file) if tokens == "characters" else _bytes(content)
        parts = _parts(stream, validation, test)
        counts = [max(0, len(part) - 1) // context for part in parts]  # each token is followed by one more
        _require(counts, [LEAST_EXAMPLES, int(validation > 0), int(test > 0)], context, file)
        x, y = (_examples(parts, counts, context, shift) for shift in (0, 1))
    except MemoryError:
        raise _refused(file, "must fit into memory, got a text that does not. Train on a part of it.") from None
    return Table(
        x, y, "language_modeling", (), vocabulary.names,
        n_validation=counts[1], n_test=counts[2], vocabulary=vocabulary,
    )  # fmt: skip


def _embedded() -> bytes:
    return gzip.decompress((resources.files("trainer") / "datasets" / _EMBEDDED).read_bytes())


def _characters(content: bytes, file: DataFile | None) -> tuple[NDArray[Any], Vocabulary]:
    """Return the place of each character among those that there are; lines end as Python reads them."""
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        message = f"must be text in UTF-8, got byte {content[error.start]:#04x} at place {error.start}."
        raise _refused(file, f'{message} Save it as UTF-8, or set data.tokens = "bytes".') from None
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
    known = np.flatnonzero(np.bincount(codes, minlength=_CODE_POINTS))
    if len(known) > _MOST_CHARACTERS:
        message = f"must hold at most {_MOST_CHARACTERS} different characters, got {len(known)}."
        raise _refused(file, f'{message} Set data.tokens = "bytes".')
    places = np.zeros(_CODE_POINTS, np.min_scalar_type(max(0, len(known) - 1)))
    places[known] = np.arange(len(known))
    return places[codes], Vocabulary("".join(map(chr, known)))


def _bytes(content: bytes) -> tuple[NDArray[Any], Vocabulary]:
    return np.frombuffer(content, np.uint8), Vocabulary("")


def _parts(stream: NDArray[Any], validation: float, test: float) -> list[NDArray[Any]]:
    """Return what trains, validates and tests, one after the other."""
    n_validation, n_test = (round(len(stream) * share) for share in (validation, test))
    end = len(stream) - n_test
    return np.split(stream, [max(0, end - n_validation), end])


def _require(counts: list[int], least: list[int], context: int, file: DataFile | None) -> None:
    if any(count < needed for count, needed in zip(counts, least, strict=True)):
        needed, found = (" + ".join(map(str, each)) for each in (least, counts))
        message = f"must leave at least {needed} examples of {context} tokens to train, validate and test, got {found}."
        raise _refused(file, f"{message} Use a longer text, or a smaller data.context.")


def _examples(parts: list[NDArray[Any]], counts: list[int], context: int, shift: int) -> NDArray[Any]:
    """Return so many stretches of each part, from a token on; shape [examples, context]."""
    rows = (part[shift : shift + count * context] for part, count in zip(parts, counts, strict=True))
    return np.concatenate(list(rows)).reshape(-1, context)


def _refused(file: DataFile | None, message: str) -> Exception:
    return refused(message) if file is None else file.refused(message)
