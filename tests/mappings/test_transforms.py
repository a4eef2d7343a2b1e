"""Each named transform: exact or null, and null has a reason."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mappings.model import Type
from mappings.transforms import find, names, registered, transform

BEIJING = timezone(timedelta(hours=8))


def apply(name, *cells, **options):
    return find(name).apply(pl.Series(cells, dtype=pl.String), options).values.to_list()


def one(name, cell, **options):
    return apply(name, cell, **options)[0]


def microseconds(year, month, day, hour=0, tz=BEIJING):
    return (datetime(year, month, day, hour, tzinfo=tz) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# --- money, quantities, numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "stored"),
    [
        ("12.5", 125_000),
        ("-0.01", -100),
        ("0", 0),
        ("-0", 0),
        ("12.5000000000", 125_000),
        ("99999999999999.99", 999_999_999_999_999_900),
        ("922337203685477.5807", 2**63 - 1),
        ("-922337203685477.5807", -(2**63 - 1)),
        ("1,234,567.8", 12_345_678_000),
        ("￥１，２３４．５元", 12_345_000),
        ("¥1234.50", 12_345_000),
        ("-¥5", -50_000),
        ("CNY 12", 120_000),
        ("(123.40)", -1_234_000),
        ("+3", 30_000),
        (" 7 ", 70_000),
        (".5", 5_000),
        ("1e2", 1_000_000),
        ("1.5E-3", 15),
    ],
)
def test_money_is_read_exactly(cell, stored):
    assert one("money", cell) == stored


@pytest.mark.parametrize(
    "cell",
    [
        "1.23456",
        "0.00001",
        "1e-5",
        "922337203685477.5808",
        "1e400",
        "12,34",
        "1,2345",
        "1.234,50",
        "--5",
        "(-5)",
        "- 5",
        "12元5角",
        "NaN",
        "Infinity",
        "abc",
        "0x1F",
        "1_000",
        "1 000",
    ],
)
def test_money_that_would_be_rounded_cut_or_guessed_is_not_read(cell):
    assert one("money", cell) is None


@given(st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, allow_infinity=False), st.integers(0, 8))
def test_money_is_the_amount_times_10000_or_nothing(amount, zeros):
    text = format(amount, "f")
    if zeros and "." in text:
        text += "0" * zeros
    stored = one("money", text)
    exact = amount * 10_000
    if exact == exact.to_integral_value() and abs(exact) < 2**63:
        assert stored == int(exact)
    else:
        assert stored is None


def test_fen_wan_and_quantities_have_their_own_scale():
    assert apply("fen", "1234", "12.5", "12.555") == [123_400, 1_250, None]
    assert apply("wan", "1.23456789", "1.234567891") == [123_456_789, None]
    assert apply("quantity", "1.5", "-2", "1.00001") == [15_000, -20_000, None]


def test_integers_are_whole():
    assert apply("integer", "5", "5.0", "5.5", "007", "1,000", str(2**63 - 1), str(2**63)) == [
        5,
        5,
        None,
        7,
        1000,
        2**63 - 1,
        None,
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("012.50", "12.5"),
        ("12.5000000000", "12.5"),
        ("-0.0", "0"),
        ("1.5e3", "1500"),
        ("123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
        ("1e400", None),
        ("1e-61", None),
        ("abc", None),
    ],
)
def test_decimals_are_canonical_text(cell, text):
    assert one("decimal", cell) == text


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_keep_their_value(number):
    text = one("decimal", str(number))
    assume(text is not None)
    assert Decimal(text) == number


# --- times ------------------------------------------------------------------------------------------------------

NOON = microseconds(2026, 1, 31, 12)


@pytest.mark.parametrize(
    ("cell", "stored"),
    [
        ("2026-01-31 12:00:00", NOON),
        ("2026-01-31T12:00:00", NOON),
        ("2026-01-31T12:00:00+08:00", NOON),
        ("2026-01-31T12:00:00+0800", NOON),
        ("2026-01-31T12:00:00+08", NOON),
        ("2026-01-31T04:00:00Z", NOON),
        ("2026-01-30T23:00:00-05:00", NOON),
        ("2026-01-31 12:00:00.123456", NOON + 123_456),
        ("2026-01-31T12:00:00.1234567+08:00", NOON + 123_456),
        ("2026-01-31 12:00:00.5", NOON + 500_000),
        ("2026-01-31 12:00", NOON),
        ("2026/1/31 12:00:00", NOON),
        ("2026-1-31 12:0:0", NOON),
        ("2026年1月31日 12时0分", NOON),
        ("20260131120000", NOON),
        ("20260131T120000+0800", NOON),
        ("1769832000", NOON),
        ("1769832000123", NOON + 123_000),
        (" 2026-01-31 12:00:00 ", NOON),
        ("2026-01-31", microseconds(2026, 1, 31)),
        ("20260131", microseconds(2026, 1, 31)),
        ("2026/1/31", microseconds(2026, 1, 31)),
    ],
)
def test_times_are_beijing_time_unless_they_carry_an_offset(cell, stored):
    assert one("time", cell) == stored
    assert apply("time", "2020-02-29 00:00:00", cell, None) == [microseconds(2020, 2, 29), stored, None]


@pytest.mark.parametrize(
    "cell",
    [
        "2026-02-30 10:00:00",
        "2026-13-01",
        "0000-00-00 00:00:00",
        "0001-01-01 00:00:00",
        "1899-12-31 00:00:00",
        "9999-12-31 23:59:59",
        "2026-01-31 24:00:00",
        "2026-01-31 12:60:00",
        "2026-01-31 23:59:60",
        "2026-01-31T12:00:00+25:00",
        "2026-01-31 12:00:00 PM",
        "31/01/2026",
        "12:00",
        "0",
        "yesterday",
    ],
)
def test_times_that_do_not_exist_or_would_be_guessed_are_not_read(cell):
    assert one("time", cell) is None


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31)),  # noqa: DTZ001 -- Hypothesis adds the zone itself
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["T", " "]),
)
def test_every_iso_time_is_its_moment(when, offset, separator):
    when = when.replace(tzinfo=timezone(timedelta(minutes=offset)))
    moment = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    stored = one("time", when.isoformat(separator))
    if microseconds(1900, 1, 1, tz=UTC) <= moment < microseconds(2200, 1, 1, tz=UTC):
        assert stored == moment
    else:
        assert stored is None


def test_many_different_fractions_are_read_like_few():
    cells = [f"2026-01-31 12:00:00.{n:06}" for n in range(1, 400)]
    assert apply("time", *cells) == [NOON + n for n in range(1, 400)]


def test_unix_times_in_the_wrong_unit_are_not_read():
    assert apply("unix_s", "1769832000", "1769832000.25", "1769832000123", "0") == [NOON, NOON + 250_000, None, None]
    assert apply("unix_ms", "1769832000123", "1769832000") == [NOON + 123_000, None]


def test_days_are_days_in_beijing():
    cells = ["2026-01-31", "2026/1/31", "20260131", "2026-01-30T16:00:00Z", "2026-01-31 23:59:59", "2026-02-30"]
    assert apply("day", *cells, "1850-06-01") == ["2026-01-31"] * 5 + [None, "1850-06-01"]


# --- words ------------------------------------------------------------------------------------------------------


def test_text_is_trimmed_and_control_characters_are_counted():
    cells = pl.Series([" a\x01b\x7f ", "a\tb\nc", "　张 三　", "  ", None])
    found = find("text").apply(cells, {})
    assert found.values.to_list() == ["ab", "a\tb\nc", "张 三", None, None]
    assert found.removed == 2


def test_ids_keep_leading_zeros_and_long_digits_and_lose_the_apostrophe_of_excel():
    assert apply("id", "007", "'00123", " 1234567890123456789 ", "3E10", "A.5E+1") == [
        "007",
        "00123",
        "1234567890123456789",
        "3E10",
        "A.5E+1",
    ]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("1.23457E+18", "cell.id-damaged"),
        ("1E+15", "cell.id-damaged"),
        ("1.23456789E18", "cell.id-damaged"),
        ("12\x0034", "cell.control-character"),
        ("12\n\x1f34", "cell.control-character"),
    ],
)
def test_a_damaged_id_is_not_read_and_says_why(cell, code):
    assert one("id", cell) is None
    assert find("id").reason(cell) == code


def test_choices_are_looked_up_and_the_models_own_words_stand_for_themselves():
    options = {"choices": {"已付款": "paid"}, "closed": ("paid", "done")}
    assert apply("choice", "已付款", " 已付款 ", "done", "退款中", " ", **options) == [
        "paid",
        "paid",
        "done",
        None,
        None,
    ]


def test_other_choices_become_what_the_map_says():
    assert apply("choice", "a", "x ", choices={"a": "b"}, other="keep-text") == ["b", "x"]
    assert apply("choice", "a", "x", " ", choices={"a": "b"}, other="c") == ["b", "c", None]


def test_flags():
    assert apply("flag", "是", "否", "TRUE", " n ", "1", "0", "maybe", "") == [1, 0, 1, 0, 1, 0, None, None]
    assert apply("flag", "A", "c", "1", true=("A", "B"), false=("C",)) == [1, 0, None]


def test_small_text_transforms():
    assert apply("upper", " ab ", "") == ["AB", None]
    assert apply("lower", "AB") == ["ab"]
    assert apply("digits", "138-0000 0001", "x") == ["13800000001", None]
    assert apply("strip_prefix", "TB-1", "1", "TB-", prefix="TB-") == ["1", "1", None]
    assert apply("strip_suffix", "1.0", "1", suffix=".0") == ["1", "1"]


def test_json_is_compact_exact_and_has_no_duplicates():
    cells = ['{"a":12345678901234567.10, "a":2}', "[1, 2]", "x", "5", "{broken", " "]
    assert apply("json", *cells) == ['{"a":12345678901234567.1}', "[1,2]", '"x"', '"5"', '"{broken"', None]


# --- the register ----------------------------------------------------------------------------------------------


def test_every_mapped_type_has_a_transform_of_its_name():
    assert {kind.value for kind in Type} - set(names()) == {"digest"}
    for kind in set(Type) - {Type.DIGEST}:
        assert kind in find(kind.value).fills


def test_two_transforms_cannot_share_a_name():
    with pytest.raises(ValueError, match="money"):
        transform("money", Type.MONEY, "x", find("money").meaning)(lambda cells, options: cells)


@pytest.mark.parametrize("name", names())
def test_every_transform_takes_nothing_nulls_and_blanks(name):
    options = {"prefix": "x", "suffix": "x"}
    made = find(name).apply(pl.Series([], dtype=pl.String), options).values
    assert made.len() == 0
    assert find(name).apply(pl.Series([None, "", " "], dtype=pl.String), options).values.to_list() == [None] * 3
    assert registered()[name].meaning.zh
    assert registered()[name].meaning.en


@pytest.mark.parametrize("name", [name for name in names() if name not in ("choice", "strip_prefix", "strip_suffix")])
@given(st.lists(st.text() | st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{0,12})?(e[0-9])?", fullmatch=True), max_size=6))
def test_a_cell_is_read_alone_as_among_others(name, cells):
    assert apply(name, *cells) == [one(name, cell) for cell in cells]
