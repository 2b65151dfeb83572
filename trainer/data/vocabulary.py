"""What tokens stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.text import clean

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens are the places of characters, or bytes as they are.

    Attributes:
        characters: all that a text holds, by their code points; "" where tokens are bytes.
    """

    characters: str

    @property
    def names(self) -> tuple[str, ...]:
        """Return a name for each token, safe to show."""
        if self.characters:
            return tuple(map(_name, self.characters))
        return tuple(_name(chr(byte)) if byte < 128 else f"\\x{byte:02x}" for byte in range(256))

    def spelled(self, tokens: NDArray[Any]) -> str:
        """Return the text that tokens are; bytes that are no UTF-8 become the replacement character."""
        if self.characters:
            return "".join(self.characters[token] for token in tokens)
        return bytes(tokens.tolist()).decode("utf-8", "replace")


def _name(character: str) -> str:
    return "space" if character == " " else clean(character)
