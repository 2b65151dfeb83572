"""What does not fit the data is refused in one line each, before anything is created."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer import losses
from trainer.config import Config
from trainer.preparation import prepare
from trainer.problems import ConfigError, Problem
from trainer.validation import members

CLASSES = {"data.source": "iris"}
NUMBERS = {"data.source": "diabetes"}
TOKENS = {"data.source": "text", "model.kind": "transformer_lm"}
COUNTS = {**NUMBERS, "data.standardize_target": False, "loss.kind": "poisson"}


def refused(settings: dict[str, Any]) -> Problem:
    with pytest.raises(ConfigError) as caught:
        prepare(Config().changed(settings))
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    "settings", [CLASSES, {**NUMBERS, "data.standardize_target": False}, TOKENS], ids=["classes", "numbers", "tokens"]
)
@pytest.mark.parametrize("kind", members(Config.model_fields["loss"]))
def test_a_loss_that_does_not_fit_names_those_that_do(settings: dict[str, Any], kind: str) -> None:
    config = Config().changed({**settings, "loss.kind": kind})
    task = prepare(Config().changed(settings)).splits.task
    if task in config.loss.tasks:
        assert prepare(config).config == config
        return
    problem = refused({**settings, "loss.kind": kind})
    assert problem.key == "loss.kind"
    start, fitting = problem.message.split(" Use ")
    assert start == f'must fit {task}, got "{kind}".'
    for named in fitting.removesuffix(".").replace(" or ", ", ").split(", "):
        prepare(Config().changed({**settings, "loss.kind": named}))


def test_a_training_too_short_for_one_step_of_accumulated_gradients_is_refused() -> None:
    """120 examples train; without the remainder an epoch has 3 batches of 32, else 4."""
    settings = {**CLASSES, "training.batch_size": 32, "training.epochs": 2}
    accumulated = "optimizer.gradient_accumulation_steps"
    for drops, updates in ((False, 8), (True, 6)):
        these = {**settings, "training.drop_remainder": drops}
        assert len(prepare(Config().changed({**these, accumulated: updates})).splits.train.y) == 120
        problem = refused({**these, accumulated: updates + 1})
        assert problem.key == accumulated
        assert problem.message == (
            f"must be at most the {updates} batches of the whole training, or no weight moves, got {updates + 1}."
        )


def test_a_loss_of_counts_wants_targets_in_their_own_units() -> None:
    assert prepare(Config().changed(COUNTS)).splits.train.y.min() > 0
    problem = refused({**COUNTS, "data.standardize_target": True})
    assert problem.key == "data.standardize_target"
    assert problem.message == 'must be false for loss.kind = "poisson", whose targets keep their own units, got true.'


def test_a_loss_of_counts_wants_no_target_below_0(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", x=np.arange(40.0).reshape(20, 2), y=np.r_[np.arange(19.0), -2.5])
    own = {"data.source": "path", "data.path": str(tmp_path / "some.npz"), "data.standardize_target": False}
    for kind in ("mse", "auto"):
        prepare(Config().changed({**own, "loss.kind": kind, "training.batch_size": 4}))
    problem = refused({**own, "loss.kind": "poisson", "training.batch_size": 4})
    assert problem.key == "loss.kind"
    assert problem.message.startswith(
        'must fit the data: "poisson" needs targets of at least 0, got -2.5. Use auto, mse,'
    )
    assert losses.Poisson.least_target == 0
    assert "poisson" not in problem.message.partition("Use")[2]


@pytest.mark.parametrize(
    ("field", "task"),
    [("f1", "regression"), ("auroc", "regression"), ("rmse", "classification"),
     ("bits_per_character", "classification"), ("f1", "language_modeling"), ("rmse", "language_modeling")],
)  # fmt: skip
def test_a_metric_that_does_not_fit_the_task_is_refused(field: str, task: str) -> None:
    data = {"regression": NUMBERS, "classification": CLASSES, "language_modeling": TOKENS}[task]
    problem = refused({**data, f"metrics.{field}": True})
    assert (problem.key, problem.message) == (f"metrics.{field}", f"must be false for {task}, got true.")


@pytest.mark.parametrize("kind", ["mlp", "cnn", "resnet", "transformer"])
def test_a_model_that_reads_no_text_is_refused_with_those_that_do(kind: str) -> None:
    problem = refused({"data.source": "text", "model.kind": kind})
    assert problem.key == "model.kind"
    assert problem.message == 'needs numbers, of which a text has none. Use "transformer_lm", "gru" or "lstm".'


def test_more_likeliest_classes_than_there_are_others_are_refused() -> None:
    assert prepare(Config().changed({**CLASSES, "metrics.top_k": True, "metrics.k": 2}))
    assert prepare(Config().changed({**CLASSES, "metrics.k": 3})), "k alone asks for nothing"
    problem = refused({**CLASSES, "metrics.top_k": True, "metrics.k": 3})
    assert (problem.key, problem.message) == ("metrics.k", "must be less than the 3 classes for metrics.top_k, got 3.")


def test_counts_are_measured_and_shown_in_their_own_units(trained: Any) -> None:
    """Were the logarithms taken for the counts, no r2 could be above 0."""
    from trainer import picture_file

    run = trained({**COUNTS, "model.hidden": [], "optimizer.learning_rate": 0.05, "training.epochs": 60})
    assert run.status.metrics["r2"] > 0.3
    assert run.status.metrics["mae"] < 60
    (scatter,) = picture_file.read(run.directory).scatter
    assert np.corrcoef(scatter.true, scatter.predicted)[0, 1] > 0.4
    assert np.mean(scatter.predicted) == pytest.approx(np.mean(scatter.true), rel=0.2)
