import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.buckets import bucket_width, reduce_series

COLUMNS = 8
any_float = st.floats(allow_nan=True, allow_infinity=True)


def buckets_of(x: np.ndarray, columns: int) -> np.ndarray:
    return np.floor(x / bucket_width(float(x[0]), float(x[-1]), columns))


@given(st.lists(any_float, min_size=2 * COLUMNS + 1, max_size=300))
def test_every_bucket_keeps_its_true_minimum_and_maximum(values):
    x, y = np.arange(float(len(values))), np.array(values)
    reduced_x, reduced_y = reduce_series(x, y, COLUMNS)
    buckets, reduced_buckets = buckets_of(x, COLUMNS), np.floor(reduced_x / bucket_width(x[0], x[-1], COLUMNS))
    for bucket in np.unique(buckets):
        finite = y[(buckets == bucket) & np.isfinite(y)]
        kept = reduced_y[reduced_buckets == bucket]
        kept = kept[np.isfinite(kept)]
        assert (finite.min(), finite.max()) == (kept.min(), kept.max()) if finite.size else kept.size == 0


@given(st.lists(any_float, max_size=300), st.integers(2, 40))
def test_reduced_points_fit_the_columns_and_come_from_the_series_in_order(values, columns):
    x, y = np.arange(float(len(values))), np.array(values)
    reduced_x, reduced_y = reduce_series(x, y, columns)
    assert len(reduced_x) == len(reduced_y) <= 2 * columns
    assert (np.diff(reduced_x) > 0).all()
    original = y[reduced_x.astype(int)]
    assert np.array_equal(np.where(np.isfinite(original), original, np.nan), reduced_y, equal_nan=True)


@given(st.integers(2 * COLUMNS + 1, 500), st.integers(1, 50))
def test_appended_points_leave_complete_buckets_alone(count, more):
    x, y = np.arange(float(count + more)), np.random.default_rng(count).normal(size=count + more)
    width = bucket_width(0.0, float(count - 1), COLUMNS)
    if width != bucket_width(0.0, float(count + more - 1), COLUMNS):
        return
    complete = np.floor((count - 1) / width) * width
    before, after = (reduce_series(x[:n], y[:n], COLUMNS) for n in (count, count + more))
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old[before[0] < complete], new[after[0] < complete])


def test_borders_of_wider_buckets_are_borders_of_narrower_ones():
    widths = {bucket_width(0.0, float(last), 50) for last in range(1, 5000)}
    assert all(np.log2(width).is_integer() for width in widths)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 200))
def test_bucket_width_never_needs_more_than_the_columns(first, span, columns):
    width = bucket_width(first, first + span, columns)
    assert np.floor((first + span) / width) - np.floor(first / width) + 1 <= columns


def test_a_bucket_of_non_finite_values_is_a_gap():
    x, y = np.arange(64.0), np.zeros(64)
    y[16:32] = [np.nan, np.inf, -np.inf, np.nan] * 4
    reduced_x, reduced_y = reduce_series(x, y, 4)
    assert np.isnan(reduced_y[(reduced_x >= 16) & (reduced_x < 32)]).all()
    assert np.isfinite(reduced_y[(reduced_x < 16) | (reduced_x >= 32)]).all()


def test_one_spike_among_a_million_points_is_kept():
    y = np.zeros(1_000_000)
    y[123_456] = 9.0
    x, reduced = reduce_series(np.arange(1_000_000.0), y, 50)
    assert x[reduced.argmax()] == 123_456
    assert reduced.max() == 9.0


def test_a_short_series_comes_back_untouched():
    x, y = np.array([1.0, 5.0, 6.0]), np.array([3.0, np.inf, 1.0])
    reduced_x, reduced_y = reduce_series(x, y, 2)
    assert reduced_x.tolist() == [1.0, 5.0, 6.0]
    assert np.array_equal(reduced_y, [3.0, np.nan, 1.0], equal_nan=True)


def test_a_single_column_is_refused():
    with pytest.raises(ValueError, match="columns must be at least 2, got 1"):
        bucket_width(-1.0, 1.0, 1)
