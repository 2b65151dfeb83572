import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kinds import every_kind, of_kind
from textual import events, on
from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input, Static

from trainer.config import Config
from trainer.data import Files
from trainer.problems import Problem
from trainer.schedules import Piecewise
from trainer.schema import groups, hyperparameters, value_at
from tui.form import Form
from tui.form_controls import Choice, Toggle
from tui.form_fields import NotAValueError, facts, parse, rule_of_thumb, show, widget_id

FIELDS = hyperparameters(Config())
ADAM = Config().changed({"callbacks.model_checkpoint.enabled": False})


class FormApp(App[None]):
    CSS_PATH = "../tui/form.tcss"

    def __init__(self, config: Config = ADAM, preset: Config | None = None) -> None:
        super().__init__()
        self.animation_level = "none"
        self.form = Form(config, preset)
        self.changes: list[Form.Changed] = []

    def compose(self) -> ComposeResult:
        yield self.form

    @on(Form.Changed)
    def note_change(self, event: Form.Changed) -> None:
        self.changes.append(event)


@asynccontextmanager
async def running(app: FormApp, width: int = 42, height: int = 60) -> AsyncIterator[Pilot[None]]:
    """Run the app, all sections mounted."""
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        yield pilot


def screen_text(app: App[Any]) -> str:
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


def line_of(app: App[Any], word: str) -> str:
    return next((line for line in screen_text(app).splitlines() if word in line), "")


def below(app: App[Any], word: str) -> str:
    """Return the two lines below the one with the word."""
    lines = screen_text(app).splitlines()
    row = next(index for index, line in enumerate(lines) if word in line)
    return " ".join(" ".join(lines[row + 1 : row + 3]).split())


def help_text(app: App[Any]) -> str:
    return str(app.query_one("#form-help", Static).render())


def every_config() -> list[Config]:
    return [Config(), *(of_kind(key, kind) for key, kind in every_kind())]


async def go_to(pilot: Pilot[None], path: str) -> None:
    pilot.app.query_one(f"#{widget_id(path)}").focus()
    await pilot.pause()


async def type_into(pilot: Pilot[None], path: str, *keys: str) -> None:
    """Replace what a field holds."""
    await go_to(pilot, path)
    await pilot.press("ctrl+u", *keys)
    await pilot.pause()


@pytest.mark.parametrize("value", [1e-8, 1e-3, 0.0, 64.0, 0.1 + 0.2, 1e22, 12345678.9, -2.5e-07])
def test_a_number_shown_is_the_number_read(value: float):
    assert parse(FIELDS["optimizer.learning_rate"], show(value)) == value


@pytest.mark.parametrize("names", [(), ("id",), ("id", "full name"), ("a, b", 'the "x"', "c")])
def test_names_shown_are_the_names_read(names: tuple[str, ...]):
    field = hyperparameters(Config(data=Files(path="x")))["data.ignore"]
    assert parse(field, show(names)) == names


def test_numbers_are_shown_as_a_person_writes_them():
    assert [show(value) for value in (1e-8, 1e-3, 0.0, 64.0, 1e22)] == ["1e-8", "0.001", "0", "64", "1e+22"]


@pytest.mark.parametrize(("text", "value"), [("64", 64), ("1e3", 1000), ("1_000", 1000), (" -7 ", -7), ("2.0", 2)])
def test_a_whole_number_may_be_written_in_any_way(text: str, value: int):
    assert parse(FIELDS["training.epochs"], text) == value


@pytest.mark.parametrize("text", ["", "1.5", "ten", "1e400", "nan", "9" * 5000, "1e30", "0x10", "\u0663"])
def test_what_is_no_whole_number_is_refused(text: str):
    with pytest.raises(NotAValueError, match="must be"):
        parse(FIELDS["training.epochs"], text)


