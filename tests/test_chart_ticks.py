import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.chart_ticks import Range, log_ticks, reading, tick_labels, ticks, x_range, y_range


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 0.5, 1.0], ["0", "0.5", "1.0"]),
        ([0.01, 0.02], ["0.01", "0.02"]),
        ([0.001], ["1e-3"]),
        ([1e-4, 1.5e-4], ["1.0e-4", "1.5e-4"]),
        ([0.0, 500.0, 1000.0], ["0", "500", "1000"]),
        ([10_000.0, 12_500.0], ["10.0k", "12.5k"]),
        ([1e6], ["1M"]),
        ([1e12], ["1e12"]),
        ([-0.25, 0.0, 0.25], ["-0.25", "0", "0.25"]),
        ([], []),
    ],
)
def test_tick_labels_are_short_and_alike(values, labels):
    assert tick_labels(values) == labels


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.000"),
        (0.12, "0.1200"),
        (0.99996, "1.000"),
        (1234.5, "1234"),
        (9999.9, "10.00k"),
        (123_456.0, "123.5k"),
        (1_234_567.0, "1.235M"),
        (0.00025, "2.500e-4"),
        (1e-300, "1.000e-300"),
        (-2.5, "-2.500"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_a_reading_has_four_digits(value, text):
    assert reading(value) == text


@given(st.floats(-1e200, 1e200), st.floats(-1e200, 1e200))
def test_the_y_range_holds_the_data(first, second):
    low, high = min(first, second), max(first, second)
    limits = y_range(low, high)
    assert limits.low <= low <= high <= limits.high
    assert limits.low < limits.high


@given(st.floats(0, 1e9), st.floats(1e-3, 1e9))
def test_the_x_range_holds_the_data_and_wastes_an_eighth_at_most(first, span):
    limits = x_range(first, first + span)
    assert limits.low <= first
    assert first + span <= limits.high <= limits.low + (first + span - limits.low) * 1.13


def test_the_x_range_seldom_moves():
    assert len({x_range(0.0, float(last)) for last in range(1000, 2000)}) <= 9


def test_a_loss_above_zero_gets_no_axis_below_zero():
    assert y_range(0.001, 2.0).low == 0.0


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 30))
def test_ticks_lie_inside_and_ascend(low, span, count):
    values = ticks(Range(low, low + span), count)
    assert all(low - span * 1e-5 <= value <= low + span * (1 + 1e-5) for value in values)
    assert values == sorted(set(values))
    assert len(values) <= count + 1


def test_whole_ticks_have_no_fractions():
    assert ticks(Range(0.0, 2.0), 8, whole=True) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("limits", "values"),
    [
        (Range(-3.0, 0.0), [0.001, 0.01, 0.1, 1.0]),
        (Range(-0.7, 0.4), [0.2, 0.5, 1.0, 2.0]),
        (Range(0.01, 0.02), None),
    ],
)
def test_log_ticks_are_decades_or_simple_values_between(limits, values):
    found = log_ticks(limits, 5)
    assert found == pytest.approx(values) if values else len(found) >= 2
