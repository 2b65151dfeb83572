"""Language modeling: the network looks back only, learns a text by heart, and what it writes is shown."""

import math
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from screens import following, shown, until_shown

from trainer import devices, forward, keys, looking, loop, numbers, picture_file
from trainer.config import Config
from trainer.data.splits import Splits
from trainer.losses import Focal, KLDivergence, SoftmaxCrossEntropy
from trainer.models import GRU, LSTM, Inputs, Model, TransformerLM
from trainer.picture_file import LIMIT, MOST_PASSAGES, TEMPERATURE, WRITTEN, Passage, Pictures
from trainer.preparation import prepare
from trainer.run import Run
from trainer.sampling import make_sample
from trainer.shape import Shape, shape_of
from trainer.state import Blocks
from trainer.subject import prompt_length
from trainer.training import start, train

devices.prepare_jax()

TEXT = "Six sheiks quickly judged five zany vows; the big dwarf jumped over a lazy cat, and nobody wept. " * 2
TINY = {
    "data.source": "text", "data.context": 16, "data.validation_split": 0.3, "training.batch_size": 8,
    "model.kind": "transformer_lm", "model.heads": 2, "model.key_dim": 8, "model.depth": 1,
    "optimizer.learning_rate": 1e-2, "metrics.perplexity": True, "metrics.bits_per_character": True,
}  # fmt: skip
MODELS = [TransformerLM(heads=2, key_dim=4, depth=2), GRU(units=(6, 5)), LSTM(units=(6,))]


def tokens(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 7, shape, np.uint8)


@pytest.mark.parametrize("model", MODELS, ids=lambda it: it.kind)
def test_a_token_changes_no_output_before_it(model: Model) -> None:
    network = model.network(Inputs(12, vocabulary=7), 7)
    parameters, x = jax.jit(network.init)(jax.random.key(1)), tokens(1, 12)
    apply = jax.jit(lambda x: network.apply(parameters, x, None))
    before = np.asarray(apply(x))
    for place in range(12):
        other = x.copy()
        other[0, place] = (x[0, place] + 1) % 7
        changed = np.asarray(apply(other)) != before
        assert not changed[0, :place].any()
        assert changed[0, place:].any(axis=-1).all(), "and each one from it on"


def test_what_is_tied_is_one_array_and_learns_from_both_ends() -> None:
    with jax.enable_x64(True):
        network = TransformerLM(heads=1, key_dim=4, depth=1).network(Inputs(5, vocabulary=7), 7)
        parameters = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), jax.jit(network.init)(jax.random.key(1)))
        assert parameters[-1] == ()
        assert network.n_parameters == sum(leaf.size for leaf in jax.tree.leaves(parameters))
        x, y = tokens(3, 5) % 4, jax.nn.one_hot(tokens(3, 5, seed=1), 7)

        def loss(weight: Any) -> Any:
            outputs = network.apply((parameters[0]._replace(weight=weight), *parameters[1:]), x, None)
            return forward.losses_of(SoftmaxCrossEntropy(), outputs, y).mean()

        weight = 10 * parameters[0].weight
        gradient = np.asarray(jax.jit(jax.grad(loss))(weight))
        steps = 1e-3 * np.eye(weight.size).reshape(-1, *weight.shape)
        both = jax.jit(jax.vmap(lambda step: (loss(weight + step) - loss(weight - step)) / 2e-3))(steps)
        # JAX takes the softmax of attention in single precision: smaller steps would show its rounding.
        np.testing.assert_allclose(gradient.ravel(), both, rtol=1e-3, atol=1e-3 * abs(gradient).max())
        assert (abs(gradient[4:]) > 1e-4).all(), "tokens that only come out learn too"


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), Focal(gamma=0.0), KLDivergence(label_smoothing=0.0)])
def test_the_loss_of_an_example_is_the_mean_over_its_tokens(loss: Any) -> None:
    outputs, y = np.random.default_rng(2).standard_normal((3, 5, 7)).astype(np.float32), tokens(3, 5)
    surprise = np.logaddexp.reduce(outputs, axis=-1) - np.take_along_axis(outputs, y[..., None].astype(int), -1)[..., 0]
    found = forward.losses_of(loss, jnp.asarray(outputs), jax.nn.one_hot(y, 7))
    np.testing.assert_allclose(found, surprise.mean(axis=1), rtol=1e-5)
    same = forward.losses_of(loss, jnp.zeros((3, 5, 7)), jax.nn.one_hot(y, 7))
    np.testing.assert_allclose(same, math.log(7), rtol=1e-6)


