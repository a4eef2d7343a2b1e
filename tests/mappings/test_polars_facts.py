"""Habits of Polars that mappings/ rests on: an upgrade that changes one fails here.

Where a habit is a loss, the test says so; mappings/suspects.py keeps such lines away from Polars.
"""

import io
import random
from decimal import Decimal

import polars as pl
import pytest


def read(lines, *columns):
    rows = pl.read_ndjson(io.BytesIO(lines), schema=dict.fromkeys(columns or ("a", "b"), pl.String))
    return rows.rows()


def test_all_values_are_text_whatever_they_were():
    line = b'{"a":true,"b":5}\n{"a":"x","b":null}\n{"a":[1,"y",null],"b":{"k":false}}\n{}\n'
    assert read(line) == [("true", "5"), ("x", None), ('[1, "y", null]', '{"k": false}'), (None, None)]


def test_the_first_of_duplicate_members_wins_also_when_its_name_is_escaped():
    assert read(b'{"a":1,"a":2}\n', "a") == [("1",)]
    assert read(b'{"\\u0061":1,"a":2}\n', "a") == [("1",)]


def test_nested_duplicates_are_both_kept():
    assert read(b'{"a":{"k":1,"k":2}}\n', "a") == [('{"k": 1, "k": 2}',)]


def test_blank_lines_are_dropped_and_objects_without_wanted_members_are_not():
    assert read(b'{"a":1}\n\n  \n{}\n{"a":2}\n', "a") == [("1",), (None,), ("2",)]


def test_integers_are_exact_up_to_38_digits():
    nines = "9" * 38
    line = f'{{"a":{nines},"b":-{nines}}}\n{{"a":[{nines}],"b":18446744073709551616}}\n'
    assert read(line.encode()) == [(nines, "-" + nines), (f"[{nines}]", "18446744073709551616")]


def test_an_integer_of_40_digits_fails_the_whole_chunk():
    with pytest.raises(pl.exceptions.ComputeError):
        read(b'{"a":1}\n{"a":' + b"9" * 40 + b"}\n")


def test_numbers_below_16_characters_are_exact():
    random.seed(20261121)
    tokens: list[str] = []
    while len(tokens) < 20_000:
        digits = "".join(random.choices("0123456789", k=random.randint(2, 14)))
        point = random.randint(0, len(digits) - 1)
        token = f"{random.choice(['', '-'])}{digits[:point].lstrip('0') or '0'}.{digits[point:]}"
        if len(token.lstrip("-")) < 15:
            tokens.append(token)
    lines = "".join(f'{{"a":{token},"b":[{token}]}}\n' for token in tokens).encode()
    for token, (a, b) in zip(tokens, read(lines), strict=True):
        assert Decimal(token) == Decimal(a) == Decimal(b.strip("[]"))
        assert "e" not in a


def test_longer_ones_are_not():
    assert read(b'{"a":0.1000000000000000055,"b":[12345678901234.5678]}\n') == [("0.1", "[12345678901234.568]")]


def test_an_exponent_may_be_lost_or_fail_the_whole_chunk():
    assert read(b'{"a":1.23e+18,"b":1e-400}\n') == [("1230000000000000000", "0")]
    with pytest.raises(pl.exceptions.ComputeError):
        read(b'{"a":1}\n{"a":1e400}\n')


def test_trailing_zeros_go_and_the_minus_of_zero_stays_where_it_has_a_point():
    assert read(b'{"a":1.10,"b":5.0}\n{"a":-0,"b":-0.0}\n') == [("1.1", "5"), ("0", "-0")]


def test_a_lone_surrogate_becomes_nul():
    assert read(b'{"a":"x\\ud800"}\n', "a") == [("x\0",)]


def test_an_escaped_nul_stays_a_nul():
    assert read(b'{"a":"\\u0000x"}\n', "a") == [("\0x",)]


def test_nested_names_are_written_back_without_escaping():
    assert read(b'{"a":{"x\\n\\"":1}}\n', "a") == [('{"x\n"": 1}',)]


def test_nested_strings_are_written_back_with_raw_control_characters_but_no_raw_line_breaks():
    assert read(b'{"a":["\\b\\n\\r\\t\\u001f\\""]}\n', "a") == [('["\b\\n\\r\t\x1f\\""]',)]


def test_backslashes_in_nested_strings_are_written_back_without_escaping():
    assert read(b'{"a":["C:\\\\new"]}\n', "a") == [('["C:\\new"]',)]  # C:\new, which reads as C:, line feed, ew


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[1]",
        b'"s"',
        b"1",
        b'{"a":1}{"a":2}',
        b'{"a":1} x',
        b'{"a":',
        b'{"a":"x\x01"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":NaN}',
        b'{"a":01}',
        b'{"a":1,}',
        b'{"a":"\\udc00"}',
        b"\xef\xbb\xbf{}",
        b'{"a":"\\x"}',
        b'{"z":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_line_that_is_no_valid_json_object_fails_the_whole_chunk(line):
    with pytest.raises(pl.exceptions.PolarsError):
        read(b'{"a":1}\n' + line + b"\n")


def test_a_cast_to_decimal_rounds_without_a_word():
    assert pl.Series(["1.23456"]).cast(pl.Decimal(38, 4)).to_list() == [Decimal("1.2346")]


def test_dates_that_do_not_exist_are_null():
    cells = pl.Series(["2026-02-30 10:00:00", "0000-00-00 00:00:00", "2028-02-29 10:00:00"])
    times = cells.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    assert times.is_null().to_list() == [True, True, False]
