import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from trainer import events
from trainer.comparison import ABSENT, Comparison, Difference, Outcome, as_csv, as_json, compare, safe_cell
from trainer.config import Config
from trainer.run import Run


def made(name: str, epochs: list[dict[str, float]], settings: dict[str, Any] | None = None, **more: Any) -> Run:
    """A finished run with these epochs."""
    config = Config.parse({"name": name}).changed(settings or {})
    run = Run(Path("runs") / f"id-{more.get('id', name)}", config=config)
    run.apply(events.Started(n_parameters=more.get("n_parameters", 100), device="cpu", steps_per_epoch=10))
    for index, metrics in enumerate(epochs):
        stamps = {"epoch": index, "step": 10 * (index + 1), "elapsed": 2.0 * (index + 1)}
        run.apply(events.Epoch(metrics=metrics, examples_per_second=more.get("speed", 1000.0), **stamps))
    if more.get("test"):
        run.apply(events.Tested(metrics=more["test"]))
    if reason := more.get("reason", "completed"):
        run.apply(events.Finished(reason=reason, step=10 * len(epochs), elapsed=more.get("seconds", 2.0 * len(epochs))))
    return run


def outcome(comparison: Comparison, name: str) -> Outcome:
    return next(row for row in comparison.outcomes if row.name == name)


def broken(name: str = "broken") -> Run:
    return Run(Path("runs") / name, damage=f"runs/{name}/config.toml:1: \x1b[2J is no TOML")


GOOD = made("good", [{"loss": 0.5, "val_loss": 0.6}, {"loss": 0.2, "val_loss": 0.4}, {"loss": 0.1, "val_loss": 0.5}])
POOR = made("poor", [{"loss": 0.9, "val_loss": 0.9}], {"optimizer.learning_rate": 0.5})


def test_the_best_value_comes_with_its_epoch_and_the_better_run_is_marked():
    row = outcome(compare([POOR, GOOD]), "best val_loss")
    assert (row.values, row.epochs, row.better) == ((0.9, 0.4), (1, 3 - 1), 1)


def test_last_values_and_totals_have_units():
    comparison = compare([GOOD, POOR])
    assert outcome(comparison, "loss").values == (0.1, 0.9)
    assert [(row.name, row.unit, row.values) for row in comparison.outcomes[-5:]] == [
        ("epochs", "epochs", (3, 1)),
        ("steps", "updates", (30, 10)),
        ("seconds", "s", (6.0, 2.0)),
        ("examples_per_second", "examples/s", (1000.0, 1000.0)),
        ("n_parameters", "parameters", (100, 100)),
    ]


def test_the_gap_tells_how_far_validation_is_behind():
    comparison = compare([GOOD, made("no validation", [{"loss": 0.3}])])
    assert outcome(comparison, "gap").values == (pytest.approx(0.4), None)


@pytest.mark.parametrize(
    ("metric", "values", "better"),
    [
        ("loss", (0.2, 0.1, 0.3), 1),
        ("accuracy", (0.2, 0.1, 0.3), 2),
        ("r2", (-0.5, 0.1), 1),
        ("loss", (0.1, 0.1), None),
        ("loss", (0.1, 0.1, 0.2), None),
        ("loss", (math.nan, 0.2, 0.3), 1),
        ("accuracy", (math.inf, 0.2, 0.3), 2),
        ("loss", (-math.inf, 0.2), None),
        ("loss", (math.nan, math.nan), None),
        ("moons_seen", (1.0, 2.0), None),
    ],
)
def test_the_better_run_is_marked_only_where_that_is_certain(
    metric: str, values: tuple[float, ...], better: int | None
):
    runs = [made(f"run {index}", [{metric: value}]) for index, value in enumerate(values)]
    assert outcome(compare(runs), metric).better == better


def test_a_metric_that_one_run_lacks_is_compared_among_the_others():
    runs = [made("a", [{"loss": 1.0, "mae": 0.4}]), made("b", [{"loss": 2.0}]), made("c", [{"loss": 3.0, "mae": 0.2}])]
    row = outcome(compare(runs), "mae")
    assert (row.values, row.better) == ((0.4, None, 0.2), 2)


def test_runs_judged_by_different_metrics_get_a_best_row_for_each():
    by_accuracy = {"callbacks.model_checkpoint.monitor": "accuracy"}
    runs = [
        made("a", [{"loss": 0.5, "accuracy": 0.7}, {"loss": 0.6, "accuracy": 0.6}]),
        made("b", [{"loss": 0.4, "accuracy": 0.8}, {"loss": 0.3, "accuracy": 0.9}], by_accuracy),
    ]
    comparison = compare(runs)
    assert outcome(comparison, "best loss") == Outcome("best loss", "", (0.5, 0.3), (1, 2), 1)
    assert outcome(comparison, "best accuracy") == Outcome("best accuracy", "", (0.7, 0.9), (1, 2), 1)


