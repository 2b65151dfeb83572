"""Strings that a terminal would obey, and a store, presets and data that are full of them."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trainer import picture_file
from trainer.config import Config, dump
from trainer.events import (
    CheckpointSaved,
    Compiled,
    Diverged,
    EarlyStopped,
    Epoch,
    Event,
    Finished,
    HyperparameterSet,
    Insight,
    Layer,
    Layers,
    LearningRateReduced,
    Paused,
    Resumed,
    SavedAgain,
    Started,
    Tested,
    Unsaved,
    Warned,
    WeightsRestored,
    encode,
)
from trainer.status import Best, Status
from trainer.text import clean

_CORES: Final = (
    "\x1b[666m", "\x1b[666;666H", "\x1b[2J\x1b[666X", "\x1b[?666h", "\x1b]666;owned\x07", "\x1b]666;owned\x1b\\",
    "\x1b]52;c;NjY2\x07", "\x1bP666q\x1b\\", "\x1b_666\x1b\\", "\x1b^666\x1b\\", "\x1bc", "\x1b", "\x1b[", "\x9b666m",
    "\x9d666;owned\x9c", "\x90666q\x9c", "\x07", "\x08\x08\x08", "\x7f", "\r", "\n", "\t", "\x0e\x0f", "\x85",
    "\u202e", "\u2066\u2069", "\u200b\u200d", "\ufeff", "\u2028", "\u2029", "\u00ad", "\U000e0041", "\u3164",
    "[@click=app.exit]666[/]", "[/]", "[/", "[bold red]", "[type=x, v={'a[0]'}]", "[link=file:///666]", "\\[\\",
    "=cmd()", "@SUM(1)", "$(id)", "%s{0}", "e\u0301\u0301\u0301", "\U0001f469\u200d\U0001f467", "模型", "x" * 3000,
)  # fmt: skip
_AROUND: Final = (
    "{core}{n}",
    "a{core}{n}",
    "{n}a b{core}",
    "{core}{core}{n}",
    "ä {n} {core} z",
    "{n}/{core}",
    " {core} {n}",
)

_SEQUENCE: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|[\x1b]\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X][^\x1b]*\x1b\\|\x1b[=>78]"
)
_OURS: Final = "\r\n\u2800"
"""What hides, and is sent by the app itself: line ends, and the empty cell of a chart."""


def strings(count: int) -> list[str]:
    """Return so many different ones."""
    pairs = itertools.cycle([(around, core) for around in _AROUND for core in _CORES])
    return [around.format(core=core, n=n) for n, (around, core) in zip(range(count), pairs, strict=False)]


def escaped(raw: bytes) -> list[str]:
    """Return what of a stranger's text reached a terminal in a form that it obeys or hides."""
    text = raw.decode("utf-8", "replace")
    obeyed = [sequence for sequence in _SEQUENCE.findall(text) if "666" in sequence or sequence.startswith("\x1b]52")]
    rest = set(_SEQUENCE.sub("", text)) - set(_OURS)
    failed = ["Traceback"] if "Traceback" in text else []
    return [clean(one) for one in (*failed, *obeyed, *sorted(one for one in rest if clean(one) != one))]


def write_run(directory: Path, text: str, names: list[str]) -> None:
    """Make a run's folder in which every text is a hostile one.

    Args:
        directory: its folder.
        text: what most texts of it are.
        names: of metrics, layers and classes.
    """
    directory.mkdir(parents=True)
    config = Config().changed(
        {"callbacks.early_stopping.monitor": text, "callbacks.reduce_lr_on_plateau.monitor": text}
    )
    (directory / "config.toml").write_text(dump(config))
    metrics = {"loss": 0.5, "val_loss": 0.25, **dict.fromkeys(names, 0.5)}
    status = Status(
        state="finished", reason="completed", message=text, name=text, host=text, boot_id=text, versions={text: text},
        device=text, created=1.0, epochs=2, epochs_planned=2, steps=2, best=Best(metric=text, value=0.5, epoch=0),
        metrics=metrics, test={f"test_{text}": 1.0}, group="", data_fingerprint=text,
    )  # fmt: skip
    (directory / "run.json").write_text(status.model_dump_json())
    (directory / "events.jsonl").write_bytes(b"".join(map(encode, _events(text, names, metrics))))
    (directory / "commands.jsonl").write_text(json.dumps({"kind": text, "by": text}) + "\n")
    (directory / picture_file.NAME).write_text(json.dumps(_pictures(text, names)))


def _events(text: str, names: list[str], metrics: dict[str, float]) -> Iterator[Event]:
    layer = Layer(
        gradient_norm=1.0, weight_norm=1.0, update_ratio=0.1, mean=0.0, std=1.0, dead=0.0, weights=None, outputs=None
    )
    yield Compiled(what=text, seconds=1.0)
    yield Started(n_parameters=1, device=text, steps_per_epoch=1)
    for epoch in range(2):
        yield Epoch(metrics=metrics, examples_per_second=1.0, epoch=epoch, step=epoch + 1, elapsed=epoch)
        yield Layers(layers=dict.fromkeys((text, *names), layer), epoch=epoch, step=epoch + 1)
    yield LearningRateReduced(from_=0.1, to=0.01, monitor=text, best=0.5, wait=1)
    yield EarlyStopped(monitor=text, best=0.5, best_epoch=0, wait=1)
    yield CheckpointSaved(path=text, reason=text, monitor=text, value=0.5)
    yield WeightsRestored(reason=text, monitor=text, value=0.5)
    yield HyperparameterSet(key=text, from_=text, to=text, by=text)
    for kind in (Paused, Resumed, Diverged, Insight, Warned):
        yield kind(message=text, evidence={text: text})
    yield Unsaved(what="checkpoints", message=text)
    yield SavedAgain(what="pictures.json", message=text)
    yield Tested(metrics={text: 0.5})
    yield Finished(reason="completed", message=text)


def _pictures(text: str, names: list[str]) -> dict[str, object]:
    feature = {"name": text, "value": 1.0, "deviation": 3.0}
    worst = {"index": 0, "loss": 1.0, "true": 0, "predicted": 1, "features": [feature]}
    return {
        "time": 1.0, "epoch": 1, "step": 2, "split": "validation", "examples": 4, "of": 4, "task": "classification",
        "target_names": (names * 3)[:3], "right": 1, "confusion": [[1, 1, 0], [1, 0, 0], [1, 0, 0]],
        "confused": [{"true": 0, "predicted": 1, "count": 1}], "worst": [worst], "image_shape": None,
        "passages": [{"prompt": text, "written": text}],
    }  # fmt: skip
