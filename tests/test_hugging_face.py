"""Sets of the Hugging Face Hub. A module with the same names takes the library's place: what is ours is tested."""

import io
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from refusals import only_line, refusal

from trainer.config import Config
from trainer.data import Cifar10, HuggingFace, Mnist, hub
from trainer.data.loading import describe, load, overview
from trainer.preparation import prepare
from trainer.problems import ConfigError
from tui.cli import run

MODULE = """
import io, json, os, time
from pathlib import Path
import polars as pl

class Value:
    def __init__(self, dtype): self.dtype = dtype
class ClassLabel:
    def __init__(self, names): self.names = names
class Image: pass
class List: pass

class Part:
    def __init__(self, features, rows): self.features, self.rows = features, rows
    def to_polars(self):
        columns = {name: [row[place] for row in self.rows] for place, name in enumerate(self.features)}
        return pl.DataFrame(columns)

def picture(size, level):
    from PIL import Image
    written = io.BytesIO()
    Image.new("RGB", (size, size), (level, level, level)).save(written, "PNG")
    return {"bytes": written.getvalue(), "path": "a.png"}

def flowers(n, start):
    names = {"colour": Value("string"), "n": Value("float64"), "is_big": Value("bool"), "kind": ClassLabel(["s", "l"]),
             "vector": List(), "species": ClassLabel(["zinnia", "aster", "lily"])}
    rows = [("red" if i % 2 else " blue ", i + 0.5, i % 3 > 0, i % 2, [1.0], i % 3) for i in range(start, start + n)]
    return Part(names, rows)

def digits(n, size, columns=("image", "label")):
    names = {columns[0]: Image(), columns[1]: ClassLabel([str(i) for i in range(10)])}
    return Part(names, [(picture(size, 20 * (i % 10)), i % 10) for i in range(n)])

def made(name):
    if name == "some/flowers": return {"train": flowers(60, 0), "test": flowers(12, 60)}
    if name == "some/digits": return {"train": digits(40, 12)}
    if name == "ylecun/mnist": return {"train": digits(40, 28), "test": digits(20, 28)}
    if name == "some/two":
        part = Part({"a": Image(), "b": Image(), "y": ClassLabel(["u", "v"])},
                    [(picture(4, i), picture(4, i), i % 2) for i in range(20)])
        return {"train": part}
    if name == "some/unlabelled":
        part = Part({"a": Image(), "y": ClassLabel(["u", "v"])},
                    [(picture(4, i), i % 2 if i else -1) for i in range(20)])
        return {"train": part}
    if name == "some/paths":
        part = Part({"a": Image(), "y": ClassLabel(["u", "v"])},
                    [({"bytes": None, "path": "/etc/passwd"}, i % 2) for i in range(20)])
        return {"train": part}
    if name == "some/pets": return {"train": beside(4)}
    if name == "some/hostile":
        return {"train": Part({"\\x1b[2Ja": Value("int64"), "y\\u202e": ClassLabel(["\\x9du", "v"])},
                              [(i, i % 2 if i else -1) for i in range(20)])}

class config: DOWNLOADED_DATASETS_PATH = os.environ["HF_HOME"] + "/datasets/downloads"

def beside(size):
    "Pictures in files that the library fetched, one of them in a file that is not unpacked."
    from zipfile import ZipFile
    folder = Path(os.environ["HF_HOME"]) / "hub"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{i}.png") for i in range(20)]
    for i, path in enumerate(paths): Path(path).write_bytes(picture(size, 10 * i)["bytes"])
    with ZipFile(folder / "all.zip", "w") as archive: archive.write(paths[7], "in/7.png")
    paths[7] = f"zip://in/7.png::{folder / 'all.zip'}"
    return Part({"image": Image(), "label": ClassLabel(["u", "v"])},
                [({"bytes": None, "path": path}, i % 2) for i, path in enumerate(paths)])

class DatasetNotFoundError(FileNotFoundError): pass
class DataFilesNotFoundError(FileNotFoundError): pass
class DatasetGenerationError(Exception): pass
class HubHTTPError(OSError): response = type("Response", (), {"status_code": 503})

class Info: dataset_size = None
class Builder:
    def __init__(self, name): self.name, self.info = name, Info()
    def download_and_prepare(self):
        if self.name == "some/slow": time.sleep(60)
        home = Path(os.environ["HF_HOME"]) / "hub" / ("datasets--" + self.name.replace("/", "--"))
        home.mkdir(parents=True, exist_ok=True)
    def as_dataset(self): return made(self.name)

def load_dataset_builder(name, config):
    kept = Path(os.environ["HF_HOME"]) / "hub" / ("datasets--" + name.replace("/", "--"))
    if os.environ.get("HF_HUB_OFFLINE") == "1" and not kept.is_dir(): raise ConnectionError("Couldn't reach it")
    if name == "some/script": raise RuntimeError("Dataset scripts are no longer supported, but found script.py")
    if name == "some/own": raise KeyError(os.getsid(0) == os.getpid())
    if name == "some/gated": raise DatasetNotFoundError("Dataset 'some/gated' is a gated dataset on the Hub")
    if name == "some/bare": raise DataFilesNotFoundError("No (supported) data files found in some/bare")
    if name == "some/busy": raise HubHTTPError("Server error '503' for url 'https://a'")
    if name == "some/ragged": raise DatasetGenerationError("An error occurred") from ValueError("line 3, saw 4")
    if name == "some/odd": raise KeyError("odd\\n\\x1b[2J")
    if config: raise ValueError(f"BuilderConfig '{config}' not found. Available: ['plain']")
    builder = Builder(name)
    if name == "some/large": builder.info.dataset_size = 10**12
    elif name != "some/slow" and made(name) is None: raise DatasetNotFoundError("Dataset doesn't exist on the Hub")
    return builder

def load_from_disk(folder):
    if not (Path(folder) / "state.json").exists(): raise FileNotFoundError("neither a Dataset")
    return flowers(40, 0)
"""


