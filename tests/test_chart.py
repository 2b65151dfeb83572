import re

import numpy as np
import pytest
from rich.style import Style

from tui.chart import Frame, Mark, Series, draw


def rows(frame: Frame) -> list[str]:
    return [strip.text for strip in draw(frame)]


def series(values, label="train", role="train", **options) -> Series:
    return Series(label, np.arange(float(len(values))), np.array(values, dtype=float), role, **options)


def curves() -> tuple[Series, Series]:
    x = np.linspace(0.0, 1.0, 200)
    return series(np.exp(-4 * x)), series(np.exp(-4 * x) + 0.3 * x, "validation", "validation")


def dots(picture: list[str]) -> int:
    return sum((ord(character) - 0x2800).bit_count() for character in "".join(picture) if "⠀" <= character <= "⣿")


def test_falling_line_is_drawn_with_axes_ticks_and_legend():
    assert rows(Frame([series([4, 3, 2, 1, 0])], 30, 9)) == [
        "── train 0                    ",
        "4┤⠒⠢⢄⡀┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈",
        " │   ⠈⠉⠒⠤⢄⡀                   ",
        " │        ⠈⠑⠒⠤⣀⡀              ",
        "2┤┈┈┈┈┈┈┈┈┈┈┈┈┈⠈⠑⠢⠤⣀┈┈┈┈┈┈┈┈┈┈",
        " │                  ⠉⠑⠢⢄⣀     ",
        "0┤┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈⠉⠒⠢⢄⣀",
        " └┬─────────────┬──── epochs ┬",
        "  0             2            4",
    ]


def test_a_chart_without_points_waits_in_the_middle():
    picture = rows(Frame([series([])], 40, 9))
    assert picture[4].strip() == "waiting for the first epoch"
    assert picture[0].strip() == "── train"
    assert not "".join(picture[1:4] + picture[5:]).strip()


def test_waiting_text_is_dim():
    muted = Style(dim=True)
    segments = [segment for strip in draw(Frame([], 40, 9, styles={"muted": muted})) for segment in strip]
    assert [segment.text for segment in segments if segment.style == muted] == ["waiting for the first epoch"]


@pytest.mark.parametrize("width", range(41))
def test_the_picture_is_exactly_as_large_as_asked(width):
    train, validation = curves()
    for height in range(41):
        for ascii_only in (False, True):
            frame = Frame([train, validation], width, height, [Mark(90.0, "▼")], ascii_only=ascii_only)
            strips = draw(frame)
            assert len(strips) == height
            assert all(strip.cell_length == width == sum(s.cell_length for s in strip) for strip in strips)
            assert all(segment.style is not None for strip in strips for segment in strip)


@pytest.mark.parametrize("log_y", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        [],
        [0.0],
        [1.0],
        [-3.0, -3.0],
        [np.nan] * 3,
        [np.inf, -np.inf],
        [1e308, -1e308],
        [5e-324, 1e-310],
        [1e299, -1e299],
        [1.0, 1.0 + 1e-12],
        [1e-200, 1e200],
        [np.nan, 2.0, np.inf, 3.0],
        [1e9, 1e9 + 1],
    ],
)
def test_any_values_can_be_drawn(values, log_y):
    for size in ((1, 1), (5, 2), (60, 18)):
        assert len(draw(Frame([series(values)], *size, log_y=log_y))) == size[1]


def test_a_single_point_is_a_dot():
    assert "".join(rows(Frame([series([2.5])], 40, 10))[1:]).count("•") == 1


def test_a_flat_series_is_a_line_in_the_middle():
    picture = rows(Frame([series([0.001] * 50)], 40, 10))
    assert [row for row, text in enumerate(picture) if "⠤⠤⠤" in text or "⠒⠒⠒" in text or "⣀⣀⣀" in text] == [4]


def test_a_gap_breaks_the_line():
    values = np.ones(200)
    values[80:120] = np.nan
    line = next(text for text in rows(Frame([series(values)], 52, 10)) if "⠤⠤" in text)
    assert re.search("┤⠤+┈+⠠?⠤+⠄?┈*$", line)


