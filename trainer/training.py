"""Train: the one way from a config to a run, with or without a screen.

prepared = prepare(load(Path("preset.toml")))
run = train(prepared, start(prepared, Path("runs")))
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from trainer import devices, memory
from trainer.preparation import Prepared, members
from trainer.problems import RunError
from trainer.run import Run
from trainer.run_directory import RunDirectory
from trainer.text import clean

Runs: TypeAlias = Sequence[tuple[Prepared, RunDirectory]]
"""What can be trained: config and data of each run, and its folder."""


def start(prepared: Prepared, store: Path, **status: Any) -> RunDirectory:
    """Make the folder of a new run; from here on it can be followed.

    Args:
        prepared: config and data.
        store: folder of runs.
        **status: what else is known of `Status` already.

    Raises:
        RunError: it cannot be made.
        ConfigError: the run wants more devices than there are, which JAX alone knows.
    """
    if prepared.config.training.devices > 1:
        devices.prepare_jax()
        devices.count(prepared.config.training.devices)
    status |= {"data_fingerprint": prepared.splits.fingerprint, "n_parameters": prepared.n_parameters}
    return RunDirectory.create(store, prepared.config, **status)


def start_replicas(prepared: Prepared, store: Path, **status: Any) -> Runs:
    """Make the folders of as many runs as the config asks for: replicas or folds; arguments as for `start`.

    The first one has the config as it is, and leads the group. Raises as `start`; then none of them is there.
    """
    made: list[tuple[Prepared, RunDirectory]] = []
    try:
        for one in members(prepared):
            made.append((one, start(one, store, **status)))
        _, lead = made[0]
        if len(made) > 1:
            for number, (_, directory) in enumerate(made, start=1):
                others = [other.path.name for _, other in made[1:]] if number == 1 else []
                directory.join(lead.path.name, number, others)
    except (OSError, RunError) as error:
        for _, directory in made:
            directory.discard()
        if isinstance(error, RunError):
            raise
        raise RunError(f"no runs can be kept in {clean(str(store))}: {error.strerror or error}") from error
    return made


def train(prepared: Prepared, directory: RunDirectory, cancelled: threading.Event | None = None) -> Run:
    """Train until the end, whatever end that is, and return the run.

    Nothing that happens within the run is raised: a failure is its last record, the traceback is in its `log.txt`.

    Args:
        prepared: config and data.
        directory: the run's folder, from `start`, `resuming.resume` or `forking.fork`; closed when this returns.
        cancelled: set by another thread to have the run end, saved, at the next call's end.
    """
    return train_together([(prepared, directory)], cancelled)[0]


def train_together(runs: Runs, cancelled: threading.Event | None = None) -> list[Run]:
    """Train runs of one structure and one data set as one population: one compile, all in each call of the device.

    They may differ in live numbers, seeds and callbacks; if they differ in more, all fail and say so. Each has its own
    folder, stops by itself, and is what it would have been alone, to rounding. Arguments as for `train`.
    """
    directories = [directory for _, directory in runs]
    try:
        for prepared, directory in runs:
            permission = prepared.config.model.permission
            by = f" by {permission.words}" if permission else ""
            directory.note(f"training {prepared.config.name!r}{by} in process {os.getpid()}")
        _train(runs, cancelled or threading.Event())
    except Exception as error:  # noqa: BLE001 the one place: whatever fails in a run is told by the run
        for directory in directories:
            if not directory.run.ended:
                directory.fail(error)
    finally:
        for directory in directories:
            directory.close()
    return [directory.run for directory in directories]


def _train(runs: Runs, cancelled: threading.Event) -> None:
    devices.prepare_jax()
    from trainer.loop import Loop

    loop = Loop(runs, cancelled)
    try:
        loop.run()
    except Exception as error:
        if not memory.has_run_out(error):
            raise
        raise loop.shortage() from error
    finally:
        loop.close()
