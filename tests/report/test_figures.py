"""Figures are never prettier than the truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.report import figures


@pytest.mark.parametrize(
    ("good", "total", "shown"),
    [
        (98_996, 100_000, "98.99%"),
        (989_999, 1_000_000, "98.99%"),
        (99, 100, "99%"),
        (999_999_999, 1_000_000_000, "99.99%"),
        (7, 7, "100%"),
        (0, 7, "0%"),
        (1, 1_000_000, "<0.01%"),
        (0, 0, "无数据"),
    ],
)
def test_a_share_is_cut_and_never_rounded_up(good, total, shown):
    assert figures.percent({"good": good, "total": total}) == shown


@pytest.mark.parametrize(
    ("part", "total", "shown"),
    [
        (2_001, 100_000, "2.01%"),
        (1, 10_000_000, "0.01%"),
        (0, 10, "0%"),
        (9_999_999, 10_000_000, "99.99%"),
        (0, 0, "无数据"),
    ],
)
def test_a_failure_rate_is_raised_and_never_rounded_down(part, total, shown):
    assert figures.rate(part, total) == shown


@given(total=st.integers(1, 10**15), data=st.data())
def test_a_share_below_its_target_never_reads_as_the_target(total, data):
    good = data.draw(st.integers(0, total))
    shown = figures.percent({"good": good, "total": total})
    assert (shown == "100%") == (good == total)
    assert (shown == "0%") == (good == 0)
    if not shown.startswith("<"):
        hundredths = round(float(shown.rstrip("%")) * 100)
        assert hundredths * total <= good * 10_000


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 秒"),
        (0.2, "1 秒"),
        (48, "48 秒"),
        (60, "1 分钟"),
        (580, "9 分 40 秒"),
        (3_600, "1 小时"),
        (7_500, "2 小时 5 分"),
        (273_600, "3 天 4 小时"),
        (None, "无数据"),
    ],
)
def test_durations_are_said_in_their_two_largest_units(seconds, shown):
    assert figures.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (12_840, "12,840"),
        (999_999, "999,999"),
        (1_284_000, "128.40 万"),
        (128_400_000, "1.28 亿"),
        (None, "无数据"),
    ],
)
def test_long_numbers_are_counted_in_wan(value, shown):
    assert figures.short_number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("38400.00", "¥38,400.00"),
        ("0", "¥0.00"),
        ("-12.5", "−¥12.50"),
        ("99999999999999.9949", "¥99,999,999,999,999.99"),
        (None, "无数据"),
    ],
)
def test_amounts_are_exact_to_the_fen(value, shown):
    assert figures.yuan(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.99, "99%"), (0.995, "99.5%"), (1.0, "100%"), (0.07, "7%")])
def test_a_limit_is_said_as_somebody_wrote_it(value, shown):
    assert figures.limit(value) == shown
