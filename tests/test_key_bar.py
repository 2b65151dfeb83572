import gc

import pytest
from screens import part, running, shown, until
from textual.pilot import Pilot

import presets
from tui.key_bar import KeyBar
from tui.train_screen import TrainScreen

CONFIG = presets.load("iris-first")


def bar(pilot: Pilot[None]) -> str:
    return part(pilot, "KeyBar")


@pytest.mark.parametrize("width", [160, 80, 60, 30, 18])
async def test_as_many_keys_as_fit_stand_on_the_bar_and_those_of_every_screen_stay(width: int):
    async with running(CONFIG, size=(width, 24)) as pilot:
        line = bar(pilot).rstrip()
        assert line.endswith("f1 Keys  f10 Quit")
        assert len(line) <= width
        assert ("^r Run" in line) == (width >= 60)
        assert ("f8 Runs" in line) == (width >= 80)
        assert ("^l LR find" in line) == ("t Metric" in line) == (width >= 160)


async def test_a_click_on_a_key_presses_it():
    async with running(CONFIG) as pilot:
        column = bar(pilot).index("f1 Keys")
        for offset in (-1, len("f1 Keys")):  # beside it
            await pilot.click(KeyBar, offset=(column + offset, 0))
        assert isinstance(pilot.app.screen, TrainScreen)
        await pilot.click(KeyBar, offset=(column + 3, 0))
        await until(pilot, lambda: "Train what the form says" in shown(pilot))


async def test_keys_that_steer_a_run_are_dimmed_where_there_is_none_and_act_while_one_is_started():
    async with running(CONFIG) as pilot:
        keys = pilot.app.screen.active_bindings
        assert (keys["f4"].enabled, keys["f5"].enabled) == (False, False)
        await pilot.press("ctrl+r")
        keys = pilot.app.screen.active_bindings
        assert (keys["f4"].enabled, keys["f5"].enabled, keys["f5"].binding.description) == (True, True, "Pause")
        await until(pilot, lambda: "✓ finished" in part(pilot, "#status"))
        await until(pilot, lambda: not pilot.app.screen.active_bindings["f4"].enabled)


async def test_the_bar_tells_about_the_key_under_the_pointer():
    async with running(CONFIG) as pilot:
        await pilot.hover(KeyBar, offset=(bar(pilot).index("f1 Keys") + 1, 0))
        assert pilot.app.screen.query_one(KeyBar).tooltip == "Show every key"
        await pilot.hover(KeyBar, offset=(119, 0))
        assert pilot.app.screen.query_one(KeyBar).tooltip is None


async def test_the_bar_follows_the_focus_and_makes_nothing_that_stays():
    """A field that chooses offers to; moving the focus forty times leaves no more objects than moving it twice."""
    async with running(CONFIG) as pilot:
        assert "Choose" not in bar(pilot)
        await pilot.press("down")
        await until(pilot, lambda: "⏎ Choose" in bar(pilot))
        assert "^o Open" in bar(pilot), "another action of the same name"
        await pilot.press("down", "up")
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(20):
            await pilot.press("down", "up")
        gc.collect()
        assert len(gc.get_objects()) - before < 8_000
