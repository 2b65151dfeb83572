import json
from pathlib import Path
from typing import Any

import pytest
from kinds import every_kind, of_kind

import presets
from trainer import config as configs
from trainer.config import SCHEMA, Config, Regularization
from trainer.optimizers import Sgd
from trainer.problems import ConfigError, Problem
from trainer.validation import members

OPTIMIZERS = ", ".join(members(Config.model_fields["optimizer"]))
MODELS = ", ".join(members(Config.model_fields["model"]))
BUILT_IN = [preset for preset in presets.available() if preset.built_in]


def problems(table_or_text: Any) -> tuple[Problem, ...]:
    """What is wrong with it; nothing is a failure."""
    text = table_or_text if isinstance(table_or_text, str) else ""
    table = configs.toml.parse(text) if text else table_or_text
    with pytest.raises(ConfigError) as caught:
        Config.parse(table, "p.toml", text)
    return caught.value.problems


@pytest.mark.parametrize("preset", BUILT_IN, ids=lambda preset: preset.name)
def test_a_preset_is_the_same_after_it_was_written_and_read(preset: presets.Preset, tmp_path: Path) -> None:
    config = preset.load()
    (tmp_path / "again.toml").write_text(configs.dump(config))
    assert configs.load(tmp_path / "again.toml").permitted_like(config) == config
    assert configs.dump(configs.load(tmp_path / "again.toml")) == configs.dump(config)


@pytest.mark.parametrize("preset", BUILT_IN, ids=lambda preset: preset.name)
def test_a_preset_says_what_it_is(preset: presets.Preset) -> None:
    config = preset.load()
    assert config.name == preset.name
    assert config.description.endswith(".")
    assert configs.toml.parse(preset.path.read_text())["schema"] == SCHEMA


@pytest.mark.parametrize(("key", "kind"), list(every_kind()))
def test_every_kind_is_the_same_after_it_was_written_and_read(key: str, kind: str) -> None:
    config = of_kind(key, kind)
    assert configs.values(config)[key] == kind
    assert Config.parse(configs.toml.parse(configs.dump(config))) == config


def test_the_default_config_is_the_one_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    assert configs.load(tmp_path / "empty.toml") == Config()


def test_a_section_that_names_no_kind_is_of_the_default_one() -> None:
    config = Config.parse({"optimizer": {"b1": 0.5}, "data": {"validation_split": 0.1}, "model": {"hidden": [3]}})
    assert (config.optimizer.kind, config.data.source, config.model.kind) == ("adam", "digits", "mlp")
    assert config.optimizer.b1 == 0.5


MANY = """\
schema = 1
name = ""
stray = 1
[data]
source = "digits"
validation_splt = 0.2
[model]
hidden = [8, 0]
activation = "rellu"
dropout = 1.5
[optimizer]
kind = "adamm"
[schedule]
kind = "cosine"
warmup_epochs = true
[training]
epochs = 30.5
batch_size = "64"
seed = -1
[callbacks.early_stopping]
patience = 1.0
[callbacks.model_chekpoint]
enabled = false
[loss]
kind = "huber"
delta = 0
"""

TOLD = [
    (2, "name", "must have at least 1 characters, got ''."),
    (3, "stray", "is not known. Known here: schema, name, description, data, "),
    (6, "data.validation_splt", "is not known. Did you mean validation_split?"),
    (8, "model.hidden", "must be at least 1, got 0."),
    (9, "model.activation", "got 'rellu'. Did you mean relu?"),
    (10, "model.dropout", "must be less than 1.0, got 1.5."),
    (12, "optimizer.kind", f"must be one of {OPTIMIZERS}, got 'adamm'. Did you mean adam?"),
    (15, "schedule.warmup_epochs", "must be a number, got true."),
    (17, "training.epochs", "must be a whole number, got 30.5."),
    (18, "training.batch_size", "must be a whole number, got '64'."),
    (19, "training.seed", "must be at least 0, got -1."),
    (21, "callbacks.early_stopping.patience", "must be a whole number, got 1.0."),
    (22, "callbacks.model_chekpoint", "is not known. Did you mean model_checkpoint?"),
    (26, "loss.delta", "must be greater than 0.0, got 0. Try 1."),
]


