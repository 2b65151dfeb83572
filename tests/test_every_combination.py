"""Every kind of model on every kind of data, for every task: trained in the public way, or refused in one line.

What fits is the model's own to say (`Model.misfit`); `FITS` says it once more, so that a refusal too many is noticed.

Nearly all of the time goes into compiling. Files are written with the shapes of embedded sets, since what is compiled
for one shape serves all data of that shape; each model trains on one shape of each kind of
data, and on a table for regression. On the other shapes the MLP trains, and the other networks are differentiated on
shapes alone.
"""

import csv
import gzip
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import numpy as np
import polars as pl
import pytest
from PIL import Image

from trainer import devices
from trainer.config import Config
from trainer.data import Diabetes, Digits, Iris
from trainer.data.section import Table
from trainer.models import Inputs, Noise
from trainer.models.network import trained, with_statistics
from trainer.preparation import prepare
from trainer.problems import ConfigError
from trainer.shape import shape_of
from trainer.training import start, train
from trainer.validation import members

devices.prepare_jax()

FITS: Final = {
    "mlp": {"table", "categories", "picture"},
    "cnn": {"picture"},
    "resnet": {"picture"},
    "gru": {"table", "picture", "text"},
    "lstm": {"table", "picture", "text"},
    "transformer": {"table", "categories", "picture"},
    "transformer_lm": {"text"},
    "custom": {"table", "picture"},
}
NO_PICTURES: Final = 'model.kind needs pictures, which these data are not. Use "mlp" or "transformer".'
NO_NUMBERS: Final = 'model.kind needs numbers, of which a text has none. Use "transformer_lm", "gru" or "lstm".'
NO_TEXT: Final = 'model.kind needs a text, which these data are not. Use "mlp" or "transformer".'
NO_TABLES: Final = (
    'data.categories must be "one_hot" for this model, which has no tables of categories, got "embedding". Or use "mlp"'
    ' or "transformer".'
)
SMALL: Final[dict[str, dict[str, Any]]] = {
    "mlp": {"hidden": [4], "norm": "batch"},
    "cnn": {"filters": [2], "hidden": []},
    "resnet": {"filters": [2], "norm": "none"},
    "gru": {"units": [2]},
    "lstm": {"units": [2]},
    "transformer": {"heads": 1, "key_dim": 2, "depth": 1},
    "transformer_lm": {"heads": 1, "key_dim": 2, "depth": 1},
    "custom": {"target": "presets.custom_model:network", "arguments": {"experts": 2, "width": 2, "dropout": 0.1}},
}
QUICK: Final[dict[str, Any]] = {
    "training.epochs": 2, "training.batch_size": 32, "training.diagnostics": False, "optimizer.kind": "sgd",
    "callbacks.model_checkpoint.enabled": False, "callbacks.early_stopping.enabled": False,
    "callbacks.reduce_lr_on_plateau.enabled": False,
}  # fmt: skip
OTHER_SHAPES: Final = {"graded digits", "wine", "breast_cancer", "plane", "digits", "mnist", "cifar10"}


class Source(NamedTuple):
    """Where data come from: whether they are tables or pictures, their shape by a name, and their settings."""

    kind: str
    shape: str
    settings: dict[str, Any]


def column_names(table: Table) -> list[str]:
    return [f"c{number}" for number in range(table.x.shape[1])]


def as_csv(table: Table) -> bytes:
    """Return a table as a person writes it: classes are words."""
    y = [f"kind {label}" for label in table.y] if table.task == "classification" else table.y[:, 0].tolist()
    text = io.StringIO()
    csv.writer(text).writerows(
        [[*column_names(table), "y"], *([*row, one] for row, one in zip(table.x.tolist(), y, strict=True))]
    )
    return text.getvalue().encode()


def with_words(table: Table) -> bytes:
    """Return a table with a column of words more."""
    rows = [
        [*row, f"word {place % 4}", f"kind {y}"] for place, (row, y) in enumerate(zip(table.x, table.y, strict=True))
    ]
    text = io.StringIO()
    csv.writer(text).writerows([[*column_names(table), "word", "y"], *rows])
    return text.getvalue().encode()