class _Answers(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without sets, and no Hub within reach."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    for name in ("KERAS_HOME", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "_latest", None)
    return tmp_path


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the module in the place of the library, for this process and those that it starts."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "datasets.py").write_text(MODULE)
    (folder / "huggingface_hub.py").write_text(
        'import os\nclass constants: HF_HUB_CACHE = os.environ["HF_HOME"] + "/hub"'
    )
    monkeypatch.syspath_prepend(folder)
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{before}" if before else str(folder))


@pytest.fixture
def network(library: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have something answer where the Hub is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_set_is_fetched_by_whoever_trains_and_read_from_then_on(
    network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = HuggingFace(name="some/flowers", test_part="test")
    with pytest.raises(ConfigError) as caught:
        describe(section)
    assert "data.name must be on this machine, got a set that is still to be fetched" in only_line(caught.value)
    splits = load(section)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (48, 12, 12)
    assert describe(section) == splits.summary
    monkeypatch.setattr(hub, "_latest", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert load(section).fingerprint == splits.fingerprint


def test_columns_are_numbers_and_words_and_classes_have_their_names_in_order(network: None) -> None:
    section = HuggingFace(name="some/flowers", target="species")
    splits = load(section)
    names = ("colour=blue", "colour=red", "n", "is_big=false", "is_big=true", "kind=l", "kind=s")
    assert (splits.feature_names, splits.target_names) == (names, ("zinnia", "aster", "lily"))
    raw = splits.train.x * splits.x_scale + splits.x_offset
    assert (splits.train.y == (raw[:, 2] - 0.5).round() % 3).all()
    assert "columns that are neither numbers, text, classes nor pictures are left out: vector" in splits.warnings
    assert [column.name for column in overview(section).columns] == ["colour", "n", "is_big", "kind"]


def test_the_columns_to_learn_from_and_to_predict_may_be_named(network: None) -> None:
    splits = load(HuggingFace(name="some/flowers", target="n", features=("kind", "colour"), categories="embedding"))
    assert (splits.task, splits.target_names) == ("regression", ("n",))
    assert [words[1:] for words in splits.categories] == [("l", "s"), ("blue", "red")]
    ignoring = load(HuggingFace(name="some/flowers", target="kind", ignore=("species", "n")))
    assert ignoring.target_names == ("s", "l")
    assert not any("species" in name for name in ignoring.feature_names)


def test_pictures_are_decoded_and_scaled(network: None) -> None:
    splits = load(HuggingFace(name="some/digits", image_size=6, image_mode="grey", standardize="none"))
    assert (splits.image_shape, splits.target_names) == ((6, 6, 1), tuple(map(str, range(10))))
    assert (splits.train.x == 20 * splits.train.y[:, np.newaxis]).all()


def test_pictures_without_a_class_are_refused_or_left_out_as_asked(network: None) -> None:
    assert 'Set data.missing = "drop"' in refusal(HuggingFace(name="some/unlabelled", image_size=4))
    splits = load(HuggingFace(name="some/unlabelled", image_size=4, missing="drop"))
    assert (len(splits.train) + len(splits.validation), splits.target_names) == (19, ("u", "v"))
    assert "1 of 20 examples are left out: they miss a value" in splits.warnings


def test_pictures_in_files_that_were_fetched_are_read_and_no_others(network: None) -> None:
    splits = load(HuggingFace(name="some/pets", image_size=4, image_mode="grey", standardize="none", test_split=0.0))
    levels = np.concatenate([splits.train.x, splits.validation.x])
    assert sorted(levels.mean(axis=1)) == [10 * i for i in range(20)]
    assert (levels[:, 0] // 10 % 2 == np.concatenate([splits.train.y, splits.validation.y])).all()
    assert "must hold the pictures themselves" in refusal(HuggingFace(name="some/paths"))


def test_a_fetch_outlives_the_terminal_and_is_given_up_at_once(network: None) -> None:
    assert "KeyError: True" in refusal(HuggingFace(name="some/own")), "in a session of its own"
    said: list[str] = []
    asking = threading.Thread(target=lambda: said.append(refusal(HuggingFace(name="some/slow"))))
    asking.start()
    while not hub._lifelines:
        time.sleep(0.01)
    hub.give_up()
    asking.join(timeout=20)
    assert "data.name must be fetched to its end, was given up." in said[0]


def test_a_place_that_is_relative_is_one_of_this_folder(
    network: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", "here")
    load(HuggingFace(name="some/flowers"))
    assert (tmp_path / "here" / "hub" / "datasets--some--flowers").is_dir()


def test_mnist_comes_from_the_hub_where_no_files_are(network: None) -> None:
    splits = load(Mnist())
    assert (splits.image_shape, len(splits.test)) == ((28, 28, 1), 20)
    assert overview(Mnist()).classes[3][0] == "3"
    raw = splits.test.x * splits.x_scale + splits.x_offset
    np.testing.assert_allclose(raw.mean(axis=1), 20 * splits.test.y, atol=1e-3)


def test_what_save_to_disk_wrote_is_read_from_its_folder(library: None, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{}")
    section = HuggingFace(folder="saved")
    assert len(load(section, tmp_path).train) == 32
    config = Config().changed({"data.source": "hugging_face", "data.folder": "saved", "training.batch_size": 8})
    assert prepare(config, tmp_path).config.data.folder == str(tmp_path / "saved")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": "some/nothing"}, "nothing: data.name must be a set of the Hub that you may read, got none"),
        ({"name": "some/script"}, "data.name must be made of data files, got a set made by a script"),
        ({"name": "some/gated"}, "data.name must be a set that you may read, got a gated one. Ask for access on"),
        ({"name": "some/bare"}, "data.name must be made of data files that the library reads, got none of them."),
        ({"name": "some/busy"}, "data.name must be a set that can be fetched, got status 503 from the Hub."),
        ({"name": "some/ragged"}, "data.name must be a set that can be loaded, got ValueError: line 3, saw 4"),
        ({"name": "some/large"}, "data.name must be at most 2000000000 bytes, got 1000000000000."),
        ({"name": "some/odd"}, r"data.name must be a set that can be loaded, got KeyError: 'odd\n\x1b[2J'"),
        ({"name": "some/flowers", "config": "other"}, "data.config must be one that the set has, got 'other': "),
        ({"name": "some/flowers", "part": "tran"}, "data.part must be one of train, test, got 'tran'."),
        ({"name": "some/flowers", "test_part": "x"}, "data.test_part must be one of train, test, got 'x'."),
        ({"name": "some/flowers", "features": ("colr",)}, "data.features must name a column, got 'colr'. Did you mean"),
        ({"name": "some/flowers", "target": "nn"}, "data.target must name a column, got 'nn'."),
        ({"name": "some/two"}, "data.ignore must leave one column of pictures, got 'a', 'b'."),
        ({"name": "some/paths"}, "data.part must hold the pictures themselves, got none, or the name of a file."),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_line(network: None, settings: dict[str, Any], expected: str) -> None:
    assert expected in refusal(HuggingFace(**settings))


def test_without_a_network_there_is_one_line_soon(library: None) -> None:
    line = "data.name must be fetched from the Hub, which cannot be reached from here. Connect, or name a copy"
    assert line in refusal(HuggingFace(name="some/flowers"))
    line = refusal(Cifar10())
    assert "got none of its files in" in line
    assert "uoft-cs/cifar10 must be fetched from the Hub, which cannot be reached from here" in line


def test_offline_by_choice_is_said(network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "must be on this machine while HF_HUB_OFFLINE is set" in refusal(HuggingFace(name="some/flowers"))


def test_what_takes_too_long_is_given_up(network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_MOST_SECONDS", 2)
    assert "data.name must be fetched within 2 seconds" in refusal(HuggingFace(name="some/slow"))


def test_without_the_library_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "is_installed", lambda: False)
    assert "Install it with pip install 'nn-tui[datasets]'" in refusal(HuggingFace(name="some/flowers"))
    assert "install nn-tui[datasets] to have it fetched" in refusal(Mnist())


def test_a_name_or_a_folder_is_needed_and_a_name_is_no_path(tmp_path: Path) -> None:
    assert "data.name must be given, or data.folder in its place" in refusal(HuggingFace())
    assert "one of the two" in refusal(HuggingFace(name="a/b", folder="c"))
    assert "data.folder must be a folder that save_to_disk wrote" in refusal(HuggingFace(folder="."), tmp_path)
    for name in ("../x", "/etc", "a/b/c", "hf://datasets/x", "a b", "."):
        with pytest.raises(ValidationError):
            HuggingFace(name=name)


def test_hostile_names_are_spelled_out_and_missing_labels_told(network: None) -> None:
    splits = load(HuggingFace(name="some/hostile", missing="drop"))
    assert (splits.feature_names, splits.target_names) == ((r"\x1b[2Ja",), (r"\x9du", "v"))
    assert "1 of 20 examples are left out: they miss a value" in splits.warnings


def test_the_command_line_says_it_in_one_line_and_creates_nothing(
    library: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.attending._SILENCE_SECONDS", 60)
    settings = ["--set", "data.source=hugging_face", "--set", "data.name=some/flowers"]
    assert run(["train", "digits-mlp", *settings, "--runs", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "which cannot be reached from here" in said
    assert not (tmp_path / "runs").exists()


def test_a_picture_that_is_damaged_is_named_by_its_row(network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.data.image_folder import decoded
    from trainer.data.refusal import DataFile

    written = io.BytesIO()
    Image.new("L", (4, 4)).save(written, "PNG")
    files = [(written.getvalue(), DataFile(Path("a/b")).of_row(0)), (b"no picture", DataFile(Path("a/b")).of_row(1))]
    with pytest.raises(ConfigError, match=r"a/b row 2: data.path must be a PNG or JPEG picture"):
        decoded(files, 2, 4, 1)
