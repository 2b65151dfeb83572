"""`nn-tui examples`: what a run's network makes of the examples, without a screen."""

from collections.abc import Iterator
from pathlib import Path

from rich.cells import cell_len

from trainer.picture_file import Pictures, read
from trainer.store import find, store
from tui.cell_grid import fitted
from tui.picture_words import BEGINS, facts, feature_words, headline, verdict

_LONGEST_NAME = 16


def print_examples(word: str, folder: Path | None, as_json: bool) -> None:
    """Print confusion, worst examples and how many were right; of a text what the network writes. Raises RunError."""
    pictures = read(find(word, store(folder)))
    if as_json:
        print(pictures.model_dump_json())
        return
    print(headline(pictures))
    for lines in (_matrix(pictures), _pairs(pictures), _worst(pictures), *_passages(pictures)):
        if lines:
            print("", *lines, sep="\n")


def _passages(pictures: Pictures) -> Iterator[list[str]]:
    for passage in pictures.passages:
        yield f"{passage.prompt}{BEGINS}{passage.written}".split("\n")


def _matrix(pictures: Pictures) -> list[str]:
    matrix = pictures.confusion
    if not matrix:
        return []
    names = [pictures.target(index) for index in range(len(matrix))]
    margin = min(max(map(cell_len, names)), _LONGEST_NAME)
    width = max(margin if len(names) <= 8 else 0, *(len(str(count)) for row in matrix for count in row), 3)
    heading = "  ".join(fitted(name, width, ">") for name in names)
    rows = (
        f"{fitted(names[true], margin)}  " + "  ".join(f"{count or '·':>{width}}" for count in row)
        for true, row in enumerate(matrix)
    )
    return ["confusion: true by row, predicted by column", f"{' ' * margin}  {heading}", *rows]


def _pairs(pictures: Pictures) -> list[str]:
    if not pictures.confused:
        return []
    pairs = (f"{pair.count:>6}  {_pair(pictures, pair.true, pair.predicted)}" for pair in pictures.confused)
    return ["confused most", *pairs]


def _pair(pictures: Pictures, true: int, predicted: int) -> str:
    return f"{pictures.target(true)} as {pictures.target(predicted)}"


def _worst(pictures: Pictures) -> list[str]:
    if not pictures.worst:
        return []
    told = [(" ".join(verdict(pictures, example)[0]), example) for example in pictures.worst]
    width = max(cell_len(words) for words, _ in told)
    lines = (
        f"{fitted(words, width)}  {facts(example)}  #{example.index}"
        + (f"  {' · '.join(feature_words(example)[:3])}" if example.features else "")
        for words, example in told
    )
    return ["worst examples", *lines]