def as_parquet(table: Table) -> bytes:
    columns = {name: table.x[:, place] for place, name in enumerate(column_names(table))}
    file = io.BytesIO()
    pl.DataFrame({**columns, "y": table.y.ravel()}).write_parquet(file)
    return file.getvalue()


def as_npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def as_npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def as_idx(array: Any) -> bytes:
    code = {"u1": 8, "f4": 13}[array.dtype.str[1:]]
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def as_mnist(folder: Path, pixels: Any, labels: Any) -> None:
    """Write the four files of MNIST; a third of the pictures test."""
    cut = len(pixels) * 2 // 3
    for part, rows in ("train", slice(0, cut)), ("t10k", slice(cut, None)):
        for name, array in ("images-idx3", pixels), ("labels-idx1", labels):
            (folder / f"{part}-{name}-ubyte").write_bytes(as_idx(array[rows]))


def as_cifar(folder: Path, pixels: Any, labels: Any) -> None:
    """Write the binary version of CIFAR-10; the last sixth of the pictures test."""
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    records = [
        bytes([label]) + picture.transpose(2, 0, 1).tobytes() for label, picture in zip(labels, pixels, strict=True)
    ]
    for name, batch in zip(names, np.array_split(np.arange(len(records)), len(names)), strict=True):
        (folder / name).write_bytes(b"".join(records[place] for place in batch))


