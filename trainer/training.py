"""Train: the one way from a config to a run, with or without a screen.

prepared = prepare(load(Path("preset.toml")))
run = train(prepared, start(prepared, Path("runs")))
"""

import os
import threading
import traceback
from pathlib import Path

from trainer.events import Finished, Reason
from trainer.preparation import Prepared
from trainer.run_directory import RunDirectory
from trainer.runs import Run
from trainer.text import clean


def start(prepared: Prepared, store: Path) -> RunDirectory:
    """Make the folder of a new run; from here on it can be followed. Raises RunError if it cannot be made."""
    return RunDirectory.create(
        store, prepared.config, data_fingerprint=prepared.splits.fingerprint, n_parameters=prepared.n_parameters
    )


def train(prepared: Prepared, directory: RunDirectory, cancelled: threading.Event | None = None) -> Run:
    """Train until the end, whatever end that is, and return the run.

    Nothing that happens within the run is raised: a failure is its last record, the traceback is in its `log.txt`.

    Args:
        prepared: config and data.
        directory: the run's folder, from `start`; closed when this returns.
        cancelled: set by another thread to have the run end, saved, at the next call's end.
    """
    try:
        directory.note(f"training {prepared.config.name!r} in process {os.getpid()}")
        reason, message = _train(prepared, directory, cancelled or threading.Event())
        directory.note(f"{reason}: {message}")
        directory.record(Finished(reason=reason, message=message))
    except Exception as error:  # noqa: BLE001 the one place: whatever fails in a run is told by the run
        _tell(directory, error)
    finally:
        directory.close()
    return directory.run


def _train(prepared: Prepared, directory: RunDirectory, cancelled: threading.Event) -> tuple[Reason, str]:
    from trainer import devices

    devices.prepare_jax()
    from trainer.loop import Loop

    loop = Loop(prepared, directory, cancelled)
    try:
        return loop.run()
    finally:
        loop.close()


def _tell(directory: RunDirectory, error: Exception) -> None:
    """Leave the failure in the run, as far as the disk still takes anything."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    message = clean(lines[0])[:300] if lines else type(error).__name__
    if "RESOURCE_EXHAUSTED" in message:
        message = f"out of memory on the device: {message} Try half the batch size."
    try:
        directory.note("".join(traceback.format_exception(error)))
        directory.record(Finished(reason="failed", message=f"{message} (log.txt has the traceback)"))
        directory.write_status()
    except OSError:
        if not directory.run.ended:
            directory.run.apply(Finished(reason="failed", message=message))