def least_loss(x: Any, y: Any) -> float:
    """The lowest mean loss that any network could have which sees a token and those before it in its example."""
    begins = [(place, tuple(row[: place + 1])) for row in x for place in range(len(row))]
    pairs, wholes = Counter(zip(begins, y.ravel().tolist(), strict=True)), Counter(begins)
    return -sum(count * math.log(count / wholes[begin]) for (begin, _), count in pairs.items()) / y.size


@pytest.fixture(scope="module")
def by_heart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Splits]:
    """A run that trained on a few lines for long."""
    folder = tmp_path_factory.mktemp("heart")
    (folder / "some.txt").write_text(TEXT)
    settings = {**TINY, "data.path": "some.txt", "data.validation_split": 0.0, "training.epochs": 300}
    prepared = prepare(Config().changed(settings), folder)
    return train(prepared, start(prepared, folder / "runs")), prepared.splits


def test_a_few_lines_are_learned_by_heart(by_heart: tuple[Run, Splits]) -> None:
    run, splits = by_heart
    floor = least_loss(splits.train.x, splits.train.y)
    assert floor - 1e-4 < run.epochs["loss"].y[-1] < floor + 0.05 < 0.2
    assert run.epochs["accuracy"].y[-1] > 0.9
    assert run.epochs["loss"].y[0] == pytest.approx(math.log(splits.n_outputs), rel=0.2)


def test_what_was_learned_by_heart_is_written(by_heart: tuple[Run, Splits]) -> None:
    run, splits = by_heart
    pictures = picture_file.read(run.directory)
    assert (pictures.split, pictures.examples, pictures.of) == ("train", MOST_PASSAGES, len(splits.train))
    for passage in pictures.passages:
        assert f"{passage.prompt}{passage.written[:8]}" in TEXT
        assert (len(passage.prompt), len(passage.written)) == (prompt_length(16), WRITTEN)


