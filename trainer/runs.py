"""Runs, read from their folders: at a glance, or with all their records."""

from pathlib import Path

from pydantic import ValidationError

from trainer import config as configs
from trainer.log import Tail
from trainer.problems import ConfigError
from trainer.run import Run
from trainer.status import Status
from trainer.store import is_id, is_run


def peek(directory: Path) -> Run:
    """Return a run from its config and `run.json` alone: enough for a list, whatever the length of its log."""
    run = Run(directory)
    try:
        run.status = Status.read(directory)
        run.config = configs.load(directory / "config.toml")
    except (OSError, ValidationError, ConfigError) as error:
        run.damage = _damage(error)
    return run


def peek_group(directory: Path) -> Run:
    """Return a run with the others of the group that it leads, each from its config and `run.json` alone."""
    lead = peek(directory)
    lead.replicas = [peek(path) for path in replica_paths(lead)]
    return lead


def lead_of(directory: Path) -> Path:
    """Return the folder of the run that leads the group of this one; where there is none, its own."""
    group = peek(directory).status.group
    return lead if is_id(group) and is_run(lead := directory.parent / group) else directory


def open_run(directory: Path) -> tuple[Run, Tail]:
    """Return a run with nothing applied yet, and the tail that gives its records."""
    known = peek(directory)
    run = Run(directory, known.config, known.status.at_the_start(), damage=known.damage)
    return run, Tail(directory / "events.jsonl")


def read(directory: Path) -> Run:
    """Return a run with every record applied; one that leads a group with the others."""
    run, tail = open_run(directory)
    run.apply_all(tail.read_all())
    run.damage = run.damage or tail.problem
    run.replicas = [read(path) for path in replica_paths(run)]
    return run


def replica_paths(run: Run) -> list[Path]:
    """Return the folders of the other runs of the group that this one leads, those that are still there."""
    names = [name for name in run.status.replicas if is_id(name)]
    return [path for name in names if is_run(path := run.directory.parent / name)]


def _damage(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename).name if error.filename else 'a file'}: {error.strerror}"
    if isinstance(error, ConfigError):
        return str(error.problems[0])
    return "run.json is not what a trainer writes"