def test_non_finite_values_do_not_move_the_axis():
    finite = rows(Frame([series([1, 2, 3, 4])], 40, 10, x_end=5.0))
    diverged = rows(Frame([series([1, 2, 3, 4, np.inf, np.nan])], 40, 10, x_end=5.0))
    assert finite[1:] == diverged[1:]


def test_the_legend_says_so_when_the_latest_value_is_not_a_number():
    assert rows(Frame([series([1.0, np.nan])], 40, 9))[0].split() == ["──", "train", "NaN"]


def test_a_log_axis_has_decades_and_leaves_out_what_is_not_positive():
    picture = "\n".join(rows(Frame([series([100.0, 1.0, 0.0, -5.0, 0.001])], 60, 24, log_y=True)))
    assert all(f"{label}┤" in picture for label in ("100", "10", "1", "0.1", "0.01", "1e-3"))


def test_a_log_axis_without_positive_values_says_so():
    assert "no positive value" in "\n".join(rows(Frame([series([0.0, -1.0])], 60, 9, log_y=True)))


def test_values_that_are_all_not_finite_are_not_waited_for():
    assert "no finite value" in "\n".join(rows(Frame([series([np.nan, np.inf])], 60, 9)))


def test_train_and_validation_look_different_without_colour():
    x = np.linspace(0.0, 1.0, 200)
    train, validation = series(x), series(x, "validation", "validation")
    solid, dotted = (rows(Frame([curve], 60, 18)) for curve in (train, validation))
    assert solid[0].startswith("── train")
    assert dotted[0].startswith("┄┄ validation")
    assert 0.4 < dots(dotted[1:]) / dots(solid[1:]) < 0.7


def test_a_cell_of_two_curves_shows_the_dots_of_both():
    train, validation = curves()
    alone = [dots(rows(Frame([curve], 60, 18, x_end=199.0))[1:]) for curve in (train, validation)]
    assert max(alone) < dots(rows(Frame([train, validation], 60, 18, x_end=199.0))[1:]) <= sum(alone) + 20


def test_the_gap_between_train_and_validation_is_coloured_apart():
    train, validation = curves()
    styles = {"train": Style(color="blue"), "validation": Style(color="yellow")}
    strips = draw(Frame([train, validation], 60, 18, styles=styles))
    drawn = {}
    for row, strip in enumerate(strips[1:-2]):
        for segment in strip:
            if segment.style and segment.style.color:
                drawn.setdefault(segment.style.color.name, set()).add(row)
    assert max(drawn["blue"]) > max(drawn["yellow"])


def test_eight_runs_have_eight_markers():
    runs = [series(np.linspace(1, k, 100), f"run {k}", f"run-{k}") for k in range(8)]
    legend = rows(Frame(runs, 160, 20))[0]
    assert len({part.split()[0] for part in legend.split("  ") if part.strip()}) == 8
    assert rows(Frame(runs[3:4], 160, 20))[0].split()[0] in legend


def test_a_mark_is_a_thin_line_with_its_glyph_on_top():
    picture = rows(Frame([series(np.zeros(101))], 61, 12, [Mark(50.0, "◆")], x_end=100.0))
    column = picture[1].index("◆")
    assert abs(column - 32) <= 1
    assert picture[2][column] == "┊"


def test_marks_outside_the_range_are_left_out():
    assert "◆" not in "".join(rows(Frame([series([1, 2])], 60, 12, [Mark(50.0, "◆"), Mark(-1.0, "◆")])))


def test_x_and_y_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        Series("train", np.arange(3.0), np.arange(2.0))


def test_a_mark_wider_than_a_cell_is_refused():
    with pytest.raises(ValueError, match="one cell wide"):
        Mark(1.0, "火")


def test_ascii_only_means_ascii_only():
    train, validation = curves()
    frame = Frame([train, validation], 60, 18, [Mark(50.0, "▼")], ascii_only=True)
    assert all(text.isascii() for text in rows(frame))


