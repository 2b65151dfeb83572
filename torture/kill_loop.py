"""Kill -9 at random times and at named points: resumed until it is over, a run is what nobody killed, to the bit."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from torture.figure import Figure, say
from torture.kill_child import leader
from trainer import checkpoints
from trainer.commands import Set, send
from trainer.config import Config, dump, load
from trainer.events import Epoch, Event, Replayed
from trainer.failpoints import POINTS
from trainer.log import Tail
from trainer.replay import standing
from trainer.runs import peek, replica_paths

_COMPARED: Final = (
    "epoch", "layers", "learning_rate_reduced", "early_stopped", "insight", "weights_restored", "tested", "diverged",
)  # fmt: skip
_STAMPS: Final = ("seq", "time", "elapsed", "examples_per_second", "input_stall")
_KILLS: Final = 55
_KILLS_IN_SHORT: Final = 3
_MOST_LAUNCHES: Final = 100
_LIVE: Final = "live numbers set"
_AT_POINTS: Final = 0.3
_AT_START: Final = 0.3
_POLL: Final = 0.03
_LONGEST: Final = 600.0
_SET_SO_OFTEN: Final = 0.02

_BASE: Final = {"data.source": "digits", "model.hidden": [32], "data.test_split": 0.1, "training.batch_size": 32,
                "optimizer.kind": "adamw", "model.dropout": 0.2}  # fmt: skip
_CONFIGS: Final[dict[str, dict[str, Any]]] = {
    "dropout, AdamW, cuts, early stop": {
        **_BASE, "training.epochs": 400, "optimizer.learning_rate": 0.01,
        "callbacks.reduce_lr_on_plateau.enabled": True, "callbacks.reduce_lr_on_plateau.patience": 4,
        "callbacks.early_stopping.enabled": True, "callbacks.early_stopping.patience": 60,
    },
    "replicas": {**_BASE, "training.epochs": 60, "training.replicas": 3, "training.diagnostics": False},
    _LIVE: {**_BASE, "training.epochs": 200, "training.diagnostics": False},
    "streamed": {"training.epochs": 25, "training.batch_size": 16, "data.buffer_size": 256, "model.hidden": [16],
                 "training.diagnostics": False,
                 "callbacks.model_checkpoint.save_best_only": False},
}  # fmt: skip


def kill_loop(folder: Path, short: bool) -> list[Figure]:
    """Kill and resume runs of several configs, and compare each with one that nobody touched.

    Args:
        folder: for everything.
        short: a handful of kills of the first config.
    """
    rng = random.Random(0)
    names = [next(iter(_CONFIGS))] if short else list(_CONFIGS)
    figures, where = [], Counter[str]()
    for name in names:
        figures.append(
            _config(
                folder / name.split(",")[0].replace(" ", "-"), name, _KILLS_IN_SHORT if short else _KILLS, rng, where
            )
        )
    say(f"kills fell into: {dict(where)}")
    places = ", ".join(f"{count} {place}" for place, count in where.most_common())
    return [
        *figures,
        Figure("kills, of all of these", sum(where.values()), sum(each.failures for each in figures), places),
    ]


def _config(folder: Path, name: str, kills: int, rng: random.Random, where: Counter[str]) -> Figure:
    """Kill runs of one config so many times in all."""
    folder.mkdir(parents=True)
    preset = folder / "preset.toml"
    preset.write_text(dump(Config().changed(_settings(name, folder))), encoding="utf-8")
    untouched = _Subject(folder / "untouched", preset, rng)
    began = time.monotonic()
    untouched.launch().wait()
    to_train = peek(untouched.lead).status.seconds
    to_start = max(0.5, time.monotonic() - began - to_train)
    done, n_runs, problems = 0, 0, list[str]()
    while done < kills:
        n_runs += 1
        subject = _Subject(folder / f"run-{n_runs}", preset, rng, to_start, to_train, sets_numbers=name == _LIVE)
        done += _killed_until_over(subject, where, kills - done)
        if subject.sets_numbers:
            untouched = _Subject(folder / f"untouched-{n_runs}", preset, rng)
            untouched.launch(commanded_by=subject.lead).wait()
        found = list(_differences(untouched.lead, subject.lead))
        for problem in found:
            say(f"{name}: {problem}")
        problems += found
        say(f"{name}: {done} of {kills} kills, {len(problems)} differences")
    return Figure(f"kills: {name}", done, len(problems), f"{n_runs} runs, each resumed until it was over")


def _settings(name: str, folder: Path) -> dict[str, Any]:
    if name != "streamed":
        return _CONFIGS[name]
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4096, 6)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", (x[:, 0] * x[:, 1] > 0).astype(np.int64))
    paths = {"data.source": "path", "data.path": str(folder / "x.npy"), "data.target_path": str(folder / "y.npy")}
    return {**paths, "data.stream": "always", **_CONFIGS[name]}


@dataclass(frozen=True, slots=True)
class _Subject:
    """A run that is killed, or the one that nobody touches.

    Attributes:
        store: folder for it and its replicas alone.
        preset: its config.
        rng: says when and where.
        to_start, to_train: seconds from the launch until it trains, and to train, without a kill.
        sets_numbers: whether it is sent live numbers meanwhile.
    """

    store: Path
    preset: Path
    rng: random.Random
    to_start: float = 0.0
    to_train: float = 0.0
    sets_numbers: bool = False

    @property
    def lead(self) -> Path:
        """Return its folder."""
        found = leader(self.store, load(self.preset).n_runs)
        assert found is not None
        return found

    @property
    def began(self) -> int:
        """Return how often it has begun to train."""
        lead = leader(self.store, load(self.preset).n_runs)
        return 0 if lead is None else sum(it.kind == "started" for it in Tail(lead / "events.jsonl").read_all())

    @property
    def is_saving(self) -> bool:
        """Return whether a checkpoint is half on the disk."""
        alone = (not it.with_suffix(".json").exists() for it in self.store.glob("*/checkpoints/*.safetensors"))
        return any(alone) or any(self.store.glob("*/checkpoints/.*.tmp"))

    def launch(self, die_at: str = "", commanded_by: Path | None = None) -> "subprocess.Popen[bytes]":
        """Begin it, or go on with it, in a process of its own."""
        words = [str(self.store), str(self.preset), *([str(commanded_by)] if commanded_by else [])]
        environment = {**os.environ, "NN_TUI_DIE_AT": die_at, "JAX_PLATFORMS": "cpu"}
        return subprocess.Popen([sys.executable, "-m", "torture.kill_child", *words], env=environment)

    def wait(self, child: "subprocess.Popen[bytes]", seconds: float) -> None:
        """Let the process run for so long at most."""
        end = time.monotonic() + seconds
        while child.poll() is None and time.monotonic() < end:
            time.sleep(_POLL)
            if self.sets_numbers and self.rng.random() < _SET_SO_OFTEN:
                self._set_a_number()

    def wait_for_a_moment(self, child: "subprocess.Popen[bytes]", began_before: int) -> None:
        """Let the process run until a random time of its start, or of its training."""
        if self.rng.random() < _AT_START:
            self.wait(child, self.rng.uniform(0.0, self.to_start))
            return
        while child.poll() is None and self.began == began_before:
            time.sleep(_POLL)
        self.wait(child, self.rng.uniform(0.0, self.to_train))

    def _set_a_number(self) -> None:
        if (lead := leader(self.store, load(self.preset).n_runs)) is not None:
            key, low, high = self.rng.choice([("optimizer.learning_rate", 1e-4, 1e-2), ("model.dropout", 0.0, 0.5)])
            send(lead, Set(key=key, value=round(self.rng.uniform(low, high), 5)))


def _killed_until_over(subject: _Subject, where: Counter[str], most: int) -> int:
    """Launch, kill and resume a run until it is over; return how many kills that took, and count where they fell."""
    rng = subject.rng
    for kills in range(_MOST_LAUNCHES):
        began = subject.began
        point = rng.choice(POINTS) if rng.random() < _AT_POINTS and kills < most else ""
        child = subject.launch(f"{point}:{rng.randint(1, 20)}" if point else "")
        if kills < most and not point:
            subject.wait_for_a_moment(child, began)
            child.kill()
        subject.wait(child, _LONGEST)
        if child.wait(_LONGEST) >= 0:
            return kills
        training = "while training and saving" if subject.is_saving else "while training"
        place = training if subject.began > began else "while starting or compiling"
        where[f"at “{point}”" if point else place] += 1
    raise RuntimeError(f"{subject.store} does not come to an end")


def _differences(reference: Path, killed: Path) -> Iterator[str]:
    """Yield what is not as in the run that nobody touched, of it and of its replicas."""
    pairs = [(it, other) for it, other in zip(_group(reference), _group(killed), strict=True)]
    for one, other in pairs:
        wanted, found = _records(one), _records(other)
        if wanted != found:
            differing = next((a for a, b in zip(wanted, found, strict=False) if a != b), "their number")
            yield f"records of {other}: {differing}"
        if any(
            isinstance(it, Replayed) and it.differs_from is not None for it in Tail(other / "events.jsonl").read_all()
        ):
            yield f"{other}: a replay differed"
        if peek(other).status.resumed == "compatible":
            yield f"{other}: only compatible"
        for kind in ("last", "best"):
            if problem := _differing_arrays(one, other, kind):
                yield f"{other}: {problem}"


def _group(lead: Path) -> list[Path]:
    return [lead, *replica_paths(peek(lead))]


def _records(run: Path) -> list[str]:
    """Return what a run decided and measured, as it is written, without what is a question of time."""
    events = standing(Tail(run / "events.jsonl").read_all())
    order = sorted((it for it in events if it.kind in _COMPARED), key=_order)
    return [_content(it) for it in order] + [f"finished {peek(run).status.reason} {peek(run).status.best}"]


def _order(event: Event) -> tuple[int, bool, str]:
    return event.step, not isinstance(event, Epoch), _content(event)


def _content(event: Event) -> str:
    plain = {name: value for name, value in json.loads(event.model_dump_json()).items() if name not in _STAMPS}
    return json.dumps(plain, sort_keys=True)


def _differing_arrays(one: Path, other: Path, kind: checkpoints.Kind) -> str:
    paths = [checkpoints.newest_good(run / "checkpoints", kind) for run in (one, other)]
    if None in paths:
        return f"no {kind} checkpoint"
    (a, manifest), (b, same) = (checkpoints.load(path) for path in paths if path)
    if a.keys() != b.keys() or (manifest.step, manifest.callbacks, manifest.numbers) != (
        same.step, same.callbacks, same.numbers,
    ):  # fmt: skip
        return f"{kind} checkpoint of another update, or of other counters"
    differing = [name for name in a if a[name].tobytes() != b[name].tobytes()]
    return f"{kind} checkpoint: {', '.join(differing)} differ" if differing else ""
