import math
from typing import Any, get_args

import numpy as np
import pytest
from kinds import every_kind, of_kind

import presets
from trainer import config as configs
from trainer import numbers
from trainer.callbacks import Callbacks
from trainer.config import Config
from trainer.fields import Section
from trainer.schema import HEADING, Hyperparameter, groups, hyperparameters, live_numbers, value_at
from trainer.validation import discriminator, members

OPTIMIZERS = tuple(members(Config.model_fields["optimizer"]))
WITHOUT_SOURCE = ("constant", "auto", "path", "images", "text")
"""Kinds that nobody had to invent."""

ALL = [of_kind(key, kind) for key, kind in every_kind()]


def kind_of(config: Config) -> str:
    return "-".join(str(value) for key, value in configs.values(config).items() if key.endswith((".kind", ".source")))


every_config = pytest.mark.parametrize("config", ALL, ids=kind_of)


def fields() -> list[Hyperparameter]:
    return [
        *{(kind_of(config), field.path): field for config in ALL for field in hyperparameters(config).values()}.values()
    ]


def test_every_kind_of_every_section_is_looked_at() -> None:
    kinds = sum(len(members(field)) for field in Config.model_fields.values())
    assert len(ALL) == kinds >= 21


@every_config
def test_the_groups_have_every_field_of_the_config_once(config: Config) -> None:
    paths = [field.path for group in groups(config) for field in group.fields]
    assert len(paths) == len(set(paths))
    assert sorted(paths) == sorted(key for key in configs.values(config) if key not in HEADING)


@every_config
def test_a_group_holds_the_fields_of_its_table_and_begins_with_the_one_that_chooses(config: Config) -> None:
    for group in groups(config):
        assert group.help.endswith(".")
        plain = f"{group.name}.arguments"  # a table of plain values belongs to the group around it
        assert all(field.section in (group.name, plain) for field in group.fields)
        assert [field.selects for field in group.fields] == sorted(
            (field.selects for field in group.fields), reverse=True
        )


@every_config
def test_every_hyperparameter_says_what_it_is_in_one_line(config: Config) -> None:
    for path, field in hyperparameters(config).items():
        assert field.path == path
        assert field.help.endswith("."), path
        assert "\n" not in field.help
        assert len(field.help) <= 120, path
        assert field.name == path.split(".")[-1]


@every_config
def test_the_help_of_a_kind_is_about_the_one_chosen(config: Config) -> None:
    """What it is and when to take it, and where it is from; none of it said of another kind."""
    for name, declared in Config.model_fields.items():
        kinds = members(declared)
        if not kinds:
            continue
        path = f"{name}.{discriminator(declared)}"
        field, chosen = hyperparameters(config)[path], value_at(config, path)
        assert field.help == " ".join((kinds[chosen].__doc__ or "").split("\n\n")[0].split())
        assert field.help.endswith("."), chosen
        assert (field.source == "") == (chosen in WITHOUT_SOURCE), chosen
        assert field.default == value_at(Config(), path)
        assert field.choices == tuple(kinds)


def test_no_two_kinds_have_the_same_help() -> None:
    helps = [field.help for field in fields() if field.selects]
    kinds = {(key, kind) for key, kind in every_kind()}
    assert len(set(helps)) == len(kinds)


@every_config
def test_the_number_of_a_method_has_its_source(config: Config) -> None:
    for path, field in hyperparameters(config).items():
        if field.type in ("number", "numbers", "integer") and path != "training.epochs":
            is_of_a_method = path.split(".")[0] in ("optimizer", "schedule", "loss", "regularization", "callbacks")
            assert field.source or not (is_of_a_method or field.role == "live"), path


@every_config
def test_the_live_hyperparameters_are_the_numbers_of_the_program(config: Config) -> None:
    config = config.changed({"augmentation.enabled": True})
    live = [path for path, field in hyperparameters(config).items() if field.role == "live"]
    assert list(numbers.names(config)) == live == list(live_numbers(config))
    assert all(isinstance(value_at(config, path), int | float) for path in live)
    assert numbers.pack(config).dtype == np.float32


def test_a_section_that_is_off_has_no_numbers_of_the_program() -> None:
    assert not any(path.startswith("augmentation.") for path in live_numbers(Config()))
    assert "augmentation.noise" in live_numbers(Config().changed({"augmentation.enabled": True}))


@every_config
def test_unpacking_the_numbers_gives_the_config_back(config: Config) -> None:
    vector = np.arange(1, len(numbers.names(config)) + 1, dtype=np.float32)
    unpacked = numbers.unpack(config, vector)
    for index, path in enumerate(numbers.names(config)):
        assert value_at(unpacked, path) == index + 1
    others = hyperparameters(config).keys() - set(numbers.names(config))
    assert all(value_at(unpacked, path) == value_at(config, path) for path in others)


