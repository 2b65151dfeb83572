"""What came of a run, or of a group, as a program reads it: the JSON of `nn-tui train --json`."""

from typing import Any

from trainer.replicas import best, members, shown_state, spread
from trainer.run import Run
from trainer.strict_json import strict


def result(run: Run) -> dict[str, Any]:
    """Return what came of a run, as strict JSON has it."""
    status = run.status
    plain = {
        "run": str(run.directory),
        "state": status.state,
        "reason": status.reason,
        "message": status.message,
        "epochs": status.epochs,
        "steps": status.steps,
        "best": status.best.model_dump() if status.best else None,
        "metrics": status.metrics,
        "test": status.test or None,
        "seconds": round(status.seconds, 3),
        "compile_seconds": round(status.compile_seconds, 3),
        "examples_per_second": round(status.examples_per_second, 1),
        **({} if status.input_stall is None else {"input_stall": status.input_stall}),
        **({"group": status.group} if status.group else {}),
        **({"resumed": status.resumed} if status.resumed else {}),
        **({"parent": status.parent.model_dump()} if status.parent else {}),
    }
    return {key: strict(value) for key, value in plain.items()}


def group_result(run: Run) -> dict[str, Any]:
    """Return what came of a group: its leader's result, with all of them and their spread."""
    names = dict.fromkeys(name for other in members(run) for name in other.status.metrics)
    spreads = {name: spread(other.status.metrics.get(name) for other in members(run)) for name in names}
    found = best(run)
    if found is not None:
        spreads[f"best {found[0]}"] = found[1]
    return {
        **result(run),
        "state": shown_state(run, [other.status.state for other in members(run)]),
        "k_fold": run.config.data.folds if run.config else 0,
        "replicas": [result(other) for other in members(run)],
        "spread": {name: it._asdict() for name, it in spreads.items() if it is not None},
    }
