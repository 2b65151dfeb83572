"""The page of the looks inside, as a person sees it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult

from trainer.config import Config
from trainer.events import Distribution, Layer, Layers, Started
from trainer.run import Run
from tui.followed import Followed
from tui.layer_panels import GradientPanel, LayerTable
from tui.panels import View


def layer(**changes: Any) -> Layer:
    counts = [1, 2, 4, 8, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 1]
    plain = {"gradient_norm": 0.5, "weight_norm": 12.0, "update_ratio": 1e-3, "mean": 0.25, "std": 1.5, "dead": 0.0,
             "weights": Distribution(low=-1, high=1, counts=counts), "outputs": None}  # fmt: skip
    return Layer.model_validate(plain | changes)


def followed(looks: Sequence[dict[str, Layer]], config: Config | None = None) -> Followed:
    run = Run(Path("nowhere"), config=config or Config())
    run.apply(Started(n_parameters=1, device="cpu", steps_per_epoch=2))
    run.apply_all([Layers(layers=layers, epoch=i, step=2 * (i + 1)) for i, layers in enumerate(looks)])
    return Followed(run, None)  # type: ignore[arg-type]


async def table_of(run: Followed, width: int) -> list[str]:
    class TableApp(App[None]):
        def compose(self) -> ComposeResult:
            yield LayerTable()

    async with TableApp().run_test(size=(width, 20)) as pilot:
        table = pilot.app.query_one(LayerTable)
        table.show_run(run, View())
        await pilot.pause()
        return [table.render_line(row).text.rstrip() for row in range(table.size.height)]


async def test_the_table_says_how_each_layer_stands_and_what_is_odd() -> None:
    looks = [{"hidden_1": layer(), "output": layer(dead=0.75, update_ratio=0.4, outputs=None)}]
    head, first, second, *rest = await table_of(followed(looks), 110)
    assert head.split() == ["layer", "gradient", "weights", "step/weights", "dead", "out", "mean", "out", "std",
                            "weight", "values", "output", "values"]  # fmt: skip
    assert first.split()[:7] == ["hidden_1", "0.5", "12", "0.001", "0%", "0.25", "1.5"]
    assert "▁▁▂▄█▄▂▁▁      ▁" in first
    assert first.endswith("not finite")
    assert "! 0.4" in second
    assert "! 75%" in second
    assert not any(rest)


async def test_the_table_says_after_which_epoch_the_last_look_was_since_not_every_epoch_has_one() -> None:
    class TableApp(App[None]):
        def compose(self) -> ComposeResult:
            yield LayerTable()

    async with TableApp().run_test() as pilot:
        table = pilot.app.query_one(LayerTable)
        table.show_run(followed([{"hidden_1": layer()}] * 29), View())
        assert table.border_title == "layers · last look after epoch 29"


@pytest.mark.parametrize(("width", "has"), [(50, False), (76, True)])
async def test_a_narrow_table_leaves_columns_out_and_cuts_none(width: int, has: bool) -> None:
    head, first, *_ = await table_of(followed([{"hidden_1": layer()}]), width)
    assert ("out std" in head) is has
    assert len(head) <= width
    assert "…" not in head + first


async def test_without_looks_the_reason_is_told() -> None:
    off = Config().changed({"training.diagnostics": False})
    assert (await table_of(followed([], off), 60))[0] == "training.diagnostics is off"
    assert (await table_of(followed([]), 60))[0] == "waiting for the first epoch"


async def test_weights_that_are_no_numbers_do_not_stop_the_table() -> None:
    odd = layer(gradient_norm=math.nan, weight_norm=math.inf, update_ratio=math.nan, weights=None)
    _, first, *_ = await table_of(followed([{"hidden_1": odd}]), 110)
    assert "! nan" in first
    assert "inf" in first


def test_of_many_layers_the_first_the_last_and_some_between_are_drawn() -> None:
    run = followed([{f"hidden_{index}": layer() for index in range(1, 41)}]).run
    drawn = [series.label for series in GradientPanel().curves(run, View())]
    assert len(drawn) == 8
    assert (drawn[0], drawn[-1]) == ("hidden_1", "hidden_40")
