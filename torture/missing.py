"""What a run lacks that was promised to be there."""

import json

from trainer import checkpoints
from trainer.problems import RunError
from trainer.run import Run


def what_is_missing(run: Run) -> str:
    """Return what a finished run's directory lacks to be whole; "" for nothing."""
    if run.shown_state != "finished":
        return f"it shows as {run.shown_state}: {run.status.message}"
    lines = (run.directory / "events.jsonl").read_bytes().splitlines(keepends=True)
    records = [json.loads(line) for line in lines]
    if [record["seq"] for record in records] != list(range(len(records))) or not lines[-1].endswith(b"\n"):
        return "records are missing"
    if records[-1]["kind"] != "finished":
        return "the last record is another"
    if any(run.directory.rglob("*.tmp")):
        return "a temporary file is left"
    try:
        found = [checkpoints.load(path) for path in (run.directory / "checkpoints").glob("*.safetensors")]
    except RunError as error:
        return str(error)
    return "" if found else "it has no checkpoint"
