"""What a network for text writes: pieces of the text, and how it went on after each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip

from tui.cell_grid import CellGrid, Palette
from tui.picture import Picture
from tui.picture_words import BEGINS

if TYPE_CHECKING:
    from rich.style import Style

    from trainer.picture_file import Passage, Pictures

    Run = tuple[str, Style]


class PassagesPanel(Picture):
    """The passages one below the other, as far as there is room; lines are broken between words."""

    BORDER_TITLE = f"the text {BEGINS}what the network writes"

    def applies(self, pictures: Pictures) -> bool:  # noqa: D102
        return bool(pictures.passages)

    def draw(self, pictures: Pictures, width: int, height: int, palette: Palette) -> list[Strip]:  # noqa: D102
        grid, top = CellGrid(width, height, palette.style()), 0
        for passage in pictures.passages:
            for line in _lines(_runs(passage, palette), width):
                x = 0
                for text, style in line:
                    grid.put(x, top, text, style)
                    x += cell_len(text)
                top += 1
            top += 1
        return grid.strips()


def _runs(passage: Passage, palette: Palette) -> list[Run]:
    return [
        (passage.prompt, palette.style(palette.muted)),
        (BEGINS, palette.style(palette.accent, bold=True)),
        (passage.written, palette.style()),
    ]


def _lines(runs: list[Run], width: int) -> Iterator[list[Run]]:
    """Yield the lines of a text in several styles, none wider than there is room."""
    line: list[Run] = []
    room = width
    for word, style in _words(runs):
        for piece in _pieces(word, width):
            if piece == "\n" or (cell_len(piece.rstrip()) > room and line):
                yield line
                line, room = [], width
            if piece != "\n":
                line.append((piece, style))
                room -= cell_len(piece)
    yield line


def _words(runs: list[Run]) -> Iterator[Run]:
    """Yield words with the spaces after them, and line breaks by themselves."""
    for text, style in runs:
        for number, line in enumerate(text.split("\n")):
            if number:
                yield "\n", style
            *whole, last = line.split(" ")
            yield from ((f"{word} ", style) for word in whole)
            if last:
                yield last, style


def _pieces(word: str, width: int) -> Iterator[str]:
    """Yield a word, cut where it is wider than a line."""
    piece = ""
    for character in word:
        if piece and cell_len(piece + character.rstrip()) > width:
            yield piece
            piece = ""
        piece += character
    yield piece
