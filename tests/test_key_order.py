"""Keys sent in one go, as a slow line sends them, do what the same keys do one by one."""

import pytest
from screens import running, send, until
from textual.pilot import Pilot

from trainer.config import Config
from tui.form_controls import Line
from tui.form_fields import widget_id
from tui.pages import LayersPage


async def at(pilot: Pilot[None], path: str) -> Line:
    line = pilot.app.screen.query_one(f"#{widget_id(path)}", Line)
    line.focus()
    await pilot.pause()
    return line


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("ctrl+u", "9"), "9"),
        (("end", "backspace", "7"), "37"),
        (("home", "1"), "130"),
        (("end", "left", "backspace", "5"), "50"),
        (("ctrl+k", "ctrl+u", "1", "2", "backspace", "3"), "13"),
    ],
)
async def test_editing_keys_and_letters_act_in_their_order(keys: tuple[str, ...], value: str):
    async with running(Config().changed({"training.epochs": 30})) as pilot:
        line = await at(pilot, "training.epochs")
        send(pilot.app, *keys)
        await until(pilot, lambda: line.value == value)


async def test_what_follows_a_move_goes_into_the_field_that_the_move_went_to():
    async with running(Config().changed({"training.epochs": 30, "training.batch_size": 64})) as pilot:
        epochs = await at(pilot, "training.epochs")
        size = pilot.app.screen.query_one("#training-batch_size", Line)
        send(pilot.app, "ctrl+u", "9", "down", "ctrl+u", "8")
        await until(pilot, lambda: (epochs.value, size.value) == ("9", "8"))


async def test_what_follows_escape_is_a_key_and_no_text():
    async with running(Config().changed({"training.epochs": 30})) as pilot:
        epochs = await at(pilot, "training.epochs")
        send(pilot.app, "escape", "3")
        await until(pilot, lambda: pilot.app.screen.query_one(LayersPage).has_class("-chosen"))
        assert epochs.value == "30"


async def test_the_form_key_comes_back_to_the_field_that_was_left():
    async with running(Config()) as pilot:
        size = await at(pilot, "training.batch_size")
        await pilot.press("f3")
        assert pilot.app.focused is None
        await pilot.press("f3")
        await until(pilot, lambda: pilot.app.focused is size)
