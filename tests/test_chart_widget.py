import numpy as np
import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.widgets import TabbedContent, TabPane

from tui.chart import Mark, Series
from tui.chart_widget import Chart


class ChartApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart()

    def on_ready(self) -> None:
        self.regions: list[Region] = []
        chart = self.query_one(Chart)
        refresh = chart.refresh

        def counted(*regions: Region, **options: bool) -> Chart:
            self.regions += regions or [chart.size.region]
            return refresh(*regions, **options)

        chart.refresh = counted  # type: ignore[method-assign]


def loss(count: int, role: str = "train") -> Series:
    x = np.arange(float(count))
    return Series(role, x, 2.0 * np.exp(-x / 800), role)


def text(chart: Chart) -> str:
    return "\n".join(chart.render_line(row).text for row in range(chart.size.height))


def colors(chart: Chart) -> set[str]:
    segments = [segment for row in range(chart.size.height) for segment in chart.render_line(row)]
    return {str(s.style.color) for s in segments if s.style and s.style.color and s.text.strip()}


async def test_a_new_chart_waits_for_the_first_epoch():
    async with ChartApp().run_test(size=(60, 18)) as pilot:
        assert "waiting for the first epoch" in text(pilot.app.query_one(Chart))


async def test_only_changed_cells_are_refreshed():
    app = ChartApp()
    async with app.run_test(size=(60, 18)) as pilot:
        chart = app.query_one(Chart)
        chart.show([loss(3900)])
        await pilot.pause()
        app.regions.clear()
        chart.show([loss(3910)])
        assert 1 <= len(app.regions) <= 3
        assert all(region.height == 1 for region in app.regions)
        assert 1 <= sum(region.width for region in app.regions) <= 20


async def test_showing_the_same_again_refreshes_nothing():
    app = ChartApp()
    async with app.run_test(size=(60, 18)) as pilot:
        chart = app.query_one(Chart)
        chart.show([loss(100)], [Mark(20.0, "▼")])
        await pilot.pause()
        app.regions.clear()
        chart.show([loss(100)], [Mark(20.0, "▼")])
        await pilot.pause()
        assert app.regions == []


async def test_the_refreshed_rows_are_what_the_screen_shows():
    app = ChartApp()
    async with app.run_test(size=(60, 18)) as pilot:
        chart = app.query_one(Chart)
        for count in (1, 2, 50, 3000, 3100):
            chart.show([loss(count)])
            await pilot.pause()
            shown = ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]
            assert "\n".join(shown) == text(chart)


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (12, 4), (200, 60)])
async def test_any_size_can_be_drawn(size):
    async with ChartApp().run_test(size=size) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.show([loss(100), loss(80, "validation")], log_y=True)
        await pilot.pause()
        assert all(chart.render_line(row).cell_length == chart.size.width for row in range(chart.size.height))


async def test_a_chart_without_room_draws_nothing():
    async with ChartApp().run_test(size=(40, 12)) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.styles.width = 0
        chart.styles.height = 0
        chart.show([loss(100)])
        await pilot.pause()
        assert chart.render_line(0).cell_length == 0


async def test_a_resize_redraws_for_the_new_size():
    async with ChartApp().run_test(size=(40, 12)) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.show([loss(100)])
        await pilot.resize_terminal(70, 20)
        await pilot.pause()
        assert "epochs" in chart.render_line(18).text


async def test_another_theme_draws_in_its_colours():
    async with ChartApp().run_test(size=(60, 18)) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.show([loss(100), loss(50, "validation")])
        await pilot.pause()
        dark = colors(chart)
        pilot.app.theme = "textual-light"
        await pilot.pause()
        await pilot.pause()
        assert len(dark) >= 4
        assert not dark & colors(chart)


async def test_no_color_leaves_a_picture_without_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = ChartApp()
    async with app.run_test(size=(60, 18)) as pilot:
        app.query_one(Chart).show([loss(100), loss(50, "validation")])
        await pilot.pause()
        styles = {segment.style for strip in app.screen._compositor.render_strips() for segment in strip}
        grays = {style.color.triplet for style in styles if style and style.color and style.color.triplet}
        assert all(red == green == blue for red, green, blue in grays)


async def test_runs_have_colours_of_their_own():
    async with ChartApp().run_test(size=(60, 18)) as pilot:
        chart = pilot.app.query_one(Chart)
        found = {chart._style(f"run-{index}") for index in range(8)}
        assert len(found) == 8
        assert all(isinstance(style, Style) for style in found)


async def test_markup_in_a_label_is_shown_as_it_is():
    async with ChartApp().run_test(size=(60, 18)) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.show([Series("[b]x[/b]", np.arange(3.0), np.arange(3.0), "run-0")])
        assert "[b]x[/b]" in chart.render_line(0).text


async def test_a_hidden_chart_draws_when_it_is_shown():
    class Tabs(App[None]):
        def compose(self) -> ComposeResult:
            with TabbedContent():
                yield TabPane("first", id="first")
                with TabPane("second", id="second"):
                    yield Chart()

    async with Tabs().run_test(size=(60, 24)) as pilot:
        chart = pilot.app.query_one(Chart)
        chart.show([loss(100)])
        await pilot.pause()
        assert chart._strips == []
        pilot.app.query_one(TabbedContent).active = "second"
        await pilot.pause()
        assert "train" in text(chart)
