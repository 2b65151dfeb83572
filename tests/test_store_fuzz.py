"""Any bytes in the files of a run: whoever reads them gets what is whole, and no failure."""

import copy
import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from test_runs import EVERY

from trainer import runs
from trainer.commands import Inbox
from trainer.comparison import compare
from trainer.config import Config, dump
from trainer.events import encode
from trainer.log import Tail
from trainer.results import result
from trainer.run import Run
from trainer.status import LIVE, Status
from tui.followed import Followed
from tui.happenings import happening
from tui.listings import comparison_table
from tui.status_line import status_lines

RECORDS = [json.loads(encode(event)) for event in EVERY]
NUMBERS = st.sampled_from(
    [0, 1, -1, 2**31, 2**53, 2**63, -(2**63), 10**30, 10**400, 0.5, -0.5, 1e-320, 1e300, -1e300, math.inf, math.nan]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["NaN", "Infinity", "", "1e999", "\ud7ff", "x" * 200]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["loss", "a", ""]), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value within a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a record of which one value is another, or is missing."""
    record = copy.deepcopy(draw(st.sampled_from(RECORDS)))
    *way, last = draw(st.sampled_from([path for path in places(record) if path]))
    holder = record
    for key in way:
        holder = holder[key]
    holder[last] = draw(VALUES)
    return json.dumps(record).encode()


def shown(run: Run) -> None:
    """Have everything that shows runs show this one."""
    run.status.model_dump_json()
    json.dumps(result(run), allow_nan=False)
    assert all("\n" not in happening(event) for event in run.happenings)
    comparison_table(compare([run, run], ["running", "running"]))
    status_lines(run, "", None, 80)


@given(lines=st.lists(damaged() | st.binary(max_size=60), min_size=1, max_size=8))
def test_any_records_are_shown_or_skipped(tmp_path_factory: Any, lines: list[bytes]) -> None:
    directory = tmp_path_factory.getbasetemp() / "any-records"
    directory.mkdir(exist_ok=True)
    (directory / "events.jsonl").write_bytes(b"\n".join([*map(encode, EVERY[:1]), *lines, b""]))
    followed = Followed(Run(directory, config=Config()), Tail(directory / "events.jsonl"))
    followed.poll(1 << 20)
    followed.progress()
    shown(followed.run)


@given(status=st.builds(dict), data=st.data())
def test_any_status_is_shown_or_damaged(tmp_path_factory: Any, status: dict[str, Any], data: st.DataObject) -> None:
    directory = tmp_path_factory.getbasetemp() / "any-status"
    directory.mkdir(exist_ok=True)
    (directory / "config.toml").write_text(dump(Config()))
    status = json.loads(Status(metrics={"loss": 1.0}, versions={"jax": "0"}).model_dump_json())
    status["best"] = {"metric": "loss", "value": 1.0, "epoch": 0}
    *way, last = data.draw(st.sampled_from([path for path in places(status) if path]))
    holder = status
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(VALUES)
    (directory / "run.json").write_text(json.dumps(status))
    run = runs.peek(directory)
    assert run.damage == "" or "\n" not in run.damage
    assert run.status.state in {*LIVE, "finished", "stopped", "diverged", "failed"}
    shown(run)


@given(content=st.binary(max_size=200) | st.lists(VALUES, max_size=4).map(lambda v: json.dumps(v).encode() + b"\n"))
def test_any_commands_are_obeyed_or_told(tmp_path_factory: Any, content: bytes) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / "commands.jsonl").write_bytes(content)
    _, problems = Inbox(directory).read()
    assert all(problem.isprintable() for problem in problems)
