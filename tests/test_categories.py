"""Columns of words: as 0 and 1 for each, or as numbers of a table in which the model looks them up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refusal

from trainer import checkpoints, devices, picture_file
from trainer.config import Config
from trainer.data import Files
from trainer.data.loading import describe, load
from trainer.data.splits import Splits
from trainer.forward import inputs_of
from trainer.models import MLP, Inputs, Transformer
from trainer.models.embedding import Categories, CategoryBlock, looked_up
from trainer.preparation import misfits
from trainer.shape import shape_planned
from trainer.subject import subject_of
from trainer.summary import summarize

devices.prepare_jax()

KEY = jax.random.key(5)
INPUTS = Inputs(5, categories=(0, 4, 0, 3, 7))


def examples(inputs: Inputs = INPUTS, count: int = 40) -> np.ndarray[Any, np.dtype[np.float32]]:
    rng = np.random.default_rng(1)
    columns = [rng.integers(n, size=count) if n else rng.standard_normal(count) for n in inputs.categories]
    return np.stack(columns, axis=1).astype(np.float32)


def one_hot(inputs: Inputs, x: Any) -> Any:
    """The numbers, then 0 and 1 for each category: what a dense layer without tables would be given."""
    parts = [x[:, inputs.numbers], *(np.eye(inputs.categories[i])[x[:, i].astype(int)] for i in inputs.embedded)]
    return np.concatenate(parts, axis=1)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


def test_output_and_gradient_are_those_of_one_hot_times_the_same_tables() -> None:
    (block,) = CategoryBlock.of(INPUTS, 3)
    x = examples()
    tables = [jnp.asarray(np.random.default_rng(i).standard_normal((INPUTS.categories[i], 3))) for i in INPUTS.embedded]
    direction = np.random.default_rng(7).standard_normal((len(x), block.n_outputs)).astype(np.float32)
    dense = jax.scipy.linalg.block_diag(jnp.eye(2), *tables)
    close(block.apply(Categories(tuple(tables)), jnp.asarray(x), None)[0], one_hot(INPUTS, x) @ dense)

    def ours(tables: Any) -> Any:
        return (block.apply(Categories(tables), jnp.asarray(x), None)[0] * direction).sum()

    def theirs(tables: Any) -> Any:
        return (one_hot(INPUTS, x) @ jax.scipy.linalg.block_diag(jnp.eye(2), *tables) * direction).sum()

    for found, expected in zip(jax.grad(ours)(tuple(tables)), jax.grad(theirs)(tuple(tables)), strict=True):
        close(found, expected)


@pytest.mark.xdist_group("keras")
def test_a_look_up_is_that_of_keras(keras: Any) -> None:
    inputs = Inputs(1, categories=(300,))
    table, x = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32), examples(inputs, 500)
    layer = keras.layers.Embedding(300, 4)
    layer.build((None,))
    layer.set_weights([table])
    (found,) = looked_up(inputs, (jnp.asarray(table),), jnp.asarray(x))
    assert (np.asarray(found) == np.asarray(layer(x[:, 0].astype(int)))).all()


def test_the_table_of_a_transformer_gives_each_category_a_part_of_its_own() -> None:
    first = Transformer(heads=1, key_dim=6, depth=1).network(INPUTS, 2).blocks[0]
    its, x = first.init(KEY), examples()
    found = np.asarray(first.apply(its, jnp.asarray(x), None)[0]) - its.position
    close(found[:, :2], x[:, INPUTS.numbers, None] * its.weight[:, 0])
    for place, (column, table) in enumerate(zip(INPUTS.embedded, its.tables, strict=True), start=2):
        close(found[:, place], np.asarray(table)[x[:, column].astype(int)])


@pytest.mark.parametrize("categories", [(0, 4, 0), (4, 3)])
@pytest.mark.parametrize("model", [MLP(hidden=(6,)), MLP(hidden=()), Transformer(heads=2, key_dim=3, depth=1)])
def test_the_layers_are_as_their_summary_tells_them(model: Any, categories: tuple[int, ...]) -> None:
    inputs = Inputs(len(categories), categories=categories)
    network = model.network(inputs, 3)
    parameters = network.init(KEY)
    given, _ = network.activations(parameters, jnp.asarray(examples(inputs)), None)
    assert [layer.shape for layer in network.layers] == [each.shape[1:] for each in given]
    learned = [sum(leaf.size for leaf in jax.tree.leaves(layer)) for layer in parameters]
    assert [layer.n_parameters for layer in network.layers] == learned
    assert network.layer_names[0] == "embedding"


@pytest.mark.parametrize(("count", "width"), [(3, 2), (10, 5), (99, 50), (5000, 50)])
def test_the_width_follows_the_rule_or_the_field(count: int, width: int) -> None:
    inputs = Inputs(2, categories=(0, count))
    assert MLP().network(inputs, 2).layers[0].shape == (1 + width,)
    assert MLP(embedding_dim=7).network(inputs, 2).layers[0].shape == (8,)


def test_what_is_unseen_begins_at_nothing_and_the_others_as_long_as_a_number() -> None:
    (block,) = CategoryBlock.of(Inputs(1, categories=(400,)), 25)
    (table,) = block.init(KEY).tables
    assert (table[0] == 0).all()
    assert np.abs(table[1:]).max() <= 1 / 5
    assert np.linalg.norm(table[1:], axis=1).mean() == pytest.approx(3**-0.5, rel=0.02)


def test_bfloat16_leaves_the_numbers_of_categories_alone(table_of: Callable[..., Splits]) -> None:
    """257 is no bfloat16: rounded, it would be looked up as 256."""
    splits = table_of("word,n,y", [f"w{i:03},{i % 7}.5,{i % 2}" for i in range(600)] * 2)
    summary = splits.summary
    assert summary.categories == (601, 0)
    config = Config(data=Files(path="x"), model=MLP(hidden=())).changed({"training.precision": "bfloat16"})
    shape = shape_planned(config, summary)
    parameters, x = inputs_of(shape, config, shape.network(config).init(KEY), jnp.asarray(splits.train.x))
    assert parameters[0].tables[0].dtype == jnp.bfloat16
    (given, _), _ = shape.network(config).activations(parameters, x, None)
    assert given.dtype == jnp.bfloat16
    table = np.asarray(parameters[0].tables[0].astype(jnp.float32))
    expected = table[splits.train.x[:, 0].astype(int)]
    assert (np.asarray(given.astype(jnp.float32))[:, 1:] == expected).all()


# --- from the file to the numbers


@pytest.fixture
def table_of(tmp_path: Path) -> Callable[..., Splits]:
    """Write lines to a CSV file and load it with its words as numbers of categories."""

    def loaded(header: str, lines: list[str], **settings: Any) -> Splits:
        (tmp_path / "data.csv").write_text("\n".join([header, *lines]) + "\n")
        return load(Files(path="data.csv", **{"categories": "embedding", **settings}), tmp_path)

    return loaded


COLOURS = ["red,1.5,a", "green,2.5,b", "blue,3.5,a"] * 10


def test_a_column_of_words_stays_one_column_of_numbers(table_of: Callable[..., Splits]) -> None:
    splits = table_of("colour,n,y", COLOURS)
    assert (splits.feature_names, splits.categories) == (("colour", "n"), (("unseen", "blue", "green", "red"), ()))
    assert set(np.concatenate([splits.train.x, splits.validation.x])[:, 0]) == {1, 2, 3}
    assert splits.summary.inputs == Inputs(2, categories=(4, 0))


@pytest.mark.parametrize("standardize", ["none", "standard", "minmax", "minmax_all"])
def test_scaling_leaves_them_alone_and_treats_the_numbers_as_if_alone(
    table_of: Callable[..., Splits], standardize: str
) -> None:
    splits = table_of(
        "colour,n,m,y", [f"w{n % 9},{n}.25,{n % 5},{'ab'[n % 2]}" for n in range(60)], standardize=standardize
    )
    alone = table_of("n,m,y", [f"{n}.25,{n % 5},{'ab'[n % 2]}" for n in range(60)], standardize=standardize)
    assert (splits.x_offset[0], splits.x_scale[0]) == (0, 1)
    assert (splits.train.x[:, 1:] == alone.train.x).all()
    assert set(splits.train.x[:, 0]) == set(range(1, 10))


def test_columns_of_words_alone_are_enough(table_of: Callable[..., Splits]) -> None:
    for standardize in ("standard", "minmax_all"):
        assert table_of("a,b,y", ["u,v,1", "w,x,0"] * 10, standardize=standardize).summary.categories == (3, 3)


def test_a_word_that_no_training_example_has_is_told_as_unseen(table_of: Callable[..., Splits], tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("colour,n,y\nred,1,a\nmauve,2,b\n,3,a\n")
    splits = table_of("colour,n,y", COLOURS, validation_path="more.csv", missing="impute")
    assert splits.categories[0] == ("unseen", "blue", "green", "missing", "red")
    assert splits.validation.x[:, 0].tolist() == [4, 0, 0]
    assert "words that no training example has are as one, 'unseen', in colour" in splits.warnings
    assert splits.train.x[:, 0].min() > 0


def test_a_word_that_only_validates_is_unseen_in_one_file_too(table_of: Callable[..., Splits]) -> None:
    lines = [f"{'rare' if n == 7 else 'often'},{n},{n % 2}" for n in range(40)]
    found = [table_of("word,n,y", lines, seed=seed) for seed in range(60)]
    rare = [splits for splits in found if (splits.validation.x[:, 0] == 0).any()]
    assert rare, "in one of sixty splits the word validates"
    assert all(any("unseen" in warning for warning in splits.warnings) for splits in rare)
    assert all((splits.train.x[:, 0] == 1).all() for splits in rare)


def test_a_missing_word_has_a_place_of_its_own(table_of: Callable[..., Splits]) -> None:
    splits = table_of("colour,n,y", [*COLOURS, *[",9,b"] * 10], missing="impute")
    assert splits.categories[0] == ("unseen", "blue", "green", "missing", "red")
    assert 3 in splits.train.x[:, 0]


def test_many_words_are_for_an_embedding_and_too_many_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("id,y\n" + "".join(f"w{n},{n % 2}\n" for n in range(10_001)))
    line = refusal(Files(path="data.csv"), tmp_path)
    assert "or of at most 20 different words, got 'id' (10001 words). Name those to leave out in data.ignore" in line
    assert 'set data.categories = "embedding"' in line
    assert "at most 10000 different words" in refusal(Files(path="data.csv", categories="embedding"), tmp_path)


def test_long_text_is_no_category(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("review,y\n" + "".join(f"{'so ' * 70}{n},{n % 2}\n" for n in range(30)))
    line = refusal(Files(path="data.csv", categories="embedding"), tmp_path)
    assert "got 'review' (text of up to 212 characters). Name those to leave out in data.ignore." in line


def test_all_columns_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    lines = "".join(f"person {chr(65 + n)},1970-01-{n + 1:02},{n},{n % 2}\n" for n in range(25))
    (tmp_path / "data.csv").write_text("name,day,n,y\n" + lines)
    line = refusal(Files(path="data.csv"), tmp_path)
    assert "got 'name' (25 words), 'day' (dates, which are not read, such as '1970-01-01'). Name those" in line
    assert load(Files(path="data.csv", ignore=("name", "day")), tmp_path).feature_names == ("n",)


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("31.12.2024", "dates, which are not read"),
        ("2020-06-23 10:30", "dates, which are not read"),
        ("5%", "neither all numbers nor all words"),
    ],
)
def test_what_is_neither_number_nor_word_is_told_as_such(tmp_path: Path, cell: str, why: str) -> None:
    (tmp_path / "data.csv").write_text("day,n,y\n" + f"{cell},1,0\n" * 20)
    line = refusal(Files(path="data.csv", categories="embedding"), tmp_path)
    assert f"got 'day' ({why}, such as '{cell}'). Name those to leave out in data.ignore." in line


@pytest.mark.parametrize("words", ["10-19 20-29 60+", "E1 E2 E3", "<5 5-10 >10", "12:00 13:30"])
def test_few_codes_and_bands_of_digits_and_signs_are_words(table_of: Callable[..., Splits], words: str) -> None:
    lines = [f"{word},{n},{'uv'[n % 2]}" for n in range(12) for word in words.split()]
    names = tuple(sorted(words.split()))
    splits = table_of("band,n,y", lines, categories="one_hot")
    assert splits.feature_names == (*(f"band={name}" for name in names), "n")
    assert table_of("band,n,y", lines).categories[0] == ("unseen", *names)
    as_target = table_of("band,n,y", lines, categories="one_hot", target="band")
    assert (as_target.task, as_target.target_names) == ("classification", names)


def test_more_codes_are_words_to_embed(table_of: Callable[..., Splits], tmp_path: Path) -> None:
    lines = [f"{n % 25}-{n % 25 + 1},{n},{n % 2}" for n in range(100)]
    assert len(table_of("code,n,y", lines).categories[0]) == 26
    (tmp_path / "codes.csv").write_text("code,n,y\n" + "\n".join(lines) + "\n")
    line = refusal(Files(path="codes.csv"), tmp_path)
    assert "got 'code' (25 words)" in line
    assert 'set data.categories = "embedding" for words' in line


def test_days_that_all_differ_are_no_words(tmp_path: Path) -> None:
    (tmp_path / "days.csv").write_text("day,n,y\n" + "".join(f"2020-06-{n},{n},{n % 2}\n" for n in range(10, 28)))
    for categories in ("one_hot", "embedding"):
        assert "got 'day' (dates, which are not read, such as '2020-06-10')" in refusal(
            Files(path="days.csv", categories=categories), tmp_path
        )


def test_data_without_words_are_the_same_either_way(table_of: Callable[..., Splits]) -> None:
    lines = [f"{n},{n}.5,{n % 2}" for n in range(30)]
    plain, embedded = (table_of("a,b,y", lines, categories=it) for it in ("one_hot", "embedding"))
    assert plain.fingerprint == embedded.fingerprint
    assert embedded.summary.inputs == Inputs(2)


# --- with a model


def config_of(tmp_path: Path, **settings: Any) -> Config:
    rng = np.random.default_rng(0)
    words = [f"w{rng.integers(40)}" for _ in range(400)]
    lines = [f"{word},{'uv'[i % 2]},{rng.normal():.3f},{'ab'[int(word[1:]) % 2]}" for i, word in enumerate(words)]
    (tmp_path / "data.csv").write_text("word,side,n,y\n" + "\n".join(lines) + "\n")
    path = str(tmp_path / "data.csv")
    table = {"data.source": "path", "data.path": path, "data.categories": "embedding", "training.batch_size": 16}
    return Config().changed({**table, "training.epochs": 12, "optimizer.learning_rate": 0.01, **settings})


TRANSFORMER = {"model.kind": "transformer", "model.heads": 1, "model.key_dim": 4, "model.depth": 1}


@pytest.mark.parametrize("settings", [{"model.hidden": [8], "training.precision": "bfloat16"}, TRANSFORMER])
def test_it_learns_what_only_the_words_say(trained: Any, tmp_path: Path, settings: dict[str, Any]) -> None:
    run = trained(config_of(tmp_path, **settings))
    assert run.status.state == "finished"
    assert run.epochs["val_accuracy"].y[-1] > 0.9
    names = {feature.name for example in picture_file.read(run.directory).worst for feature in example.features}
    assert any(name.startswith("word=w") for name in names)
    newest = checkpoints.newest_good(run.directory / "checkpoints")
    assert newest is not None
    arrays, manifest = checkpoints.load(newest)
    assert any(name.endswith("parameters.0.tables.0") for name in arrays)
    assert [len(words) for words in manifest.extra["data"]["categories"]] == [41, 3, 0]


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_models_without_tables_refuse_in_one_line(tmp_path: Path, kind: str) -> None:
    config = config_of(tmp_path, **{"model.kind": kind})
    (problem,) = misfits(config, describe(config.data))
    assert str(problem).startswith('data.categories must be "one_hot" for this model')


def test_the_summary_shows_the_block(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    first = summarize(config, describe(config.data)).layers[0]
    assert (first.name, first.words, first.shape) == ("embedding", "embedding of 2 columns", (1 + 21 + 2,))


def test_what_is_unusual_of_an_example_is_its_rare_word(tmp_path: Path) -> None:
    lines = [f"{'rare' if n % 20 == 0 else 'often'},{n % 3},{n % 2}" for n in range(200)]
    (tmp_path / "data.csv").write_text("word,n,y\n" + "\n".join(lines) + "\n")
    splits = load(Files(path="data.csv", categories="embedding"), tmp_path)
    rarity = subject_of(splits).rarity[0]
    column = splits.train.x[:, 0] == splits.categories[0].index("rare")
    assert rarity[splits.categories[0].index("rare")] == pytest.approx((1 - column.mean()) / column.std())


def test_two_features_of_which_one_is_a_word_are_no_plane(table_of: Callable[..., Splits]) -> None:
    assert subject_of(table_of("colour,n,y", COLOURS)).plane is None
    assert subject_of(table_of("m,n,y", [f"{n},{n % 3},{'ab'[n % 2]}" for n in range(30)])).plane is not None
