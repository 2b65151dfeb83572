"""Sets with a name: found where others keep them, with the makers' own test part. The pixels here are made up."""

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refusal

from trainer.config import Config
from trainer.data import Cifar10, DataSection, FashionMnist, Mnist, hub
from trainer.data.loading import describe, load
from trainer.preparation import prepare

RNG = np.random.default_rng(0)
LABELS = (np.arange(60) % 10).astype(np.uint8)
GREY = RNG.integers(0, 256, (60, 28, 28), np.uint8)
COLOUR = RNG.integers(0, 256, (60, 32, 32, 3), np.uint8)
TRAIN, TEST = slice(0, 40), slice(40, 60)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr(hub, "is_installed", lambda: False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def idx(array: Any) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def four(folder: Path, *, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in ("train", TRAIN), ("t10k", TEST):
        for name, array in ("images-idx3", GREY[rows]), ("labels-idx1", LABELS[rows]):
            content = gzip.compress(idx(array)) if packed else idx(array)
            (folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}").write_bytes(content)


def archive(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"x_train": GREY[TRAIN], "y_train": LABELS[TRAIN], "x_test": GREY[TEST], "y_test": LABELS[TEST]}
    np.savez(folder / "mnist.npz", **arrays)


def batches(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    starts = [0, 8, 16, 24, 32, 40, 60]
    for name, start, end in zip(names, starts[:-1], starts[1:], strict=True):
        records = (
            bytes([label]) + b"".join(picture[:, :, channel].tobytes() for channel in range(3))
            for label, picture in zip(LABELS[start:end], COLOUR[start:end], strict=True)
        )
        (folder / f"{name}.bin").write_bytes(b"".join(records))


def check(section: DataSection, pictures: Any, classes: tuple[str, ...]) -> None:
    splits = load(section)
    assert splits.image_shape == (*pictures.shape[1:3], pictures.shape[3] if pictures.ndim == 4 else 1)
    assert splits.target_names == classes
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (32, 8, 20)
    np.testing.assert_allclose(splits.test.x, pictures[TEST].reshape(20, -1) / 255, rtol=1e-6)
    np.testing.assert_array_equal(splits.test.y, LABELS[TEST])
    rest = np.concatenate([splits.train.x, splits.validation.x])
    np.testing.assert_allclose(
        np.sort(rest.sum(axis=1)), np.sort(pictures[TRAIN].reshape(40, -1).sum(axis=1) / 255), rtol=1e-5
    )


@pytest.mark.parametrize("place", ["data/MNIST/raw", ".keras/datasets"])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_found_where_torchvision_and_others_keep_its_four_files(home: Path, place: str, packed: bool):
    four(home / place, packed=packed)
    check(Mnist(), GREY, Mnist.CLASSES)


def test_mnist_is_found_where_keras_keeps_it_and_is_the_same(home: Path):
    archive(home / ".keras" / "datasets")
    check(Mnist(), GREY, Mnist.CLASSES)
    four(home / "elsewhere")
    assert load(Mnist(folder="elsewhere"), home).fingerprint == load(Mnist()).fingerprint


def test_keras_may_keep_its_files_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KERAS_HOME", str(home / "kept"))
    archive(home / "kept" / "datasets")
    check(Mnist(), GREY, Mnist.CLASSES)


@pytest.mark.parametrize("place", ["data/FashionMNIST/raw", ".keras/datasets/fashion-mnist"])
def test_fashion_mnist_is_found_and_its_classes_have_names(home: Path, place: str):
    four(home / place, packed=True)
    check(FashionMnist(), GREY, FashionMnist.CLASSES)
    assert FashionMnist.CLASSES[9] == "Ankle boot"


@pytest.mark.parametrize("place", ["data/cifar-10-batches-bin", ".keras/datasets/cifar-10-batches-bin"])
def test_cifar_10_is_read_from_its_binary_version(home: Path, place: str):
    batches(home / place)
    check(Cifar10(), COLOUR, Cifar10.CLASSES)


@pytest.mark.parametrize("folder", ["got", "got/MNIST/raw"])
def test_a_folder_may_be_named(home: Path, folder: str):
    four(home / "got/MNIST/raw")
    assert len(load(Mnist(folder=folder), home).test) == 20
    config = Config().changed({"data.source": "mnist", "data.folder": folder, "training.batch_size": 8})
    data = prepare(config, home).config.data
    assert isinstance(data, Mnist)
    assert data.folder == str(home / folder)


def test_describe_looks_again_once_the_set_is_another(home: Path):
    four(home / "data/MNIST/raw")
    assert describe(Mnist()).n_test == 20
    archive(home / ".keras/datasets")
    assert describe(Mnist(validation_split=0.5)).n_validation == 20


# --- what is refused


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (Mnist(), "keras.datasets.mnist.load_data() or torchvision.datasets.MNIST"),
        (FashionMnist(), "keras.datasets.fashion_mnist.load_data() or torchvision.datasets.FashionMNIST"),
        (Cifar10(), "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
    ],
)
def test_a_set_that_is_not_there_is_told_with_the_places_and_how_to_get_it(home: Path, section: Any, said: str):
    line = refusal(section)
    assert line.startswith("data.source must be on this machine, got none of its files in ")
    assert str(home / ".keras" / "datasets") in line
    assert f"data/{section.TORCHVISION}" in line
    assert said in line


def test_a_named_folder_without_the_set_is_told(home: Path):
    line = refusal(Mnist(folder="absent"), home)
    assert line.startswith(f"data.folder must hold the set, got none of its files in {home}/absent, ")


def test_the_pickles_of_cifar_10_are_never_opened(home: Path):
    class Canary:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.mkdir, (home / "ran",)

    folder = home / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        (folder / name).write_bytes(pickle.dumps(Canary()))
    assert "pickle, which could run code, and is never opened" in refusal(Cifar10())
    assert "pickle" in refusal(Cifar10(folder=str(folder)))
    assert not (home / "ran").exists()


def test_a_batch_that_is_cut_off_is_refused(home: Path):
    batches(home / "b")
    path = home / "b" / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert "data_batch_3.bin: data.folder must hold pictures of 3073 bytes" in refusal(Cifar10(folder=str(home / "b")))


def test_another_set_in_the_place_of_one_is_refused(home: Path):
    four(home / "m")
    content = (home / "m" / "train-labels-idx1-ubyte").read_bytes()
    (home / "m" / "train-labels-idx1-ubyte").write_bytes(content[:8] + bytes([11] * 40))
    assert "must hold no class that training lacks" in refusal(Mnist(folder=str(home / "m")))
    (home / "m" / "t10k-labels-idx1-ubyte").write_bytes(content[:4] + struct.pack(">I", 20) + bytes([11] * 20))
    assert "must hold pictures of 28 x 28 in 10 classes from 0, got [28, 28] in 1" in refusal(
        Mnist(folder=str(home / "m"))
    )
