"""Each built-in preset is a lesson: trained for real, it shows what its description promises."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import presets
from trainer import replicas
from trainer.config import Config
from trainer.data.loading import load
from trainer.preparation import prepare
from trainer.problems import ConfigError
from trainer.run import Run
from trainer.training import start_replicas, train_together

Trained = Callable[..., Run]


def of_kind(run: Run, kind: str) -> list[Any]:
    return [event for event in run.happenings if event.kind == kind]


def insights(run: Run) -> list[str]:
    return [event.message for event in of_kind(run, "insight")]


def best(run: Run, metric: str, within: int | None = None) -> float:
    return float(max(run.epochs[metric].y[:within]))


def test_digits_mlp_reads_digits_in_less_than_30_epochs(trained: Trained) -> None:
    run = trained(presets.load("digits-mlp"))
    assert (run.status.state, run.status.reason) == ("finished", "completed")
    assert best(run, "val_accuracy", within=29) > 0.96


def test_iris_first_tells_flowers_apart(trained: Trained) -> None:
    run = trained(presets.load("iris-first"))
    assert run.status.state == "finished"
    assert best(run, "val_accuracy") > 0.9


def test_diabetes_regression_explains_a_third_of_the_variance(trained: Trained) -> None:
    run = trained(presets.load("diabetes-regression"))
    assert run.status.state == "finished"
    assert best(run, "val_r2") > 0.3
    assert 30 < min(run.epochs["val_mae"].y) < 60, "in the target's own units"


def test_spirals_deep_traces_what_a_linear_model_cannot(trained: Trained) -> None:
    config = presets.load("spirals-deep")
    assert best(trained(config), "val_accuracy") > 0.95
    linear = trained(config.changed({"model.hidden": [], "training.epochs": 60}))
    assert linear.status.state == "finished"
    assert best(linear, "val_accuracy") < 0.75


def test_overfit_on_purpose_shows_the_curves_part_and_goes_back(trained: Trained) -> None:
    run = trained(presets.load("overfit-on-purpose"))
    assert (run.status.state, run.status.reason) == ("finished", "early_stopped")
    (restored,) = of_kind(run, "weights_restored")
    assert restored.value == min(run.epochs["val_loss"].y)
    assert [message for message in insights(run) if message.startswith("overfitting since epoch")]


def test_digits_cnn_reads_more_than_985_of_1000_new_digits(trained: Trained) -> None:
    run = trained(presets.load("digits-cnn"))
    assert best(run, "val_accuracy") > 0.985
    assert run.status.best is not None
    assert run.status.best.metric == "val_accuracy"


def test_custom_model_is_a_persons_own_and_reads_digits(trained: Trained) -> None:
    run = trained(presets.load("custom-model"))
    assert run.status.state == "finished"
    assert best(run, "val_accuracy") > 0.95


def test_breast_cancer_is_told_with_further_metrics(trained: Trained) -> None:
    run = trained(presets.load("breast-cancer"))
    assert run.status.state == "finished"
    assert best(run, "val_accuracy") > 0.95
    assert best(run, "val_auroc") > 0.98
    assert best(run, "val_f1") > 0.94


def test_wine_replicas_are_a_group_with_a_mean_and_a_spread(tmp_path: Path) -> None:
    prepared = prepare(presets.load("wine-replicas"))
    run, *run.replicas = train_together(start_replicas(prepared, tmp_path))
    assert [one.status.state for one in replicas.members(run)] == ["finished"] * 8
    accuracies = replicas.spread(best(one, "val_accuracy") for one in replicas.members(run))
    assert accuracies is not None
    assert accuracies.mean > 0.9
    found = replicas.best(run)
    assert found is not None
    metric, losses = found
    assert (metric, losses.n) == ("val_loss", 8)
    assert 0 < losses.std < losses.mean


def test_spirals_resnet_learns_at_a_depth_that_fails_without_ways_around(trained: Trained) -> None:
    config = presets.load("spirals-resnet").changed({"training.diagnostics": False})  # compiles in half the time
    assert best(trained(config), "val_accuracy") > 0.95
    assert best(trained(config.changed({"model.residual": False})), "val_accuracy") < 0.75


def test_char_lm_soon_predicts_better_than_how_often_letters_come(trained: Trained, tmp_path: Path) -> None:
    """Two epochs of a fifth of the novel; all of it takes two minutes."""
    config = presets.load("char-lm")
    tokens = load(config.data).train.x.ravel()[:100_000]
    vocabulary = load(config.data).vocabulary
    assert vocabulary is not None
    (tmp_path / "some.txt").write_text(vocabulary.spelled(tokens))
    few = {"training.epochs": 2, "training.diagnostics": False}  # compiles in half the time
    run = trained(config.changed({"data.path": str(tmp_path / "some.txt"), **few}))
    shares = np.bincount(tokens) / tokens.size
    bits = -sum(share * np.log2(share) for share in shares if share)
    assert min(run.epochs["val_bits_per_character"].y) < bits - 0.5
    assert insights(run) == []


def test_csv_template_trains_on_a_mixed_table_with_gaps(trained: Trained, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    pairs = zip(random.normal(size=200), random.integers(0, 2, 200), strict=True)
    rows = [f"{x:.3f},{'red' if red else 'blue'},{x + 2 * red:.3f}" for x, red in pairs]
    rows[3] = ",red,1.0"
    rows[7] = "0.5,,0.5"
    (tmp_path / "data.csv").write_text("\n".join(["x,colour,y", *rows]) + "\n")
    run = trained(presets.load("csv-template").changed({"data.path": str(tmp_path / "data.csv")}))
    assert run.status.state == "finished"
    assert best(run, "val_r2") > 0.9


@pytest.mark.parametrize("seed", range(2))
def test_plateau_stands_is_told_and_falls_again_once_the_rate_is_cut(trained: Trained, seed: int) -> None:
    run = trained(presets.load("plateau").changed({"training.seed": seed}))
    assert (run.status.reason, run.status.epochs) == ("completed", 60)
    cut, *_ = of_kind(run, "learning_rate_reduced")
    (told,) = of_kind(run, "insight")
    assert told.name == "plateau"
    assert told.epoch < cut.epoch
    losses = run.epochs["loss"].y
    standing = losses[: cut.epoch + 1]
    assert min(standing[-15:]) > 0.99 * min(standing[:-15]), "it stood"
    assert max(losses[-5:]) < 0.5 * min(standing), "and it falls"


def test_bad_initializer_learns_nothing_and_says_why(trained: Trained) -> None:
    run = trained(presets.load("bad-initializer"))
    assert run.status.state == "finished"
    assert best(run, "val_accuracy") < 0.2
    (message,) = insights(run)
    assert message.startswith('model.initializer = "zeros" cannot learn')
    assert "glorot_uniform" in message


def test_bad_initializer_learns_once_the_initializer_is_changed(trained: Trained) -> None:
    config = presets.load("bad-initializer")
    assert best(trained(config.changed({"model.initializer": "glorot_uniform"})), "val_accuracy") > 0.9


def test_learning_rate_too_high_diverges_and_does_not_at_a_tenth(trained: Trained) -> None:
    config = presets.load("learning-rate-too-high")
    run = trained(config)
    assert (run.status.state, run.status.reason) == ("diverged", "diverged")
    (diverged,) = of_kind(run, "diverged")
    assert "Try a learning rate ten times lower (0.03)." in diverged.message
    losses = run.epochs["loss"].y
    assert len(losses) > 5
    assert losses[-1] > 1e20 * losses[0], "the curve is there to be seen"
    lower = trained(config.changed({"optimizer.learning_rate": config.optimizer.learning_rate / 10}))
    assert lower.status.state == "finished"


def test_a_preset_without_a_name_has_its_file_s(tmp_path: Path) -> None:
    for text, name in (("", "houses"), ('name = "my run"', "my run")):
        (tmp_path / "houses.toml").write_text(text)
        assert presets.find(str(tmp_path / "houses.toml")).load().name == name


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_overfitting(trained: Trained, seed: int) -> None:
    run = trained(presets.load("spirals-deep").changed({"training.seed": seed}))
    assert [told for told in insights(run) if "overfitting" in told] == []


def test_every_lesson_is_taught_here() -> None:
    """A preset without a test above would be a promise that nobody checks."""
    source = Path(__file__).read_text()
    assert [preset.name for preset in presets.available() if f'presets.load("{preset.name}")' not in source] == []


def own(name: str, text: str = 'name = "mine"') -> Path:
    path = presets.own_folder() / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names() -> list[tuple[str, bool]]:
    return [(preset.name, preset.built_in) for preset in presets.available()]


def test_a_persons_own_presets_come_after_the_built_in_ones_and_may_shadow_them() -> None:
    before = names()
    assert (presets.DEFAULT, True) in before
    assert all(built_in for _, built_in in before)
    own("mine")
    own(presets.DEFAULT)
    assert names() == [pair for pair in before if pair[0] != presets.DEFAULT] + [
        (presets.DEFAULT, False),
        ("mine", False),
    ]
    assert presets.load(presets.DEFAULT).name == "mine"


def test_a_preset_is_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "some.toml"
    path.parent.mkdir()
    path.write_text('name = "some"')
    monkeypatch.chdir(path.parent)
    for word in (str(path), "some.toml", "./some.toml", f"..{os.sep}folder{os.sep}some.toml"):
        assert presets.load(word).name == "some"
        assert presets.find(word).base is not None
        assert (presets.find(word).base or Path()).resolve() == path.parent.resolve()
    assert presets.find("iris-first").base is None


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("digit-mlp", "digit-mlp is no preset and no file. Did you mean digits-mlp?"),
        ("zzzzz", "zzzzz is no preset and no file. There are: bad-initializer, "),
        ("missing.toml", "missing.toml: cannot be read: No such file or directory"),
        ("no/such/file", "no/such/file: cannot be read: No such file or directory"),
        ("\x1b[2J", "\\x1b[2J is no preset and no file."),
        ("x" * 5000, " is no preset and no file."),
    ],
)
def test_a_word_that_means_no_preset_is_refused_in_one_line(word: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        presets.load(word)
    (problem,) = caught.value.problems
    assert words in str(problem)
    assert str(problem).isprintable()


def test_a_saved_preset_is_the_same_when_it_is_loaded_and_belongs_to_its_owner() -> None:
    config = Config().changed({"name": "🚀 fast", "optimizer.learning_rate": 0.3})
    path = presets.save(config, "fast")
    assert presets.load("fast") == config
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    presets.save(Config(), "fast")
    assert presets.load("fast") == Config().changed({"name": "fast"})


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../a", "-rf", "a b", "ä", "x" * 65, "a\n", "\x1b"])
def test_a_preset_is_not_saved_under_a_name_that_no_file_should_have(name: str) -> None:
    with pytest.raises(ConfigError, match="a preset is named by up to 64 letters"):
        presets.save(Config(), name)
    assert not presets.own_folder().exists()


def test_a_preset_that_cannot_be_saved_is_told_in_words(tmp_path: Path) -> None:
    presets.own_folder().parent.mkdir(parents=True)
    presets.own_folder().write_text("in the way")
    with pytest.raises(ConfigError, match="cannot be written: File exists"):
        presets.save(Config(), "fast")