@every_config
def test_a_field_knows_its_type_and_the_default_is_of_it(config: Config) -> None:
    types: dict[str, Any] = {
        "integer": int,
        "number": float,
        "switch": bool,
        "choice": str,
        "text": str,
        "integers": tuple,
        "numbers": tuple,
        "names": tuple,
    }
    for field in hyperparameters(config).values():
        value = value_at(config, field.path)
        instead = value in field.choices if field.type == "numbers" else False
        absent = value is None and field.optional
        assert absent or instead or type(value) is types[field.type], field.path
        assert field.type != "choice" or value in field.choices
        assert field.type in ("choice", "numbers") or not field.choices


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("optimizer.learning_rate", {"type": "number", "lowest": 0, "highest": 1e6, "exclusive": frozenset({"low"}),
         "role": "live"}),
        ("model.dropout", {"lowest": 0, "highest": 1, "exclusive": frozenset({"high"}), "role": "live",
         "default": 0.0}),
        ("model.hidden", {"type": "integers", "role": "structural", "default": (128, 128), "choices": ()}),
        ("model.activation", {"type": "choice", "role": "structural", "selects": False}),
        ("training.epochs", {"type": "integer", "unit": "epochs", "lowest": 1, "highest": 1_000_000, "role": "live"}),
        ("training.seed", {"role": "fixed", "lowest": 0, "highest": 1 << 32, "exclusive": frozenset({"high"})}),
        ("training.drop_remainder", {"type": "switch", "advanced": True}),
        ("optimizer.kind", {"type": "choice", "choices": OPTIMIZERS, "selects": True}),
        ("callbacks.early_stopping.baseline", {"type": "number", "optional": True, "default": None, "role": "fixed"}),
        ("optimizer.eps", {"source": "Kingma and Ba 2015", "advanced": True}),
    ],
)  # fmt: skip
def test_a_field_is_described_as_it_is_declared(key: str, expected: dict[str, Any]) -> None:
    field = hyperparameters(Config())[key]
    assert {name: getattr(field, name) for name in expected} == expected


def test_a_list_of_numbers_is_one_field() -> None:
    field = hyperparameters(Config().changed({"schedule.kind": "piecewise"}))["schedule.boundaries"]
    assert (field.type, field.role, field.unit, field.default) == ("numbers", "structural", "epochs", (10.0, 20.0))


@pytest.mark.parametrize("end", ["lowest", "highest"])
def test_the_bounds_of_a_field_are_where_the_config_refuses(end: str) -> None:
    checked = 0
    for config in ALL:
        for field in hyperparameters(config).values():
            bound = getattr(field, end)
            if bound is None or field.path in ("data.validation_split", "data.test_split", "data.fold"):
                continue
            outwards = -1 if end == "lowest" else 1
            if field.type == "integer":
                at, beyond = int(bound), int(bound) + outwards
            else:
                at, beyond = float(bound), math.nextafter(float(bound), outwards * math.inf)
            excluded = ("low" if end == "lowest" else "high") in field.exclusive
            assert accepts(config, field.path, at) is not excluded, field.path
            assert not accepts(config, field.path, beyond), field.path
            checked += 1
    assert checked > 20


def accepts(config: Config, path: str, value: Any) -> bool:
    try:
        return value_at(config.changed({path: value}), path) == value
    except configs.ConfigError:
        return False


def test_the_structure_is_what_is_compiled_in() -> None:
    base = Config()
    same = [{"optimizer.learning_rate": 0.5}, {"training.epochs": 3}, {"training.seed": 7}, {"name": "other"},
            {"model.dropout": 0.5}, {"data.standardize": "none"},
             {"callbacks.early_stopping.enabled": True}]  # fmt: skip
    other = [{"model.hidden": [3]}, {"model.activation": "tanh"}, {"training.batch_size": 8}, {"optimizer.kind": "sgd"},
             {"schedule.kind": "cosine"}, {"loss.kind": "mse"}, {"training.drop_remainder": True}]  # fmt: skip
    assert {numbers.structure(base.changed(settings)) for settings in same} == {numbers.structure(base)}
    assert len({numbers.structure(base.changed(settings)) for settings in [{}, *other]}) == len(other) + 1


def test_every_section_declares_its_fields_by_the_three_functions() -> None:
    """Without a role a form could not say what a change of the field costs."""

    def sections(section: type[Section]) -> set[type[Section]]:
        found = {section}
        for field in section.model_fields.values():
            kinds = members(field).values() or get_args(field.annotation) or (field.annotation,)
            for kind in kinds:
                if isinstance(kind, type) and issubclass(kind, Section):
                    found |= sections(kind)
        return found

    assert Callbacks in sections(Config)
    for section in sections(Config) - {Config}:
        for name, field in section.model_fields.items():
            inner = isinstance(field.annotation, type) and issubclass(field.annotation, Section)
            notes: Any = field.json_schema_extra or {}
            assert inner or name in ("kind", "source") or notes.get("role") in ("structural", "live", "fixed"), (
                section,
                name,
            )


@pytest.mark.parametrize("preset", [p for p in presets.available() if p.built_in], ids=lambda preset: preset.name)
def test_a_preset_names_no_value_that_the_groups_lack(preset: presets.Preset) -> None:
    config = preset.load()
    named = dict(configs.flatten(configs.toml.read(preset.path)[0]))
    assert {key for key in named if key not in HEADING} <= hyperparameters(config).keys()
