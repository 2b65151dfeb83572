"""From a person's file to a trained model by two commands at most, with the defaults as they are."""

import csv
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.dummy import DummyClassifier

from tui.cli import run

Command = Callable[..., dict[str, Any]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the function that trains in a folder of its own, as a person types it, and returns what is printed."""
    monkeypatch.chdir(tmp_path)

    def typed(*settings: str) -> dict[str, Any]:
        words = [word for setting in settings for word in ("--set", setting)]
        code = run(["train", "csv-template", *words, "--json"])
        printed = capsys.readouterr()
        return {"code": code, "errors": printed.err, **(json.loads(printed.out) if printed.out else {})}

    return typed


def wine(path: Path) -> float:
    """Write real wines as people keep them; return the accuracy of who always names the commonest cultivar.

    With a byte order mark, quotes, separators within them, a word for the colour, yes and no, names, and gaps.
    """
    data = load_wine()
    colour = data.feature_names.index("color_intensity")
    words = np.array(["pale, light", 'a "middling" red', "deep"])[
        np.searchsorted(np.quantile(data.data[:, colour], [1 / 3, 2 / 3]), data.data[:, colour])
    ]
    cultivars = [f"cultivar {target}" for target in data.target]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        names = [name for place, name in enumerate(data.feature_names) if place != colour]
        writer.writerow(["cultivar", "label on the bottle", *names, "colour, as seen", "strong"])
        for row, (values, word, cultivar) in enumerate(zip(data.data, words, cultivars, strict=True)):
            cells = [str(value) for place, value in enumerate(values) if place != colour]
            cells[row % len(cells)] = "" if row % 3 == 0 else cells[row % len(cells)]
            strong = "yes" if values[0] > 13 else "no"
            writer.writerow([cultivar, f"wine no. {row}", *cells, "NA" if row % 20 == 7 else word, strong])
    return float(DummyClassifier().fit(data.data, cultivars).score(data.data, cultivars))


def idx(array: Any) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def check_learned(told: dict[str, Any], trivial: float) -> None:
    """What is left of the errors of a trivial predictor must be a fifth at most."""
    assert (told["code"], told["state"]) == (0, "finished"), told["errors"]
    accuracy = told["metrics"]["val_accuracy"]
    assert 1 - accuracy <= 0.2 * (1 - trivial), (accuracy, trivial)


def test_a_table_of_mixed_types_with_gaps_is_trained_by_the_second_command(command: Command, tmp_path: Path) -> None:
    trivial = wine(tmp_path / "wines.csv")
    refused = command("data.path=wines.csv", "data.target=cultivar")
    assert refused["code"] == 2
    assert refused["errors"].count("\n") == 1
    assert "got 'label on the bottle' (178 words). Name those to leave out in data.ignore" in refused["errors"]
    assert not (tmp_path / "runs").exists()
    settings = ("data.path=wines.csv", "data.target=cultivar", "data.ignore=label on the bottle")
    check_learned(command(*settings), trivial)


def test_the_words_of_the_table_may_be_embedded(command: Command, tmp_path: Path) -> None:
    trivial = wine(tmp_path / "wines.csv")
    settings = ("data.path=wines.csv", "data.target=cultivar", "data.ignore=label on the bottle")
    check_learned(command(*settings, "data.categories=embedding"), trivial)


def test_pictures_in_idx_files_are_trained_by_one_command(command: Command, tmp_path: Path) -> None:
    digits = load_digits()
    (tmp_path / "pictures").write_bytes(idx((digits.images * 15).astype(np.uint8)))
    (tmp_path / "labels").write_bytes(idx(digits.target.astype(np.uint8)))
    trivial = float(DummyClassifier().fit(digits.data, digits.target).score(digits.data, digits.target))
    check_learned(command("data.path=pictures", "data.target_path=labels"), trivial)


def test_a_file_of_data_in_the_place_of_a_preset_is_told_how_to_train_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wine(tmp_path / "wines.csv")
    assert run(["train", str(tmp_path / "wines.csv")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"nn-tui train csv-template --set data.path={tmp_path / 'wines.csv'} --set data.target=COLUMN" in said