@pytest.mark.parametrize("label", ["[red]x[/]", "a\x1b[31mb", "火火火火火火", "x" * 500, "", "\n"])
def test_a_label_is_only_ever_text(label):
    for width in (5, 20, 60):
        strip = draw(Frame([series([1, 2], label)], width, 9))[0]
        assert strip.cell_length == width
        assert "\x1b" not in strip.text
        assert "\n" not in strip.text
    if label == "[red]x[/]":
        assert label in strip.text


def test_appending_a_point_changes_only_rows_near_it():
    values = np.exp(-np.arange(4000.0) / 800)
    before, after = (draw(Frame([series(values[:n])], 60, 18)) for n in (3900, 3901))
    assert sum(old != new for old, new in zip(before, after, strict=True)) <= 2


def by_rate(values, **options) -> Frame:
    rates = 10.0 ** np.arange(-4.0, -4.0 + len(values))
    return Frame([Series("loss", rates, np.array(values, dtype=float), "train")], 45, 11, log_x=True, **options)


def test_a_logarithmic_x_axis_has_its_decades_at_even_distances_and_ends_with_the_data():
    *_, rule, numbers = rows(by_rate([2.0, 1.0, 0.5, 1.0, 2.0], x_label=""))
    places = [match.start() for match in re.finditer("┬", rule)]
    assert numbers.split() == ["1e-4", "1e-3", "0.01", "0.1", "1"]
    assert places[0] == rule.index("└") + 1
    assert places[-1] == len(rule) - 1
    assert max(np.diff(places)) - min(np.diff(places)) <= 1


def test_a_mark_on_a_logarithmic_x_axis_stands_at_its_value():
    picture = rows(by_rate([2.0, 1.0, 0.5, 1.0, 2.0], marks=[Mark(1e-2, "◆"), Mark(0.0, "v"), Mark(1e9, "v")]))
    axis = picture[-2].index("└")
    assert picture[1].index("◆") - axis == pytest.approx((45 - axis) / 2, abs=1)
    assert "v" not in "".join(picture)


def test_points_that_a_logarithmic_x_axis_has_no_place_for_are_left_out():
    x = np.array([-1.0, 0.0, 1e-3, 1e-2, 1e-1])
    shown = rows(Frame([Series("loss", x, np.array([9e9, 9e9, 1.0, 2.0, 3.0]), "train")], 60, 12, log_x=True))
    without = rows(Frame([Series("loss", x[2:], np.array([1.0, 2.0, 3.0]), "train")], 60, 12, log_x=True))
    assert shown == without
    y = np.array([1.0, 1.0, 1.0, 2.0, 3.0])
    banded = rows(Frame([Series("loss", x, y, "train", low=y - 1, high=y + 1)], 60, 12, log_x=True))
    assert banded == rows(
        Frame([Series("loss", x[2:], y[2:], "train", low=y[2:] - 1, high=y[2:] + 1)], 60, 12, log_x=True)
    )
    assert len(rows(Frame([Series("loss", x[:2], x[:2], "train")], 60, 12, log_x=True))) == 12


def test_less_than_two_decades_are_divided_too():
    x = np.geomspace(2e-3, 3e-2, 20)
    numbers = rows(Frame([Series("loss", x, x, "train")], 60, 12, log_x=True))[-1]
    assert numbers.split() == ["2e-3", "5e-3", "0.01", "0.02"]


def test_both_axes_may_be_logarithmic_in_any_size():
    for size in ((1, 1), (5, 2), (12, 5), (60, 18)):
        for values in ([], [1.0], [np.nan, 1e-9, 1e30]):
            frame = by_rate(values, log_y=True)
            strips = draw(Frame(frame.series, *size, log_x=True, log_y=True))
            assert [strip.cell_length for strip in strips] == [size[0]] * size[1]


def test_a_chart_may_do_without_its_legend():
    with_legend, without = (rows(Frame([series([4, 3, 2])], 40, 9, legend=legend)) for legend in (True, False))
    assert "train" in with_legend[0]
    assert "train" not in "".join(without)
    assert without[0].startswith("4┤")
