"""A folder of pictures: what is read is what was drawn; what is damaged or hostile is refused by its name."""

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from refusals import only_line, refusal

from trainer.config import Config
from trainer.data import Images
from trainer.data.loading import describe, load
from trainer.data.splits import Splits
from trainer.preparation import prepare
from trainer.problems import ConfigError

RNG = np.random.default_rng(0)
SIZE = 6
RAW: dict[str, Any] = {"image_size": SIZE, "standardize": "none", "validation_split": 0.0}


def noise(*shape: int) -> Any:
    return RNG.integers(0, 256, shape, np.uint8)


def packed(array: Any, kind: str = "PNG", **more: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **more)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Write pictures, `cats_1=...` into the folder of cats, and return the folder of all."""

    def write(**pictures: bytes) -> Path:
        for name, content in pictures.items():
            place = tmp_path / "pictures" / name.partition("_")[0] / f"{name}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return tmp_path / "pictures"

    return write


COLOURS = {f"{kind}_{n}": noise(SIZE, SIZE, 3) for kind in ("ants", "bees") for n in range(4)}
SOUND = {name: packed(array) for name, array in COLOURS.items()}


def test_pictures_are_read_class_by_class_as_they_were_drawn(folder: Callable[..., Path]):
    splits = load(Images(path=str(folder(**SOUND)), **RAW))
    assert (splits.image_shape, splits.task) == ((SIZE, SIZE, 3), "classification")
    assert splits.target_names == ("ants", "bees")
    assert splits.train.y.tolist() == [0] * 4 + [1] * 4
    np.testing.assert_array_equal(splits.train.x, np.stack([*COLOURS.values()]).reshape(8, -1))
    assert splits.feature_names[:4] == ("pixel[0,0,0]", "pixel[0,0,1]", "pixel[0,0,2]", "pixel[0,1,0]")


def test_as_it_comes_a_pixel_is_a_number_from_0_to_1(folder: Callable[..., Path]):
    black_and_white = {f"{kind}_{n}": packed(np.full((9, 9), 255 * n, np.uint8)) for kind in "ab" for n in (0, 1)}
    splits = load(Images(path=str(folder(**black_and_white)), validation_split=0.0))
    assert sorted(set(splits.train.x.ravel().tolist())) == [0, 1]
    assert splits.warnings == ()


def test_grey_pictures_have_the_brightness_of_the_colours(folder: Callable[..., Path]):
    splits = load(Images(path=str(folder(**SOUND)), image_mode="grey", **RAW))
    assert splits.image_shape == (SIZE, SIZE, 1)
    luma = np.stack([*COLOURS.values()]) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(splits.train.x, luma.reshape(8, -1), atol=1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [8, 5])
def test_a_larger_picture_is_scaled_down(folder: Callable[..., Path], kind: str, size: int):
    halves = np.zeros((300, 400, 3), np.uint8)
    halves[:, :200] = (250, 0, 0)
    halves[:, 200:] = (0, 0, 250)
    pictures = folder(**{f"{name}_1": packed(halves, kind) for name in ("a", "b")})
    splits = load(Images(path=str(pictures), **{**RAW, "image_size": size}))
    pixels = splits.train.x[0].reshape(size, size, 3)
    assert abs(pixels[:, : size // 2 - 1] - [250, 0, 0]).max() < 12
    assert abs(pixels[:, size - size // 2 + 1 :] - [0, 0, 250]).max() < 12


@pytest.mark.parametrize(
    ("picture", "first"),
    [
        (Image.new("1", (SIZE, SIZE), 1), [255, 255, 255]),
        (Image.new("L", (SIZE, SIZE), 7), [7, 7, 7]),
        (Image.new("RGBA", (SIZE, SIZE), (1, 2, 3, 128)), [1, 2, 3]),
        (Image.new("LA", (SIZE, SIZE), (9, 0)), [9, 9, 9]),
        (Image.new("RGB", (SIZE, SIZE), (10, 200, 30)).convert("P"), [0, 204, 51]),
    ],
)
def test_every_mode_of_eight_bits_is_read(folder: Callable[..., Path], picture: Image.Image, first: list[int]):
    file = io.BytesIO()
    picture.save(file, "PNG")
    splits = load(Images(path=str(folder(a_1=file.getvalue(), b_1=packed(noise(3, 3)))), **RAW))
    assert splits.train.x[0][:3].tolist() == first


def test_a_palette_with_transparency_is_read_without_a_warning(folder: Callable[..., Path]):
    file = io.BytesIO()
    picture = Image.new("RGB", (SIZE, SIZE), (10, 200, 30)).convert("P")
    picture.save(file, "PNG", transparency=bytes([0, 128] * 128))
    splits = load(Images(path=str(folder(a_1=file.getvalue(), b_1=packed(noise(3, 3)))), **RAW))
    assert splits.train.x[0][:3].tolist() == [0, 204, 51]


def test_the_bytes_and_not_the_suffix_say_what_a_picture_is(folder: Callable[..., Path]):
    splits = load(Images(path=str(folder(a_1=packed(noise(9, 9), "JPEG"), b_1=packed(noise(9, 9)))), **RAW))
    assert len(splits.train) == 2


def test_hidden_files_count_for_nothing_and_files_beside_the_folders_are_told(folder: Callable[..., Path]):
    place = folder(**SOUND)
    (place / ".DS_Store").write_bytes(b"x")
    (place / "ants" / ".hidden").write_bytes(b"x")
    (place / "README").write_text("x")
    splits = load(Images(path=str(place), **RAW))
    assert len(splits.train) == 8
    assert splits.warnings == ("files beside the folders of the classes are left out: README",)


def test_describe_looks_again_once_a_picture_was_added(folder: Callable[..., Path]):
    section = Images(path=str(folder(**SOUND)), image_size=SIZE)
    assert (describe(section).n_train, describe(section).n_validation) == (6, 2)
    folder(ants_9=packed(noise(4, 4)), bees_9=packed(noise(4, 4)))
    assert describe(section).n_train == 8


def test_pictures_are_decoded_once_for_all_settings_of_the_split(folder: Callable[..., Path], monkeypatch: Any):
    section = Images(path=str(folder(**SOUND)), image_size=SIZE)
    describe(section)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was decoded again"))
    assert len(load(section.model_copy(update={"validation_split": 0.5})).train) == 4


def test_a_part_may_have_a_folder_of_its_own(folder: Callable[..., Path], tmp_path: Path):
    folder(**SOUND)
    tests = {"ants": noise(SIZE, SIZE, 3), "bees": noise(SIZE, SIZE, 3)}
    for name, picture in tests.items():
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / "1.png").write_bytes(packed(picture))
    section = Images(path="pictures", test_path="tests", image_size=SIZE, standardize="none")
    splits = load(section, tmp_path)
    assert (len(splits.train), len(splits.validation)) == (6, 2)
    np.testing.assert_array_equal(splits.test.x, np.stack([*tests.values()]).reshape(2, -1))
    assert splits.test.y.tolist() == [0, 1]
    (tmp_path / "tests" / "bees").rename(tmp_path / "tests" / "wasps")
    assert "tests: data.test_path must hold no class that training lacks, got 'wasps'" in refusal(section, tmp_path)


def test_a_link_to_a_class_is_followed(folder: Callable[..., Path]):
    place = folder(**SOUND)
    (place / "bees").rename(place.parent / "elsewhere")
    (place / "bees").symlink_to(place.parent / "elsewhere")
    assert load(Images(path=str(place), **RAW)).target_names == ("ants", "bees")


def test_the_folder_is_named_by_its_whole_path_in_the_config_of_a_run(folder: Callable[..., Path], tmp_path: Path):
    folder(**SOUND)
    config = Config().changed({"data.source": "images", "data.path": "pictures", "training.batch_size": 2})
    data = prepare(config, tmp_path).config.data
    assert isinstance(data, Images)
    assert data.path == str(tmp_path / "pictures")


# --- what is refused


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + b"".join(chunks)
    )


PICTURE = packed(noise(40, 40, 3))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must hold examples, got an empty file"),
        (b"no picture", "must be a PNG or JPEG picture"),
        (packed(noise(9, 9), "GIF"), "must be a PNG or JPEG picture"),
        (packed(noise(9, 9), "BMP"), "must be a PNG or JPEG picture"),
        (PICTURE[: len(PICTURE) // 2], "must be a whole picture, got a damaged one"),
        (packed(noise(40, 40, 3), "JPEG")[:400], "damaged one"),
        (png(9, 9), "must be a PNG or JPEG picture"),
        (png(9, 9, chunk(b"IDAT", b"no stream")), "damaged one"),
        (png(20_000, 20_000, chunk(b"IDAT", zlib.compress(b"x"))), "must have at most 89478485 pixels"),
        (png(10_000, 10_000, chunk(b"IDAT", zlib.compress(b"x"))), "must have at most 89478485 pixels"),
        (packed(np.full((4, 4), 60_000, np.uint16)), "must have 8 bits a channel"),
    ],
)
def test_a_picture_that_cannot_be_read_is_refused_by_its_name(folder: Callable[..., Path], content: bytes, said: str):
    line = refusal(Images(path=str(folder(**SOUND, bees_bad=content)), **RAW))
    assert line.startswith("bees_bad.png: data.path ")
    assert said in line


def test_a_picture_of_many_pixels_in_few_bytes_takes_no_memory(folder: Callable[..., Path]):
    bomb = png(13_000, 13_000, chunk(b"IDAT", zlib.compress(bytes(1 << 22), 9)))
    assert len(bomb) < 10_000
    place = folder(**SOUND, bees_bomb=bomb)
    script = (
        "import resource, sys\n"
        "from trainer.data import Images\nfrom trainer.data.loading import load\n"
        "from trainer.problems import ConfigError\n"
        "import numpy, PIL.Image, trainer.data.image_folder\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    load(Images(path=sys.argv[1]))\nexcept ConfigError as error:\n    print(error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(place)], capture_output=True, text=True, check=True)
    said, grown = done.stdout.splitlines()
    assert "must have at most" in said
    assert int(grown) < 100, "MiB; the picture would take 169"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place: os.mkfifo(place / "bees" / "pipe"), "got a pipe, socket or device"),
        (lambda place: (place / "bees" / "inner").mkdir(), "must hold pictures alone, got the folder 'inner'"),
        (lambda place: (place / "empty").mkdir(), "got an empty one"),
        (lambda place: (place / "circle").symlink_to("circle"), ""),
        (lambda place: (place / "bees" / "circle").symlink_to("circle"), "lead in a circle"),
        (lambda place: (place / "loop").symlink_to("."), "must hold pictures alone, got the folder"),
        (lambda place: (place / "bees" / "gone").symlink_to("nowhere"), "where there is none"),
        (lambda place: (place / "bees" / "\x1b[2J").write_bytes(b"x"), "\\x1b[2J: data.path must be a PNG"),
    ],
)
def test_what_is_no_picture_in_a_folder_is_refused_without_waiting(
    folder: Callable[..., Path], make: Callable[[Path], object], said: str
):
    place = folder(**SOUND)
    make(place)
    if said:
        assert said in refusal(Images(path=str(place), **RAW))
    else:
        assert load(Images(path=str(place), **RAW)).warnings[0].endswith(": circle")


@pytest.mark.parametrize(
    ("path", "said"), [("gone", "where there is none"), ("file", "no folder"), ("flat", "got none")]
)
def test_a_path_that_holds_no_classes_is_refused(tmp_path: Path, path: str, said: str):
    (tmp_path / "file").write_bytes(PICTURE)
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "a.png").write_bytes(PICTURE)
    assert said in refusal(Images(path=path), tmp_path)


def test_more_numbers_than_fit_are_refused_before_anything_is_decoded(folder: Callable[..., Path], monkeypatch: Any):
    monkeypatch.setattr("trainer.data.image_folder.MOST_BYTES", 800)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was decoded"))
    said = refusal(Images(path=str(folder(**SOUND)), image_size=SIZE))
    assert "data.image_size must leave at most 800 numbers, got 8 pictures of 6 x 6 x 3" in said


def test_without_pillow_one_line_says_how_to_install_it(folder: Callable[..., Path], monkeypatch: Any):
    monkeypatch.setitem(sys.modules, "PIL", None)
    said = refusal(Images(path=str(folder(zebras_1=PICTURE, asses_1=PICTURE))))
    assert "data.source needs Pillow" in said
    assert "pip install 'nn-tui[images]'" in said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["PNG", "JPEG"]),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_any_damage_to_a_picture_gives_pixels_or_a_refusal(
    folder: Callable[..., Path], kind: str, changes: list[tuple[float, int]]
):
    damaged = bytearray(packed(COLOURS["ants_0"], kind))
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    try:
        splits: Splits = load(Images(path=str(folder(a_1=bytes(damaged), b_1=PICTURE)), **RAW))
    except ConfigError as error:
        only_line(error)
    else:
        assert splits.train.x.shape == (2, 3 * SIZE**2)