@pytest.mark.parametrize(("n_inputs", "width"), [(1, 2), (2, 4), (3, 8), (4, 8), (64, 128), (65, 256), (10**6, 65536)])
def test_the_rule_of_thumb_is_the_smallest_power_of_two_at_least_twice_the_inputs(n_inputs: int, width: int):
    assert rule_of_thumb(n_inputs) == width


def test_facts_tell_bounds_that_are_not_allowed_themselves():
    assert facts(FIELDS["optimizer.learning_rate"]).startswith("> 0, ≤ 1000000 · default 0.001")


def test_the_source_comes_before_what_is_said_of_every_live_number():
    told = facts(FIELDS["optimizer.sam_rho"])
    assert told.index("Foret et al. 2021") < told.index("~")


@pytest.mark.parametrize("kind", [*every_kind()], ids=lambda kind: ".".join(kind))
def test_help_and_source_fit_the_three_lines_of_80_columns(kind: tuple[str, str]):
    for field in hyperparameters(of_kind(*kind)).values():
        told = textwrap.wrap(f"{field.path}  {field.help}", 78)
        more = textwrap.wrap(facts(field).split(" · ~")[0], 78)
        assert len(told) + len(more) <= 3, (field.path, told, more)


async def test_a_new_form_shows_each_value_and_no_mark():
    app = FormApp()
    async with running(app):
        assert "0.001" in line_of(app, "learning_rate")
        assert "128, 128" in line_of(app, "hidden")
        assert "examples" in line_of(app, "batch_size")
        assert "●" not in screen_text(app).replace("● differs", "")
        assert app.form.config == ADAM
        assert app.changes == []


async def test_a_number_is_taken_as_a_person_writes_it():
    app = FormApp()
    async with running(app) as pilot:
        for keys, rate in ("3e-4", 3e-4), (".1", 0.1):
            await type_into(pilot, "optimizer.learning_rate", *keys)
            assert keys in line_of(app, "learning_rate")
            assert app.form.config is not None
            assert app.form.config.optimizer.learning_rate == rate
            assert app.changes[-1].config == app.form.config
            assert app.changes[-1].n_problems == 0


async def test_a_problem_shows_under_its_field_until_it_is_solved():
    app = FormApp()
    async with running(app) as pilot:
        for keys, problem in ("-1", "greater than 0.0, got -1.0"), ("", "got nothing"), ("e", "a number, got 'e'"):
            await type_into(pilot, "optimizer.learning_rate", *keys)
            assert problem in below(app, "learning_rate")
            assert app.form.config is None
            assert (app.changes[-1].config, app.changes[-1].n_problems) == (None, 1)
        await type_into(pilot, "training.epochs", "8")
        assert app.form.config is None
        await type_into(pilot, "optimizer.learning_rate", "1")
        assert "must be" not in screen_text(app)
        assert app.form.config is not None
        assert (app.form.config.optimizer.learning_rate, app.form.config.training.epochs) == (1.0, 8)


async def test_a_mark_appears_with_a_change_and_goes_with_it():
    app = FormApp()
    async with running(app) as pilot:
        await type_into(pilot, "optimizer.learning_rate", *"0.1")
        assert "●" in line_of(app, "learning_rate")
        await type_into(pilot, "optimizer.learning_rate", *"1e-3")
        assert "●" not in line_of(app, "learning_rate")


async def test_another_kind_brings_its_own_fields_and_keeps_the_shared_ones():
    app = FormApp()
    async with running(app) as pilot:
        await type_into(pilot, "optimizer.learning_rate", *"0.05")
        await go_to(pilot, "optimizer.kind")
        await pilot.press("enter")
        await pilot.pause()
        assert "rmsprop" in screen_text(app)
        await pilot.press("up", "enter")
        await pilot.pause()
        assert "sgd" in line_of(app, "optimizer")
        assert "momentum" in screen_text(app)
        assert "0.05" in line_of(app, "learning_rate")
        assert "●" in line_of(app, "optimizer")
        assert app.focused is app.query_one("#optimizer-kind")
        assert app.form.config is not None
        assert (app.form.config.optimizer.kind, app.form.config.optimizer.learning_rate) == ("sgd", 0.05)


