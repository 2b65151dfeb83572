import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto import event_pb2, plugin_hparams_pb2

from trainer.callbacks import EpochEnd, TensorBoard, TensorBoardSection
from trainer.callbacks import event_files as writing
from trainer.events import Distribution, Layer

event: Any = event_pb2
hparams: Any = plugin_hparams_pb2

HYPERPARAMETERS: dict[str, bool | int | float | str | None] = {
    "optimizer.learning_rate": 0.1,
    "model.bias": True,
    "loss.kind": "mse",
    "data.limit": None,
}
METRICS = {"loss": 0.5, "val_loss": 0.75, "accuracy": 1.0}
SUCCESS, FAILURE = 1, 2


def crc32c(data: bytes) -> int:
    """Return the CRC-32 with Castagnoli's polynomial, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path) -> Iterator[bytes]:
    """Read TensorFlow's records: length, its checksum, content, its checksum."""
    data = path.read_bytes()
    while data:
        length, length_crc = struct.unpack("<QI", data[:12])
        content, (content_crc,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
        assert (length_crc, content_crc) == (masked(crc32c(data[:8])), masked(crc32c(content)))
        yield content
        data = data[16 + length :]


def events(folder: Path) -> list[Any]:
    """Return every event of the folder's files, in the order in which they were opened, without the version."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda path: int(path.name.rpartition(".")[2])):
        first, *rest = (event.Event.FromString(record) for record in records(path))
        assert first.file_version == "brain.Event:2"
        found.extend(rest)
    return found


def points(folder: Path) -> list[tuple[str, int, float]]:
    return [(value.tag, found.step, value.simple_value) for found in events(folder) for value in found.summary.value]


def plugin_data(folder: Path) -> dict[str, Any]:
    """Return what the HParams tab reads, by tag."""
    found = {}
    for value in (value for read in events(folder) for value in read.summary.value):
        assert value.metadata.plugin_data.plugin_name == "hparams"
        found[value.tag] = hparams.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    return found


def opened(folder: Path, first_step: int = 0, goes_on: bool = False, **settings: Any) -> TensorBoard:
    section = TensorBoardSection(enabled=True, **settings)
    return TensorBoard(section, folder, HYPERPARAMETERS, first_step, goes_on=goes_on)


def test_the_checksum_is_the_published_one() -> None:
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_epochs_are_charted_by_index_with_the_learning_rate_used(tmp_path: Path) -> None:
    with opened(tmp_path) as board:
        board.on_epoch_end(EpochEnd(0, METRICS, 0.25))
        board.on_epoch_end(EpochEnd(1, {"loss": 0.25}, 0.125))
    assert points(tmp_path / "train") == [
        ("epoch_learning_rate", 0, 0.25),
        ("epoch_loss", 0, 0.5),
        ("epoch_accuracy", 0, 1.0),
        ("epoch_learning_rate", 1, 0.125),
        ("epoch_loss", 1, 0.25),
    ]
    assert points(tmp_path / "validation") == [("epoch_loss", 0, 0.75)]


def test_numbers_that_are_not_finite_are_charted_as_they_are(tmp_path: Path) -> None:
    with opened(tmp_path) as board:
        board.on_epoch_end(EpochEnd(0, {"loss": math.nan, "val_loss": math.inf}, 0.25))
    assert math.isnan(points(tmp_path / "train")[1][2])
    assert points(tmp_path / "validation") == [("epoch_loss", 0, math.inf)]


def test_speed_is_charted_only_when_asked_for(tmp_path: Path) -> None:
    for asked in (True, False):
        with opened(tmp_path / str(asked), write_steps_per_second=asked) as board:
            board.on_epoch_end(EpochEnd(0, {}, 0.25), steps_per_second=512.0)
    assert ("epoch_steps_per_second", 0, 512.0) in points(tmp_path / "True" / "train")
    assert points(tmp_path / "False" / "train") == [("epoch_learning_rate", 0, 0.25)]


@pytest.mark.parametrize(
    ("update_freq", "first_step", "steps"), [(0, 0, []), (1, 0, [3, 6, 9, 12]), (5, 0, [6, 12]), (5, 6, [12])]
)
def test_batches_are_charted_once_a_multiple_of_update_freq_is_passed(
    tmp_path: Path, update_freq: int, first_step: int, steps: list[int]
) -> None:
    with opened(tmp_path, first_step, update_freq=update_freq) as board:
        for step in range(first_step + 3, 13, 3):
            board.on_steps(step, {"loss": 0.5})
    assert points(tmp_path / "train") == [("batch_loss", step, 0.5) for step in steps]


def test_histograms_are_written_when_enough_epochs_are_over(tmp_path: Path) -> None:
    weights = Distribution(low=-1.0, high=3.0, counts=[1, 0, 2, 1])
    about = Layer(gradient_norm=1, weight_norm=1, update_ratio=1, mean=0, std=1, dead=0, weights=weights, outputs=None)
    for freq, epochs in ((0, []), (2, [0, 3]), (1, [0, 1, 3])):
        folder = tmp_path / str(freq)
        with opened(folder, histogram_freq=freq) as board:
            for epoch in (0, 1, 3):
                board.on_look_inside(epoch, {"hidden_1": about})
        found = [(value, read.step) for read in events(folder / "train") for value in read.summary.value]
        assert [step for _, step in found] == epochs
        for value, _ in found:
            assert value.tag == "hidden_1/weights"
            assert list(value.histo.bucket_limit) == [0.0, 1.0, 2.0, 3.0]
            assert (list(value.histo.bucket), value.histo.num, value.histo.sum) == ([1, 0, 2, 1], 4, 5.0)


def test_the_hyperparameters_of_the_run_are_told(tmp_path: Path) -> None:
    with opened(tmp_path) as board:
        board.on_epoch_end(EpochEnd(0, METRICS, 0.25))
    told = plugin_data(tmp_path)
    assert list(told) == [f"_hparams_/{name}" for name in ("session_start_info", "experiment", "session_end_info")]
    values = told["_hparams_/session_start_info"].session_start_info.hparams
    assert values["optimizer.learning_rate"].number_value == 0.1
    assert values["model.bias"].bool_value is True
    assert values["loss.kind"].string_value == "mse"
    assert set(values) == HYPERPARAMETERS.keys() - {"data.limit"}


def test_the_columns_of_the_hparams_tab_point_into_the_two_runs(tmp_path: Path) -> None:
    with opened(tmp_path) as board:
        board.on_epoch_end(EpochEnd(0, METRICS, 0.25))
        board.on_epoch_end(EpochEnd(1, METRICS, 0.25))
    experiment = plugin_data(tmp_path)["_hparams_/experiment"].experiment
    assert [column.name for column in experiment.hparam_infos] == [*list(HYPERPARAMETERS)[:3]]
    assert [(metric.name.group, metric.name.tag) for metric in experiment.metric_infos] == [
        ("train", "epoch_learning_rate"),
        ("train", "epoch_loss"),
        ("train", "epoch_accuracy"),
        ("validation", "epoch_loss"),
    ]
    assert len(events(tmp_path)) == 3


def test_a_run_that_fails_is_told_apart_from_one_that_ends(tmp_path: Path) -> None:
    with opened(tmp_path / "good"):
        pass
    with pytest.raises(KeyError), opened(tmp_path / "bad"):
        raise KeyError
    ends = [plugin_data(tmp_path / name)["_hparams_/session_end_info"] for name in ("good", "bad")]
    assert [end.session_end_info.status for end in ends] == [SUCCESS, FAILURE]


@pytest.mark.parametrize("update_freq", [0, 2])
@pytest.mark.parametrize(("first_step", "epoch"), [(0, 0), (20, 2)])
def test_steps_go_on_after_a_resume_and_points_that_are_redone_are_forgotten(
    tmp_path: Path, first_step: int, epoch: int, update_freq: int
) -> None:
    with opened(tmp_path) as board:
        for before in range(3):
            board.on_epoch_end(EpochEnd(before, METRICS, 0.25))
    with opened(tmp_path, first_step, goes_on=True, update_freq=update_freq) as board:
        board.on_epoch_end(EpochEnd(epoch, {"loss": 0.125, "val_loss": 0.25}, 0.25))
    starts = [
        [found.step for found in events(tmp_path / side) if found.session_log.status == event.SessionLog.START]
        for side in ("train", "validation")
    ]
    assert starts == [[] if update_freq else [epoch], [epoch]]
    assert points(tmp_path / "validation")[-2:] == [("epoch_loss", 2, 0.75), ("epoch_loss", epoch, 0.25)]


def test_what_was_written_can_be_read_while_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_FLUSH_SECONDS", 0.0)
    with opened(tmp_path) as board:
        board.on_epoch_end(EpochEnd(0, METRICS, 0.25))
        board.flush()
        assert points(tmp_path / "validation") == [("epoch_loss", 0, 0.75)]