def as_pictures(folder: Path, pixels: Any, labels: Any) -> None:
    """Write a sub-folder of PNG files for each class."""
    for place, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        (folder / f"kind{label}").mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / f"kind{label}" / f"{place}.png")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every format, of the shapes of iris, diabetes and the digits; pictures as MNIST and CIFAR-10 have."""
    folder = tmp_path_factory.mktemp("data")
    iris, diabetes, digits = (section().read(None) for section in (Iris, Diabetes, Digits))
    pictures, grades = digits.x.reshape(-1, 8, 8).astype(np.uint8), digits.x.mean(1, keepdims=True).astype(np.float32)
    rng, labels = np.random.default_rng(0), (np.arange(120) % 10).astype(np.uint8)
    for task, table in ("classification", iris), ("regression", diabetes):
        of_pictures = digits.y.astype(np.uint8) if task == "classification" else grades[:, 0]
        written = {
            "csv": as_csv(table), "csv.gz": gzip.compress(as_csv(table)), "parquet": as_parquet(table),
            "npz": as_npz(x=table.x, y=table.y), "npy": as_npy(table.x), "y.npy": as_npy(table.y),
            "pictures.npz": as_npz(x=pictures, y=of_pictures), "pictures.npy": as_npy(pictures),
            "pictures.y.npy": as_npy(of_pictures), "idx": as_idx(pictures), "y.idx": as_idx(of_pictures),
        }  # fmt: skip
        for name, content in written.items():
            (folder / f"{task}.{name}").write_bytes(content)
    (folder / "words.csv").write_bytes(with_words(iris))
    (folder / "text.txt").write_text("the cat sat on the mat. " * 20)
    for name, write, size in (
        ("mnist", as_mnist, (28, 28)),
        ("cifar10", as_cifar, (32, 32, 3)),
        ("images", as_pictures, (8, 8, 3)),
    ):
        (folder / name).mkdir()
        write(folder / name, rng.integers(0, 256, (120, *size), np.uint8), labels)
    return folder


def of_files() -> Iterator[tuple[str, Source]]:
    """Yield files of every format, for both tasks."""
    targets = {"npy": "y.npy", "pictures.npy": "pictures.y.npy", "idx": "y.idx"}
    for task, table, picture in ("classification", "iris", "digits"), ("regression", "diabetes", "graded digits"):
        formats = {
            **dict.fromkeys(("csv", "csv.gz", "parquet", "npz", "npy"), ("table", table)),
            **dict.fromkeys(("pictures.npz", "pictures.npy", "idx"), ("picture", picture)),
        }
        for name, (kind, shape) in formats.items():
            target = {"target_path": f"{task}.{targets[name]}"} if name in targets else {}
            yield f"{task}.{name}", Source(kind, shape, {"source": "path", "path": f"{task}.{name}", **target})
    yield "mnist folder", Source("picture", "mnist", {"source": "path", "path": "mnist", "standardize": "minmax_all"})


DATA: Final = {
    **{name: Source("table", name, {"source": name}) for name in ("iris", "wine", "breast_cancer", "diabetes")},
    **{name: Source("table", "plane", {"source": name, "size": 60}) for name in ("moons", "circles", "spirals", "xor")},
    "digits": Source("picture", "digits", {"source": "digits"}),
    **{name: Source("picture", "mnist", {"source": name, "folder": "mnist"}) for name in ("mnist", "fashion_mnist")},
    "cifar10": Source("picture", "cifar10", {"source": "cifar10", "folder": "cifar10"}),
    "images": Source("picture", "colours", {"source": "images", "path": "images", "image_size": 8}),
    **dict(of_files()),
    "words": Source("categories", "words", {"source": "path", "path": "words.csv", "categories": "embedding"}),
    "text": Source("text", "text", {"source": "text", "path": "text.txt", "context": 8}),
}
ELSEWHERE: Final = {"hugging_face"}
"""Sources that need a library which is not always there; `test_hugging_face.py` has them."""


def combinations() -> Iterator[Any]:
    """Yield every model with all data; those of a model for one worker, which compiles each shape once."""
    for model in FITS:
        mark = pytest.mark.xdist_group(f"combinations-{model}")
        yield from (pytest.param(model, data, marks=mark, id=f"{model}-{data}") for data in DATA)


def test_every_kind_is_there() -> None:
    assert FITS.keys() == SMALL.keys() == members(Config.model_fields["model"]).keys()
    assert {source.settings["source"] for source in DATA.values()} == members(
        Config.model_fields["data"]
    ).keys() - ELSEWHERE
    trained = {(source.kind, source.shape) for source in DATA.values() if source.shape not in OTHER_SHAPES}
    assert trained == {
        ("table", "iris"), ("table", "diabetes"), ("picture", "colours"),
        ("categories", "words"), ("text", "text"),
    }  # fmt: skip


@pytest.mark.parametrize(("model", "data"), list(combinations()))
def test_it_trains_or_is_refused_before_anything_is_created(model: str, data: str, home: Path, tmp_path: Path) -> None:
    source = DATA[data]
    config = Config().changed({
        **QUICK, "model.kind": model, **{f"model.{key}": value for key, value in SMALL[model].items()},
        **{f"data.{key}": value for key, value in source.settings.items()},
    }).permitted(None)  # fmt: skip
    if source.kind not in FITS[model]:
        with pytest.raises(ConfigError) as caught:
            prepare(config, home)
        assert str(caught.value) == refusal(model, source.kind)
        return
    prepared = prepare(config, home)
    assert (prepared.splits.image_shape is None) == (source.kind != "picture")
    if source.shape in OTHER_SHAPES and model != "mlp":
        shape = shape_of([prepared])
        assert differentiated(prepared.config, shape.inputs, shape.n_outputs) == (2, shape.n_outputs)
        return
    run = train(prepared, start(prepared, tmp_path / "runs"))
    assert (run.status.state, run.status.epochs, run.damage) == ("finished", 2, "")
    assert np.isfinite([run.epochs[name].y for name in ("loss", "val_loss", "grad_norm")]).all()


def refusal(model: str, kind: str) -> str:
    if kind == "text":
        return NO_NUMBERS
    if model == "transformer_lm":
        return NO_TEXT
    return NO_TABLES if kind == "categories" else NO_PICTURES


def differentiated(config: Config, inputs: Inputs, outputs: int) -> tuple[int, ...]:
    """Return the shape of what a network makes of two examples, once its gradient is known to have a shape too."""
    network, x = config.model.network(inputs, outputs), jax.ShapeDtypeStruct((2, inputs.n_features), np.float32)
    noise = Noise(lambda: jax.random.key(0), lambda it_is: it_is)

    def slope(its: Any, parameters: Any, x: Any) -> tuple[Any, Any]:
        made = network.apply(with_statistics(its, parameters), x, noise)
        return made.sum(), made

    def whole(x: Any) -> Any:
        parameters = network.init(jax.random.key(0))
        return jax.grad(slope, has_aux=True)(trained(parameters), parameters, x)[1]

    return jax.eval_shape(whole, x).shape  # type: ignore[no-any-return]
