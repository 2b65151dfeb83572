"""Texts that a terminal would obey, through everything that shows text, on a real terminal."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from terminals import Terminal
from torture.figure import Figure, say
from torture.hostile_store import escaped, strings, write_run

_COUNT: Final = 1000
_SHORT_COUNT: Final = 48
_AT_ONCE: Final = 20
_PAGE_DOWN: Final = b"\x1b[6~"
_SIZE: Final = (140, 45)
_REST_SECONDS: Final = 0.25


def hostile(folder: Path, short: bool) -> list[Figure]:
    """Show a thousand strings; in short, some fifty."""
    texts = strings(_SHORT_COUNT if short else _COUNT)
    store, home = folder / "runs", folder / "home"
    runs = [store / f"20260101-{n:06d}-{_as_name(text)}" for n, text in enumerate(texts)]
    for n, (run, text) in enumerate(zip(runs, texts, strict=True)):
        write_run(run, text, texts[n : n + 3])
    write_run(store / "20270101-000000-many-0000", texts[0], texts)
    presets = _write_presets(home / "nn-tui" / "presets", texts)
    environment = {"NN_TUI_RUNS": str(store), "XDG_CONFIG_HOME": str(home)}
    shown, leaks = 0, []
    for words in _commands(store, presets, texts, short):
        with Terminal(*words, size=_SIZE, **environment) as program:
            program.ended()
            leaks += [f"{words[0]}: {leak}" for leak in escaped(program.raw)]
            shown += 1
    step = len(runs) if short else _AT_ONCE
    tours = [_tour(environment, runs[n : n + _AT_ONCE]) for n in range(0, len(runs), step)]
    for leak in dict.fromkeys([*leaks, *(leak for found in tours for leak in found)]):
        say(f"hostile: {leak}")
    return [
        Figure(f"commands that show {len(texts):,} hostile strings", shown, len(leaks)),
        Figure("tours through the app past hostile strings", len(tours), sum(map(bool, tours))),
    ]


def _as_name(text: str) -> str:
    return text.replace("/", "|").replace("\0", "")[:60]


def _write_presets(folder: Path, texts: list[str]) -> list[Path]:
    """Write presets of hostile names over tables whose names and words are hostile."""
    folder.mkdir(parents=True)
    made = []
    for n in range(0, len(texts), _AT_ONCE):
        some = texts[n : n + _AT_ONCE]
        table = folder / f"table-{n}.csv"
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([*some[:5], "target"])
            writer.writerows(
                [[*(f"{word}" for word in some[row % 4 : row % 4 + 5]), some[row % 3]] for row in range(40)]
            )
        made.append(folder / f"{_as_name(some[0])}-{n}.toml")
        made[-1].write_text(f'data.source = "path"\ndata.path = "{table.name}"\ndata.target = "target"\n')
        (folder / f"{_as_name(some[1])}-wrong-{n}.toml").write_text(f"{some[2]}\n", encoding="utf-8")
    return made


def _commands(store: Path, presets: list[Path], texts: list[str], short: bool) -> Iterator[list[str | Path]]:
    many, *_ = sorted(store.glob("*-many-*"))
    yield ["runs"]
    yield ["doctor"]
    yield ["presets"]
    yield ["compare", many, "@last"]
    yield ["compare", many, "@last", "--csv"]
    yield ["export", many, "--to", "csv"]
    for n in range(0, len(texts), len(texts) if short else 50):
        text = texts[n].replace("\0", "")
        run = sorted(store.iterdir())[n]
        yield ["runs", text]
        yield ["train", text]
        yield ["examples", run]
        yield ["control", run, text]
        yield ["train", "iris-first", "--set", f"{text}={text}"]
        yield ["compare", run, text]
        yield ["summary", presets[n // _AT_ONCE]]


def _tour(environment: dict[str, str], runs: list[Path]) -> list[str]:
    """Go through the app with these runs, and return what leaked, or where it stood still."""
    with Terminal(*runs[:8], size=_SIZE, **environment) as app:
        try:
            _walk(app, min(len(runs), 8))
        except TimeoutError as error:
            return [*escaped(app.raw), f"{error}"]
        return escaped(app.raw)


def _walk(app: Terminal, n_marked: int) -> None:
    """Press keys on both screens. Raises TimeoutError where one of them did not come to what it does."""

    def press(keys: bytes, *shows: str) -> None:
        app.press(keys)
        app.until_shown(*shows)
        app.until_quiet(_REST_SECONDS)

    app.until_shown("comparison", "runs in", "2/2", f"{n_marked} marked")  # the rows are listed
    app.until_quiet(_REST_SECONDS)
    for _ in range(3):
        press(b"m")
    press(_PAGE_DOWN)
    press(b"\r", "1 curves", "events")
    for page in b"12345":
        press(bytes([page]))
    press(b"1")
    for _ in range(3):
        press(b"t")
    press(b"\x1b[19~", "those of this session")
    press(b"\x1b")
    app.until(lambda: "those of this session" not in app.text, "the end of the dialog")
    press(b"\x0f", "Open a preset")
    for _ in range(4):
        press(_PAGE_DOWN)