async def test_left_and_right_step_through_a_choice_and_stop_at_its_ends():
    app = FormApp()
    async with running(app) as pilot:
        await go_to(pilot, "optimizer.kind")
        await pilot.press("left", "left", "left")
        await pilot.pause()
        assert "sgd" in line_of(app, "optimizer")
        await pilot.press("right")
        await pilot.pause()
        assert "momentum" not in screen_text(app)


async def test_escape_closes_the_list_and_changes_nothing():
    app = FormApp()
    async with running(app) as pilot:
        await go_to(pilot, "optimizer.kind")
        await pilot.press("space", "down", "escape")
        await pilot.pause()
        assert "rmsprop" not in screen_text(app)
        assert app.focused is app.query_one("#optimizer-kind")
        assert app.form.config == ADAM


async def test_a_list_left_by_tab_closes():
    app = FormApp()
    async with running(app) as pilot:
        await go_to(pilot, "optimizer.kind")
        await pilot.press("space", "tab")
        await pilot.pause()
        assert "rmsprop" not in screen_text(app)
        assert app.focused is not None


async def test_keys_pressed_while_a_section_changes_reach_a_field_or_nothing():
    app = FormApp()
    async with running(app) as pilot:
        await go_to(pilot, "optimizer.kind")
        keys = ("left", "tab", "7", "down", "enter", "shift+tab", "shift+tab", "right", "right", "space", "pagedown")
        for key in keys * 4:
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        assert app.form.query_one("#optimizer-learning_rate", Input).value


async def test_a_source_that_needs_a_path_asks_for_it():
    app = FormApp()
    async with running(app, 60, 60) as pilot:
        app.query_one("#data-source", Choice).value = "path"
        await pilot.pause()
        assert "must be given" in screen_text(app)
        assert app.form.config is None
        await type_into(pilot, "training.epochs", "9")
        await type_into(pilot, "data.path", *"[b]a")
        assert app.form.config is not None
        assert value_at(app.form.config, "data.path") == "[b]a"
        assert app.form.config.training.epochs == 9
        assert "[b]a" in screen_text(app)


async def test_advanced_fields_open_and_tell_what_is_changed_behind_the_fold():
    app = FormApp(ADAM.changed({"optimizer.b1": 0.5}), ADAM)
    async with running(app) as pilot:
        assert "▸ 12 advanced  ● 1 changed" in screen_text(app)
        assert "b1" not in screen_text(app)
        await go_to(pilot, "optimizer.advanced")
        await pilot.press("enter")
        await pilot.pause()
        assert "0.5" in line_of(app, " b1")
        await pilot.press("enter")
        await pilot.pause()
        assert "b1" not in screen_text(app)


async def test_a_field_with_a_problem_stays_in_sight_when_its_fold_closes():
    app = FormApp()
    async with running(app) as pilot:
        await go_to(pilot, "optimizer.advanced")
        await pilot.press("enter")
        await type_into(pilot, "optimizer.b1", "2")
        await go_to(pilot, "optimizer.advanced")
        await pilot.press("enter")
        await pilot.pause()
        assert "must be less than 1" in screen_text(app)
        assert "b2" not in screen_text(app)


async def test_a_callback_shows_its_fields_only_when_on():
    app = FormApp()
    async with running(app) as pilot:
        assert "patience" not in screen_text(app)
        await go_to(pilot, "callbacks.early_stopping.enabled")
        await pilot.press("enter")
        await pilot.pause()
        assert "■ on" in line_of(app, "early_stopping")
        assert "5" in line_of(app, "patience")
        assert app.focused is app.query_one("#callbacks-early_stopping-enabled", Toggle)
        assert app.form.config is not None
        assert app.form.config.callbacks.early_stopping.enabled


