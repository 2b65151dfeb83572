"""`pictures.json`: what is written comes back; what strangers write is refused in one line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from trainer.picture_file import LIMIT, NAME, Example, Feature, Pictures, read, write
from trainer.problems import RunError

PLAIN: dict[str, Any] = {
    "time": 1.0, "epoch": 3, "step": 12, "split": "validation", "examples": 4, "of": 4, "task": "classification",
    "target_names": ["a", "b"], "right": 3, "confusion": [[2, 0], [1, 1]],
    "confused": [{"true": 1, "predicted": 0, "count": 1}],
    "worst": [
        {
            "index": 2, "loss": "NaN", "true": 1, "predicted": 0, "true_share": 0.1, "predicted_share": 0.9,
            "features": [{"name": "width", "value": 1.5, "deviation": -0.5}],
        },
    ],
    "image_shape": None,
}  # fmt: skip
GRID: dict[str, Any] = {
    "names": ["x", "y"], "x": [0.0, 1.0], "y": [0.0, 1.0], "columns": 2, "rows": 2, "classes": [0, 1, 1, 0],
    "percents": [50, 60, 70, 80], "point_x": [0.5], "point_y": [0.5], "point_targets": [1.0],
}  # fmt: skip


def folder(tmp_path: Path, text: str | bytes) -> Path:
    (tmp_path / NAME).write_bytes(text if isinstance(text, bytes) else text.encode())
    return tmp_path


def changed(**changes: Any) -> str:
    return json.dumps({**PLAIN, **changes})


def example(**changes: Any) -> list[dict[str, Any]]:
    return [{**PLAIN["worst"][0], **changes}]


def test_what_is_written_comes_back(tmp_path: Path):
    pictures = Pictures.model_validate({**PLAIN, "boundary": GRID, "worst": example(loss=2.5)})
    write(tmp_path, pictures)
    assert read(tmp_path) == pictures
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_what_a_newer_version_adds_is_no_error(tmp_path: Path):
    assert read(folder(tmp_path, changed(saliency=[1, 2], schema=2))).right == 3


def test_names_are_made_safe_to_show_and_cut(tmp_path: Path):
    evil = "\x1b]0;x\x07\u202e"
    text = changed(target_names=[evil, "x" * 500], worst=example(features=[{"name": evil, "value": 1, "deviation": 0}]))
    pictures = read(folder(tmp_path, text))
    told = [*pictures.target_names, pictures.worst[0].features[0].name]
    assert all(name.isprintable() and len(name) <= 40 for name in told)
    assert pictures.target_names[0] == r"\x1b]0;x\x07\u202e"
    assert pictures.target(7) == "7"


HOSTILE: dict[str, str | bytes] = {
    "empty": "",
    "not JSON": "epoch = 3",
    "half": changed()[:200],
    "a list": "[]",
    "binary": bytes(range(256)),
    "not UTF-8": b'{"time": "\xff\xfe"}',
    "nested deep": '{"worst":' + "[" * 100_000,
    "a huge integer": changed(epoch=0).replace('"epoch": 0', '"epoch": ' + "9" * 5000),
    "negative": changed(epoch=-1),
    "an infinite time": changed(time="Infinity"),
    "a task of its own": changed(task="\x1b[2J"),
    "no square": changed(confusion=[[1, 2], [3]]),
    "negative counts": changed(confusion=[[1, -2], [3, 4]]),
    "too many classes": changed(confusion=[[0] * 51] * 51),
    "too many worst": changed(worst=example() * 13),
    "a word for a class": changed(worst=example(true="b")),
    "numbers for classes": changed(worst=example(true=[1.0], predicted=[2.0])),
    "no pixels": changed(image_shape=[8, 8, 1]),
    "too many pixels": changed(image_shape=[1000, 1000, 1], worst=[]),
    "a pixel too bright": changed(image_shape=[1, 2, 1], worst=example(image=[1, 256])),
    "a picture without channels": changed(image_shape=[1, 2], worst=example(image=[1, 2])),
    "two channels": changed(image_shape=[1, 1, 2], worst=example(image=[1, 2])),
    "colour without its channels": changed(image_shape=[1, 1, 3], worst=example(image=[1])),
    "pixels that nobody asked for": changed(worst=example(image=[1, 2])),
    "a grid with holes": changed(boundary={**GRID, "classes": [0, 1]}),
    "a grid that says two things": changed(boundary={**GRID, "values": [0.0] * 4}),
    "a grid without size": changed(boundary={**GRID, "columns": 0, "classes": [], "percents": []}),
    "points without a place": changed(boundary={**GRID, "point_y": []}),
    "a grid to infinity": changed(boundary={**GRID, "x": [0.0, "Infinity"]}),
    "a grid of no width": changed(boundary={**GRID, "x": [1.0, 1.0]}),
    "more than everything": changed(boundary={**GRID, "percents": [101] * 4}),
    "an unequal scatter": changed(scatter=[{"true": [1.0], "predicted": []}]),
    "a line break in a key": changed(worst=[{"\n\x1b[2J": 1}]),
    "too long": changed(comment="x" * LIMIT),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_trainer_writes_is_refused_in_one_printable_line(tmp_path: Path, name: str):
    with pytest.raises(RunError) as caught:
        read(folder(tmp_path, HOSTILE[name]))
    (problem,) = caught.value.problems
    line = str(problem)
    assert line.startswith(NAME)
    assert line.isprintable()
    assert len(line) < 300


def test_a_file_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(RunError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "elsewhere").write_text(changed())
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / NAME).unlink()
    os.mkfifo(tmp_path / NAME)
    with pytest.raises(RunError, match="cannot be read"):
        read(tmp_path)


def test_what_is_no_number_is_spelled_in_strict_json(tmp_path: Path):
    feature = Feature(name="a", value=float("-inf"), deviation=float("nan"))
    worst = Example(index=0, loss=float("inf"), true=0, predicted=1, features=[feature])
    write(tmp_path, Pictures.model_validate({**PLAIN, "worst": [worst]}))
    text = (tmp_path / NAME).read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert all(word in text for word in ('"Infinity"', '"-Infinity"', '"NaN"'))
    assert read(tmp_path).worst[0].loss == float("inf")