def test_results_of_the_test_split_have_rows_of_their_own():
    row = outcome(
        compare([made("a", [], test={"accuracy": 0.8}), made("b", [], test={"accuracy": 0.9})]), "test accuracy"
    )
    assert (row.values, row.better) == ((0.8, 0.9), 1)


def test_a_short_time_is_better_only_if_the_run_reached_its_end():
    runs = [made("a", [{"loss": 1.0}], seconds=9.0), made("b", [{"loss": 1.0}], seconds=7.0)]
    cut_off = made("c", [{"loss": 1.0}], seconds=1.0, reason="stopped")
    assert outcome(compare([*runs, cut_off]), "seconds").better == 1


def test_only_hyperparameters_that_differ_are_listed_with_their_units():
    other = made("other name", [], {"training.batch_size": 128})
    assert compare([made("a", []), other]).differences == (Difference("training.batch_size", "examples", (64, 128)),)
    assert compare([GOOD, GOOD]).differences == ()


def test_a_hyperparameter_that_the_other_kind_lacks_is_absent():
    sgd = made("sgd", [], {"optimizer.kind": "sgd", "optimizer.momentum": 0.9, "training.epochs": 7})
    rows = {row.key: row.values for row in compare([made("adam", []), sgd]).differences}
    assert next(iter(rows)) == "optimizer.kind"
    assert list(rows)[-1] == "training.epochs"
    assert rows["optimizer.kind"] == ("adam", "sgd")
    assert rows["optimizer.b1"] == (0.9, ABSENT)
    assert rows["optimizer.momentum"] == (ABSENT, 0.9)


def test_a_damaged_run_says_so_and_stops_nobody():
    comparison = compare([GOOD, broken(), POOR])
    assert [column.state for column in comparison.columns] == ["finished", "damaged", "finished"]
    assert comparison.columns[1].damage == "config.toml:1: \\x1b[2J is no TOML"
    assert outcome(comparison, "loss").values == (0.1, None, 0.9)
    assert comparison.differences == (Difference("optimizer.learning_rate", "", (0.001, ABSENT, 0.5)),)


def test_nothing_but_damaged_runs_and_no_runs_at_all_compare_to_nothing():
    assert compare([broken("a"), broken("b")]).outcomes == ()
    assert compare([]) == Comparison((), (), ())


def test_known_states_are_taken_as_they_are():
    live = made("live", [{"loss": 1.0}], reason="")
    assert compare([live], ["paused"]).columns[0].state == "paused"
    assert compare([live]).columns[0].state == "crashed"


def test_json_is_strict_and_names_the_better_run():
    diverged = made("diverged", [{"loss": math.inf}, {"loss": math.nan}], {"model.hidden": [8]}, reason="diverged")
    table = json.loads(json.dumps(as_json(compare([GOOD, diverged, broken()])), allow_nan=False))
    rows = {row["name"]: row for row in table["outcomes"]}
    assert rows["loss"] == {"name": "loss", "unit": "", "values": [0.1, "NaN", None], "better": None}
    assert rows["best val_loss"]["epochs"] == [2, None, None]
    assert rows["steps"]["better"] is None
    assert table["differences"] == [{"key": "model.hidden", "unit": "", "values": [[128, 128], [8], None]}]
    assert [run["state"] for run in table["runs"]] == ["finished", "diverged", "damaged"]
    better = {row["name"]: row["better"] for row in as_json(compare([GOOD, POOR]))["outcomes"]}
    assert better["val_loss"] == "id-good"


def test_csv_keeps_numbers_and_defuses_formulas():
    evil = made("=HYPERLINK(1)", [{"r2": -0.5}], {"model.hidden": [8]}, id="evil")
    lines = list(csv.reader(io.StringIO(as_csv(compare([evil, made("+1", [{"r2": 0.5}], id="plus")])))))
    rows = {line[0]: line[1:] for line in lines}
    assert lines[0] == ["", "unit", "id-evil", "id-plus", "better"]
    assert rows["name"][1:3] == ["'=HYPERLINK(1)", "'+1"]
    assert rows["r2"] == ["", "-0.5", "0.5", "id-plus"]
    assert rows["model.hidden"][1:3] == ["[8]", "[128, 128]"]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1"])
def test_no_cell_begins_like_a_formula(text: str):
    assert safe_cell(text)[0] not in "=+-@\t\r"


def test_of_runs_on_other_data_none_is_the_better():
    settings = [{"data.source": source} for source in ("iris", "wine")]
    runs = [made(f"r{place}", [{"loss": 1.0 + place}], changes) for place, changes in enumerate(settings)]
    assert outcome(compare(runs), "loss").values == (1.0, 2.0)
    assert outcome(compare(runs), "loss").better is None
    assert outcome(compare([runs[0], made("r2", [{"loss": 2.0}], settings[0])]), "loss").better == 0
