"""A text to predict token by token: a person's own, or the one that comes with the program."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import ClassVar, Literal

from trainer.data.content import resolved, stamp
from trainer.data.refusal import DataFile
from trainer.data.section import DataSection, Table
from trainer.fields import structural

Tokens = Literal["characters", "bytes"]


class Text(DataSection):
    """A text, to predict each token of from those before; its end validates and tests, nothing is drawn."""

    PATHS: ClassVar[tuple[str, ...]] = ("path",)

    source: Literal["text"] = "text"
    path: str = structural(
        "", "A text file, gzipped or not; empty: Jane Austen's Persuasion, which comes with the program.",
        max_length=4096,
    )  # fmt: skip
    tokens: Tokens = structural(
        "characters", "What is predicted one by one: characters of a text in UTF-8, or the bytes of any file."
    )
    context: int = structural(
        64, "Tokens of an example; a network looks no further back. More tells more and takes longer.",
        unit="tokens", ge=1, le=4096,
    )  # fmt: skip

    def stamp(self, file_base: Path | None) -> Hashable:
        """Return size and time of the last change. Raises ConfigError."""
        file = self._file(file_base)
        return file and stamp(file)

    def read(self, file_base: Path | None) -> Table:
        """Return the text cut into examples, those that validate and test at the end."""
        from trainer.data.tokens import read_text

        return read_text(self._file(file_base), self.tokens, self.context, self.validation_split, self.test_split)

    def _file(self, file_base: Path | None) -> DataFile | None:
        return DataFile(resolved(self.path, file_base, "data.path")) if self.path else None