async def test_sizes_are_read_with_commas_or_spaces():
    app = FormApp()
    async with running(app) as pilot:
        for keys, hidden in ("6 4", (6, 4)), ("6,4", (6, 4)), ("", ()):
            await type_into(pilot, "model.hidden", *keys)
            assert app.form.config is not None
            assert app.form.config.model.hidden == hidden
        await type_into(pilot, "model.hidden", *"6, x")
        assert "must be a whole number, got 'x'" in below(app, "hidden")


async def test_a_list_of_numbers_is_read_and_shown():
    app = FormApp(ADAM.changed({"schedule.kind": "piecewise"}))
    async with running(app) as pilot:
        assert "10, 20" in line_of(app, "boundaries")
        await type_into(pilot, "schedule.boundaries", *"5 7.5")
        await type_into(pilot, "schedule.factors", *"[1e-2, 2]")
        assert app.form.config is not None
        assert app.form.config.schedule == Piecewise(boundaries=(5.0, 7.5), factors=(0.01, 2.0))
        await type_into(pilot, "schedule.factors", *"0.1")
        assert "must be as many as schedule.boundaries, 2, got 1." in below(app, "factors")
        await type_into(pilot, "schedule.factors", *"0.1, x")
        assert "must be a number, got 'x'" in below(app, "factors")


async def test_an_optional_field_is_none_when_empty():
    app = FormApp(ADAM.changed({"callbacks.early_stopping.enabled": True}))
    async with running(app) as pilot:
        await go_to(pilot, "callbacks.early_stopping.advanced")
        await pilot.press("enter")
        await type_into(pilot, "callbacks.early_stopping.baseline", *"0.5")
        assert app.form.config is not None
        assert app.form.config.callbacks.early_stopping.baseline == 0.5
        await type_into(pilot, "callbacks.early_stopping.baseline")
        assert app.form.config.callbacks.early_stopping.baseline is None


async def test_the_suggested_sizes_are_taken_by_a_key():
    app = FormApp(ADAM.changed({"model.hidden": [16, 16]}), ADAM)
    async with running(app, 80, 24) as pilot:
        await go_to(pilot, "model.hidden")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "suggestion: 128 (smallest power of two >= 2 x 64 inputs)" in help_text(app)
        await pilot.press("ctrl+g")
        await pilot.pause()
        assert "128, 128" in line_of(app, "hidden")
        assert app.form.config is not None
        assert app.form.config.model.hidden == (128, 128)


async def test_a_data_file_that_cannot_be_read_suggests_nothing():
    app = FormApp(ADAM.changed({"data.source": "path", "data.path": "/nowhere/at/all.csv"}))
    async with running(app, 80, 24) as pilot:
        await go_to(pilot, "model.hidden")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "Neurons in each hidden layer" in help_text(app)
        assert "suggestion" not in help_text(app)
        await pilot.press("ctrl+g")
        assert app.form.config is not None


async def test_the_help_tells_bounds_unit_default_and_source_of_the_field_in_focus():
    app = FormApp()
    async with running(app, 80, 24) as pilot:
        await go_to(pilot, "model.dropout")
        for word in ("switched off at random", "≥ 0, < 1", "default 0", "~ enter gives it to the run", "Srivastava"):
            assert word in help_text(app)


async def test_problems_of_a_failed_start_go_under_their_fields_and_take_the_focus():
    app = FormApp()
    problems = [Problem("is too small.", "optimizer.eps"), Problem("is too large.", "training.batch_size")]
    async with running(app, 80, 24) as pilot:
        assert app.form.show_problems([*problems, Problem("disk full")]) == (Problem("disk full"),)
        await pilot.pause()
        await pilot.pause()
        assert app.focused is app.query_one("#optimizer-eps")
        assert "! is too small." in screen_text(app)
        await type_into(pilot, "optimizer.eps", *"1e-6")
        assert "is too small" not in screen_text(app)


