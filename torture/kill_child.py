"""The process that is killed: begins a run in a folder, or goes on with the one that is there, saving all the time."""

import sys
from pathlib import Path

from trainer import cadence, call_size, store, training
from trainer.config import load
from trainer.events import Commanded
from trainer.log import Tail
from trainer.past import Past
from trainer.preparation import prepare
from trainer.problems import RunError
from trainer.replay import Replay
from trainer.resuming import resume
from trainer.runs import peek, replica_paths

_SECONDS_BETWEEN_SAVES = 0.05
_SECONDS_OF_A_CALL = 0.02


def main(folder: Path, preset: Path, commanded_by: Path | None) -> None:
    """Train to the end.

    Args:
        folder: the store.
        preset: the config.
        commanded_by: a run whose commands are obeyed at the updates at which it obeyed them; None for no commands.
    """
    cadence._BOUNDS = (_SECONDS_BETWEEN_SAVES, _SECONDS_BETWEEN_SAVES)  # type: ignore[misc]
    cadence._COST_TO_TRAINING = 0  # type: ignore[misc]
    call_size._SECONDS = _SECONDS_OF_A_CALL  # type: ignore[misc]
    config = load(preset)
    lead = leader(folder, config.n_runs)
    if lead is not None:
        try:
            runs = resume(lead)
        except RunError:
            if is_over(lead):  # it was killed after its last record
                return
            raise
    else:
        prepared = prepare(config)
        runs = training.start_replicas(prepared, folder)
        if commanded_by is not None:
            events = [it for it in Tail(commanded_by / "events.jsonl").read_all() if isinstance(it, Commanded)]
            runs[0][1].past = Past(replay=Replay(events))
    training.train_together(runs)


def leader(folder: Path, n_runs: int) -> Path | None:
    """Return the run in a folder that stands for so many, all of which are there; None if there is none."""
    found = [peek(path) for path in sorted(folder.iterdir()) if store.is_run(path)] if folder.exists() else []
    wanted = (run for run in found if run.config and run.config.n_runs == n_runs)
    return next((run.directory for run in wanted if len(run.status.replicas) == n_runs - 1), None)


def is_over(lead: Path) -> bool:
    """Return whether a run, and all that it leads, came to its end."""
    return all(peek(path).status.state == "finished" for path in (lead, *replica_paths(peek(lead))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