@pytest.mark.parametrize(
    ("settings", "writes"), [({**TINY, "data.path": "some.txt"}, True), ({"data.source": "iris"}, False)]
)
def test_a_network_for_text_writes_after_each_evaluation(
    settings: dict[str, Any], writes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between evaluations it waits until that costs next to nothing, as other looks always do."""
    written: list[int] = []

    def at_once(work: Callable[[], Any]) -> Future[Any]:
        future = Future[Any]()
        future.set_result(work())
        return future

    monkeypatch.setattr(looking, "begun", at_once)
    monkeypatch.setattr(looking, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(looking, "_COST_OF_WRITING", 0)
    monkeypatch.setattr(looking, "_COST_TO_TRAINING", 10**9)
    monkeypatch.setattr(loop, "most_updates", lambda *_: 1)
    monkeypatch.setattr(picture_file, "write", lambda _, pictures: written.append(pictures.step))
    (tmp_path / "some.txt").write_text(TEXT)
    small = {"training.batch_size": 2, "training.epochs": 4, "callbacks.early_stopping.enabled": False}
    prepared = prepare(Config().changed({**settings, **small}), tmp_path)
    train(prepared, start(prepared, tmp_path / "runs"))
    ends = [epoch * shape_of([prepared]).steps_per_epoch for epoch in range(1, 5)]
    assert ends[0] > 1
    assert written == [1, *(ends if writes else ends[-1:])]


def test_surprise_is_told_in_three_ways(by_heart: tuple[Run, Splits]) -> None:
    epochs = by_heart[0].epochs
    loss = np.asarray(epochs["loss"].y, np.float64)
    np.testing.assert_allclose(epochs["perplexity"].y, np.exp(loss), rtol=2e-5)
    np.testing.assert_allclose(epochs["bits_per_character"].y, loss / math.log(2), rtol=2e-5)


async def test_the_page_shows_what_is_written_and_where_it_begins(by_heart: tuple[Run, Splits]) -> None:
    run, splits = by_heart
    passage = picture_file.read(run.directory).passages[0]
    for size in ((80, 24), (160, 45)):
        async with following(run.directory, size) as pilot:
            await pilot.press("2")
            await until_shown(pilot, f"weights of epoch 300 · {MOST_PASSAGES} of {len(splits.train)} training examples")
            await until_shown(pilot, f"drawn at temperature {TEMPERATURE:g}", f"{passage.prompt}▸{passage.written[:8]}")
            assert "m next" not in shown(pilot)


def test_each_token_is_drawn_from_what_the_network_makes_of_those_before_it() -> None:
    """The oracle sees the last tokens as an example of their own; the compiled function shifts one example along."""
    config = Config().changed({**TINY, "data.context": 6, "training.batch_size": 2})
    shape = Shape(config, "language_modeling", Inputs(6, vocabulary=7), 7, 2, 0)
    network, vector = shape.network(config), numbers.pack(config)
    parameters = jax.tree.map(lambda leaf: 5 * leaf, jax.jit(network.init)(jax.random.key(1)))
    x = tokens(2, 6)
    sample, apply = jax.jit(make_sample(shape)), jax.jit(lambda x: network.apply(parameters, x, None))

    def written(seed: int, step: int) -> list[Any]:
        members = jax.tree.map(lambda leaf: leaf[None], parameters)
        blocks = Blocks(x[None], x[None], np.ones((1, 2), np.float32))
        return np.asarray(sample(members, np.int32(0), vector, blocks, np.uint32([seed, step]))).tolist()

    found, seen = written(3, 40), x[:, : prompt_length(6)]
    for count in range(prompt_length(6), prompt_length(6) + 12):
        last = seen[:, -6:]
        outputs = apply(np.pad(last, ((0, 0), (0, 6 - last.shape[1]))))[:, last.shape[1] - 1]
        key = jax.random.fold_in(keys.key(jnp.uint32(3), keys.SAMPLES, jnp.int32(40)), count)
        drawn = jax.random.categorical(key, outputs / TEMPERATURE)
        seen = np.concatenate([seen, np.asarray(drawn, np.uint8)[:, None]], axis=1)
    assert [row[:12] for row in found] == seen[:, prompt_length(6) :].tolist()
    assert found == written(3, 40)
    assert found != written(4, 40)
    assert found != written(3, 41)


def test_bytes_are_trained_on_and_told(trained: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "some.bin").write_bytes(bytes(range(256)) * 2)
    settings = {key: value for key, value in TINY.items() if not key.startswith("model")}
    settings |= {"data.path": str(tmp_path / "some.bin"), "data.tokens": "bytes", "data.test_split": 0.2}
    settings["training.diagnostics"] = False
    run = trained({**settings, "model.kind": "gru", "model.units": [5], "training.epochs": 2})
    assert run.status.state == "finished"
    assert np.isfinite(run.status.test["test_bits_per_character"])
    pictures = picture_file.read(run.directory)
    assert all("\x1b" not in passage.written for passage in pictures.passages)
    assert len((run.directory / picture_file.NAME).read_bytes()) < LIMIT


def test_a_passage_of_a_stranger_is_made_safe_and_cut() -> None:
    passage = Passage(prompt="\x1b]0;x\x07\nnext\u202e", written="\x00" * 5000)
    assert passage.prompt == "\\x1b]0;x\\x07\nnext\\u202e"
    assert passage.written == ("\\x00" * 5000)[:1000]
    with pytest.raises(ValueError, match="at most 3"):
        Pictures.model_validate(
            {"time": 0, "epoch": 0, "step": 0, "split": "train", "examples": 0, "of": 0, "task": "language_modeling",
             "image_shape": None, "passages": [{"prompt": "a", "written": "b"}] * 4}
        )  # fmt: skip