def test_all_problems_of_a_file_are_told_at_once_with_line_key_rule_value_and_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(MANY)
    with pytest.raises(ConfigError) as caught:
        configs.load(path)
    found = sorted(caught.value.problems, key=lambda problem: problem.line)
    assert [(problem.line, problem.key) for problem in found] == [told[:2] for told in TOLD]
    for problem, (line, key, words) in zip(found, TOLD, strict=True):
        assert words in problem.message
        assert str(problem) == f"{path}:{line}: {key} {problem.message}"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[training]\nepochs = true", "training.epochs", "must be a whole number, got true."),
        ("[training]\nepochs = 1.0", "training.epochs", "must be a whole number, got 1.0."),
        ("[training]\nepochs = '1'", "training.epochs", "must be a whole number, got '1'."),
        ("[training]\ndrop_remainder = 1", "training.drop_remainder", "must be true or false, got 1."),
        ("[optimizer]\nlearning_rate = nan", "optimizer.learning_rate", "must be a finite number, got nan. Try 0.001."),
        ("[optimizer]\nlearning_rate = inf", "optimizer.learning_rate", "must be a finite number, got inf. Try 0.001."),
        ("[optimizer]\nlearning_rate = -0.1", "optimizer.learning_rate",
         "must be greater than 0.0, got -0.1. Try 0.001."),
        ("[optimizer]\nlearning_rate = 0", "optimizer.learning_rate", "must be greater than 0.0, got 0. Try 0.001."),
        ("[optimizer]\nlearning_rate = true", "optimizer.learning_rate", "must be a number, got true. Try 0.001."),
        ("[optimizer]\nkind = [1]", "optimizer.kind", f"must be one of {OPTIMIZERS}, got '[1]'."),
        ("[model]\nkind = 'cnm'", "model.kind", f"must be one of {MODELS}, got 'cnm'. Did you mean cnn?"),
        ("[model]\nhidden = '32'", "model.hidden", "must be a list, got '32'."),
        ("[model]\nhidden = [32.0]", "model.hidden", "must be a whole number, got 32.0."),
        ("[model]\nhidden = [true]", "model.hidden", "must be a whole number, got true."),
        ("[model]\nhidden = [65537]", "model.hidden", "must be at most 65536, got 65537."),
        (f"[model]\nhidden = {[1] * 257}", "model.hidden", "must have at most 256 entries"),
        ("optimizer = 1", "optimizer", "must be a table, got 1."),
        ("[[optimizer]]\nkind = 'sgd'", "optimizer", "must be a table, got"),
        ("[callbacks]\nearly_stopping = true", "callbacks.early_stopping", "must be a table, got true."),
        ("schema = 2", "schema", "must be at most 1, got 2. It was written by a newer nn-tui: update."),
        ("schema = 0", "schema", "must be 1, got 0."),
        ("name = 3", "name", "must be text, got 3."),
        (f"name = '{'x' * 201}'", "name", "must have at most 200 characters"),
        ('name = "a\\u001b[2J"', "name", "must not hold control characters."),
        ('name = "a\\u202eb"', "name", "must not hold control characters."),
        ('description = "a\\tb"', "description", "must not hold control characters."),
        ("[data]\nsource = 'path'", "data.path", "must be given."),
        ("[data]\nsource = 'moons'\nsize = 10", "data.size", "must be at least 40, got 10."),
        ("[data]\nvalidation_split = 0.5\ntest_split = 0.5", "data.test_split", "must leave at least 0.05 to train"),
        ("[callbacks.model_checkpoint]\nsave_freq = 3", "callbacks.model_checkpoint.save_freq", "must be 0 while"),
        ("[loss]\nkind = 'mse'\nlabel_smoothing = 0.1", "loss.label_smoothing",
         "is not known. Known here: class_weight, kind."),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_in_words(text: str, key: str, words: str) -> None:
    (problem,) = problems(text)
    assert problem.key == key
    assert words in problem.message
    assert problem.line > 0


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("[optimizer]\nlearning_rate = 1", "optimizer.learning_rate", 1.0),
        ("[training]\nbatch_size = 0x40", "training.batch_size", 64),
        ("[training]\nseed = 4294967295", "training.seed", 4_294_967_295),
        ("[model]\nhidden = []", "model.hidden", ()),
        ('description = """two\nlines"""', "description", "two\nlines"),
        ('name = "Äther 🚀 模型"', "name", "Äther 🚀 模型"),
        ("[callbacks.early_stopping]\nbaseline = 1", "callbacks.early_stopping.baseline", 1.0),
    ],
)
def test_a_value_that_fits_is_taken(text: str, key: str, value: Any) -> None:
    taken = configs.values(Config.parse(configs.toml.parse(text)))[key]
    assert taken == value
    assert type(taken) is type(value)