async def test_loading_another_config_replaces_values_and_posts_nothing():
    other = Config().changed({"optimizer.kind": "sgd", "optimizer.learning_rate": 0.25, "training.epochs": 3})
    app = FormApp()
    async with running(app) as pilot:
        await type_into(pilot, "optimizer.learning_rate", *"nothing")
        n_changes = len(app.changes)
        app.form.load(other, other)
        await pilot.pause()
        await pilot.pause()
        assert "0.25" in line_of(app, "learning_rate")
        assert "sgd" in line_of(app, "optimizer")
        assert "momentum" in screen_text(app)
        assert "must be" not in screen_text(app)
        assert len(app.changes) == n_changes
        assert app.form.config == other


async def test_up_and_down_move_between_fields_and_escape_leaves():
    app = FormApp()
    async with running(app) as pilot:
        await go_to(pilot, "model.hidden")
        await pilot.press("down")
        assert app.focused is app.query_one("#model-activation")
        await pilot.press("up", "up", "up")
        assert app.focused is app.query_one("#data-advanced")
        await pilot.press("escape")
        assert app.focused is None


async def test_page_keys_scroll():
    app = FormApp()
    async with running(app, 80, 24) as pilot:
        await go_to(pilot, "model.hidden")
        await pilot.press("pagedown")
        await pilot.pause()
        assert "data" not in screen_text(app).splitlines()[0]
        await pilot.press("pageup")
        await pilot.pause()
        assert "data" in screen_text(app).splitlines()[0]


async def test_every_field_of_every_kind_can_be_mounted_and_read_back():
    app = FormApp()
    async with running(app, 80, 24) as pilot:
        for path, kind in every_kind():
            config = of_kind(path, kind)
            everywhere = {
                field.path: True for group in groups(config) for field in group.fields if field.name == "enabled"
            }
            config = config.changed(everywhere)
            app.form.load(config, config)
            await pilot.pause()
            for section in app.form.sections:
                section.is_open = True
                await section.sync(section.group, app.form.draft)
            await pilot.pause()
            shown = {row.field.path: row.read() for row in app.form.rows}
            wanted = {field.path: value_at(config, field.path) for group in groups(config) for field in group.fields}
            assert shown == wanted


async def test_a_list_that_a_word_may_stand_for_takes_both():
    app = FormApp()
    async with running(app) as pilot:
        await go_to(pilot, "loss.advanced")
        await pilot.press("enter")
        assert "none" in line_of(app, "class_weight")
        for keys, weights in ("balanced", "balanced"), ("1, 2.5", (1.0, 2.5)), ("none", "none"):
            await type_into(pilot, "loss.class_weight", *keys)
            assert app.form.config is not None
            assert app.form.config.loss.class_weight == weights
        await type_into(pilot, "loss.class_weight", *"balancd")
        assert "must be none, balanced or numbers, got 'balancd'" in " ".join(below(app, "class_weight").split())
    assert facts(FIELDS["loss.class_weight"]).startswith("none, balanced or numbers · default none")


@pytest.mark.parametrize(("width", "rows"), [(80, 3), (46, 5)])
async def test_what_is_told_of_a_live_number_fits(width: int, rows: int):
    """To the end, with the source where there is room for it."""
    live = {it.path: (it, section) for config in every_config() for section in groups(config) for it in section.fields}
    app = FormApp()
    async with running(app, width, 24):
        assert app.form.help_area.content_size == (width - 2, rows)
        for field, section in live.values():
            if field.role == "live":
                app.form.help_area.explain(field, section)
                words = Content(help_text(app))
                assert len(words.wrap(width - 2)) <= rows, words
                assert "~ enter gives it to the run" in words.plain


async def test_enter_stays_in_a_field_whose_value_is_not_well():
    app = FormApp()
    async with running(app) as pilot:
        await type_into(pilot, "optimizer.learning_rate", "minus", "5", "enter")
        rate = app.query_one("#optimizer-learning_rate")
        assert app.focused is rate
        await pilot.press("ctrl+u", "4", "enter")
        await pilot.pause()
        assert app.focused is not rate
        assert app.form.config is not None
        assert app.form.config.optimizer.learning_rate == 4.0
