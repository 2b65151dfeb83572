"""Whatever stands in a file or on the command line: a config, or problems of one clean line each."""

import contextlib
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

import presets
from trainer import config as configs
from trainer import toml
from trainer.config import Config
from trainer.problems import ConfigError
from trainer.text import clean

TABLES = [preset.load().table() for preset in presets.available() if preset.built_in]
KEYS = sorted({key for table in TABLES for key, _ in configs.flatten(table)})

scalar = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates() | st.times()
    | st.sampled_from([0, 1, -1, 2**63, 10**400, 1e308, 5e-324, -0.0, "sgd", "adam", "cosine", "iris", "path",
    "\ud800", "\x1b"])
)  # fmt: skip
value = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
key = st.sampled_from(KEYS) | st.sampled_from(KEYS).map(lambda key: key.replace("e", "", 1)) | st.text(max_size=30)
toml_like = st.lists(
    st.sampled_from([*KEYS, "[", "]", "[[", "]]", "{", "}", "=", " = ", ".", ",", '"', "'", '"""', "\n", "\r\n", "#",
    "\\u", "1", "1e9",
                     "0x", "true", "nan", "inf", "2020-01-01", "_", "\t", "\x00", "\ufeff", "[training]\n",
                     "[optimizer]\n"])
    | st.text(max_size=5),
    max_size=30,
).map("".join)  # fmt: skip


def judged(make: Any) -> Config | None:
    """The config, or None once the problems have been looked at; any other exception is a failure."""
    try:
        return make()  # type: ignore[no-any-return]
    except ConfigError as error:
        problems = error.problems
    assert problems
    for problem in problems:
        assert problem.message
        assert clean(str(problem)) == str(problem)
        assert len(problem.message) < 1000
    return None


def read(text: str) -> Config | None:
    return judged(lambda: Config.parse(toml.parse(text, "p.toml"), "p.toml", text))


@given(text=st.text() | toml_like)
def test_any_text_is_a_config_or_problems(text: str) -> None:
    config = read(text)
    assert config is None or read(configs.dump(config)) == config


@given(data=st.binary(max_size=300) | toml_like.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_file_is_a_config_or_problems(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_bytes(data)
    judged(lambda: configs.load(path))


@given(table=st.sampled_from(TABLES), changes=st.dictionaries(key, value, max_size=3))
def test_any_change_of_a_preset_is_a_config_or_problems(table: dict[str, Any], changes: dict[str, Any]) -> None:
    config = judged(lambda: Config.parse(table).changed(changes))
    assert config is None or Config.parse(config.table()) == config


@given(table=st.sampled_from(TABLES), changes=st.dictionaries(key, value, min_size=1, max_size=2))
def test_any_change_of_a_written_preset_is_a_config_or_problems(table: dict[str, Any], changes: dict[str, Any]) -> None:
    changed: dict[str, Any] = {name: dict(part) if isinstance(part, dict) else part for name, part in table.items()}
    for path, new in changes.items():
        section, _, name = path.rpartition(".")
        if isinstance(changed.get(section), dict):
            changed[section][name] = new
        else:
            changed[path] = new
    with contextlib.suppress(TypeError, ValueError, UnicodeEncodeError):  # what TOML cannot hold
        text = tomli_w.dumps(changed)
        text.encode()
        config = read(text)
        assert config is None or read(configs.dump(config)) == config


@given(table=st.sampled_from(TABLES), data=st.data())
def test_a_preset_with_a_piece_cut_out_or_doubled_is_a_config_or_problems(
    table: dict[str, Any], data: st.DataObject
) -> None:
    text = toml.dump(table)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    piece = data.draw(st.sampled_from(["", text[start:end] * 2]))
    read(text[:start] + piece + text[end:])


@given(words=st.lists(st.text(max_size=30) | st.tuples(key, st.text(max_size=20)).map("=".join), max_size=4))
def test_any_settings_are_a_config_or_problems(words: list[str]) -> None:
    judged(lambda: Config().changed(configs.parse_settings(words)))


@given(value=value)
def test_anything_at_all_is_a_config_or_problems(value: Any) -> None:
    judged(lambda: Config.parse(value))