@pytest.mark.parametrize("table", [None, [], 3, [("name", "x")]])
def test_what_is_no_table_is_a_problem_of_the_config(table: Any) -> None:
    assert "must be a table" in problems(table)[0].message


def test_a_changed_config_is_a_new_one_and_the_old_one_stays() -> None:
    before = Config()
    after = before.changed(
        {"optimizer.learning_rate": 0.5, "model.hidden": [3], "callbacks.early_stopping.patience": 9}
    )
    assert (after.optimizer.learning_rate, after.model.hidden, after.callbacks.early_stopping.patience) == (
        0.5,
        (3,),
        9,
    )
    assert before == Config()
    with pytest.raises(Exception, match="frozen"):
        after.regularization.l1 = 1.0


def test_what_is_written_of_a_section_switches_it_on_unless_it_says_that_it_is_off() -> None:
    written = {"augmentation": {"shift": 2}, "callbacks": {"early_stopping": {"patience": 3}, "tensorboard": {}}}
    config = Config.parse(written)
    assert config.augmentation.enabled
    assert config.callbacks.early_stopping.enabled
    assert config.callbacks.tensorboard.enabled
    assert not config.callbacks.reduce_lr_on_plateau.enabled
    assert not Config.parse({"augmentation": {"shift": 2, "enabled": False}}).augmentation.enabled
    assert not Config().augmentation.enabled
    assert Config().changed({"augmentation.shift": 2}).augmentation.enabled
    off = {"augmentation.shift": 2, "augmentation.enabled": False}
    for values in (off, dict(reversed(off.items()))):
        assert not Config().changed(values).augmentation.enabled


@pytest.mark.parametrize("order", [1, -1])
def test_a_new_kind_keeps_what_both_have_and_comes_first_whatever_the_order(order: int) -> None:
    settings = [("optimizer.kind", "sgd"), ("optimizer.momentum", 0.9), ("optimizer.global_clipnorm", 2.0)]
    before = Config().changed({"optimizer.learning_rate": 0.25, "optimizer.b1": 0.5, "optimizer.global_clipnorm": 1.0})
    after = before.changed(dict(settings[::order]))
    assert after.optimizer.model_dump() == {
        **Sgd().model_dump(),
        "learning_rate": 0.25,
        "momentum": 0.9,
        "global_clipnorm": 2.0,
    }


def test_a_new_kind_brings_its_own_default_for_what_was_left_at_the_old_one() -> None:
    assert Config().changed({"data.source": "mnist"}).data.standardize == "minmax_all"
    assert Config().changed({"data.source": "mnist"}).changed({"data.source": "iris"}).data.standardize == "standard"
    asked = Config().changed({"data.standardize": "minmax"}).changed({"data.source": "mnist"})
    assert asked.data.standardize == "minmax"


def test_a_new_source_keeps_the_split() -> None:
    before = Config().changed({"data.validation_split": 0.3, "data.standardize": "minmax"})
    after = before.changed({"data.source": "moons", "data.noise": 0.4})
    assert (after.data.validation_split, after.data.standardize) == (0.3, "minmax")
    assert configs.values(after)["data.noise"] == 0.4


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"optimizer.learning_rat": 1.0}, "optimizer.learning_rat", "Did you mean learning_rate?"),
        ({"optimizr.kind": "sgd"}, "optimizr", "Did you mean optimizer?"),
        ({"optimizr.learning_rate": 1.0}, "optimizr", "Did you mean optimizer?"),
        ({"name.kind": "x"}, "name", "must be text, got a table."),
        ({"name.x": 1}, "name", "must be text, got a table."),
        ({"training.kind": "x"}, "training.kind", "is not known"),
        ({"data.kind": "iris"}, "data.kind", "is not known"),
        ({"optimizer.kind": "sgdd"}, "optimizer.kind", "got 'sgdd'. Did you mean sgd?"),
        ({"optimizer.kind": ["sgd"]}, "optimizer.kind", "must be one of"),
        ({"optimizer.kind": {"a": 1}}, "optimizer.kind", "must be one of"),
        ({"optimizer.kind": None}, "optimizer.kind", "must be one of"),
        ({"optimizer.kind.x": 2}, "optimizer.kind", "must be one of"),
        ({"optimizer": None}, "optimizer", "must be a table"),
        ({"optimizer.kind": "sgd", "optimizer.b1": 0.5}, "optimizer.b1", "is not known"),
        ({"": 1}, "", "is not known"),
        ({"training.epochs": 10**400}, "training.epochs", "must be at most 1000000"),
        ({"optimizer.learning_rate": 10**400}, "optimizer.learning_rate", "must be"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused_in_words(settings: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config().changed(settings)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert words in problem.message
    assert len(problem.message) < 400


def test_all_settings_that_do_not_fit_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Config().changed({"training.epochs": 0, "model.hiden": [1], "optimizer.kind": "x", "schedule.kind": "y"})
    keys = {problem.key for problem in caught.value.problems}
    assert keys == {"training.epochs", "model.hiden", "optimizer.kind", "schedule.kind"}


def test_a_value_may_be_emptied_where_it_is_optional() -> None:
    config = Config().changed({"callbacks.early_stopping.baseline": 0.5})
    assert config.changed({"callbacks.early_stopping.baseline": None}).callbacks.early_stopping.baseline is None


def test_settings_on_the_command_line_are_toml_and_bare_words_are_text() -> None:
    words = {
        "optimizer.learning_rate=1e-3": 0.001, "model.hidden=[8, 8]": [8, 8], "b= true ": True,
        "name=plain words": "plain words",
        "c=2020-01-01": "2020-01-01", "d=1=2": "1=2", 'e="q # r"': "q # r", "empty=": "", "f=1\n[g]": "1\n[g]",
        "h=1_000": 1000,
        "i='x": "'x", "j=99999999999999999999": "99999999999999999999",
    }  # fmt: skip
    parsed = configs.parse_settings(list(words))
    assert list(parsed.values()) == list(words.values())
    assert [type(value) for value in parsed.values()] == [type(value) for value in words.values()]
    assert list(parsed)[:3] == ["optimizer.learning_rate", "model.hidden", "b"]


def test_the_last_of_two_settings_of_a_key_counts() -> None:
    assert configs.parse_settings(["a=1", "a=2"]) == {"a": 2}


def test_every_word_that_sets_nothing_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        configs.parse_settings(["x", "=3", "a=1", " =4", "\x1b[2J"])
    told = [problem.message for problem in caught.value.problems]
    assert len(told) == 4
    assert all("key=value" in message and message.isprintable() for message in told)


def test_values_gives_each_hyperparameter_by_its_dotted_key() -> None:
    values = configs.values(Config())
    assert "schema" not in values
    assert values["optimizer.learning_rate"] == 0.001
    assert values["callbacks.early_stopping.baseline"] is None
    assert dict(configs.flatten({"a": {"b": {"c": 1}}, "d": [2]})) == {"a.b.c": 1, "d": [2]}


def test_the_json_schema_describes_every_field() -> None:
    schema = Config.model_json_schema(by_alias=True)
    assert "schema" in schema["properties"]
    undescribed = [
        f"{name}.{key}"
        for name, table in [("Config", schema), *schema["$defs"].items()]
        for key, field in table["properties"].items()
        if not field.get("description") and "const" not in field
    ]
    assert undescribed == []
    json.dumps(schema, allow_nan=False)


def test_the_json_schema_knows_the_bounds() -> None:
    dropout = Config.model_json_schema()["$defs"]["MLP"]["properties"]["dropout"]
    assert (dropout["minimum"], dropout["exclusiveMaximum"], dropout["default"]) == (0, 1, 0.0)


def test_a_config_is_made_of_keyword_arguments_too() -> None:
    config = Config(name="x", regularization=Regularization(l2=0.1))
    assert Config.parse(config.table()) == config
