"""One compact, valid UTF-8 JSON object a line, whatever came."""

import json
from base64 import b64decode
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.lines import Counts, line_of_raw, line_of_record, lines_of_page, rejected_line

AT = 1_767_225_600_000_000
FRONT = b'{"_extracted_at":1767225600000000,'


def body(record):
    line = line_of_raw(record, AT)
    assert line.startswith(FRONT), line
    assert line.endswith(b"}\n")
    return b"{" + line[len(FRONT) : -1]


def rejected(record):
    """The reason, given that the line carries the record's bytes."""
    line = line_of_raw(record, AT)
    assert line.startswith(b'{"_rejected":"')
    found = json.loads(line)
    assert (found["_extracted_at"], b64decode(found["_bytes"])) == (AT, record)
    return found["_rejected"]


def test_a_record_that_is_one_line_of_json_is_kept_byte_by_byte():
    record = '{"id":12345678901234567890,"paid":99999999999999.99,"x":1e400,"名":"\\u4e2d \\/ 张","id":2}'.encode()
    assert body(record) == record


def test_an_empty_object_has_only_the_time():
    assert line_of_raw(b"{}", AT) == line_of_raw(b"{ }", AT) == b'{"_extracted_at":1767225600000000}\n'


def test_a_pretty_printed_record_becomes_one_line():
    assert body(b'{\r\n\t"a": 1.10,\n  "b": [ 1, {} ]\n}\n') == b'{"a":1.10,"b":[1,{}]}'


def test_control_characters_in_strings_are_escaped():
    assert body(b'{"a":"x\x01y\nz\t","b":1.10}') == b'{"a":"x\\u0001y\\nz\\t","b":1.10}'


def test_nan_and_the_infinities_become_text_and_other_numbers_keep_their_digits():
    record = b'{"a":NaN,"b":[-Infinity,Infinity],"c":1.10,"d":1e400,"e":-0}'
    assert body(record) == b'{"a":"NaN","b":["-Infinity","Infinity"],"c":1.10,"d":1e400,"e":-0}'


def test_lone_surrogates_become_replacement_characters_and_are_counted():
    page = [b'{"a":"\\ud800x\\udc00","\\udfff":"\\ud83d\\ude00"}', b'{"a":1}']
    lines, counts = lines_of_page(page, AT, validated=False)
    assert lines.split(b"\n")[0] == FRONT + '"a":"\ufffdx\ufffd","\ufffd":"😀"}'.encode()
    assert counts == Counts(records=2, repaired=1, surrogates=3)


def test_of_duplicate_members_the_first_stays_when_a_record_is_repaired():
    assert body(b'{"a":1,"a":NaN,"b":{"c":1,"c":2}}') == b'{"a":1,"b":{"c":1}}'


def test_a_byte_order_mark_is_taken_off():
    assert body(b'\xef\xbb\xbf{"a":1.10}') == b'{"a":1.10}'


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"[1]", "not-an-object"),
        (b" null", "not-an-object"),
        (b'"{}"', "not-an-object"),
        (b"[NaN]", "not-an-object"),
        (b'{"a":1', "truncated"),
        (b'{"a":"x', "truncated"),
        (b"", "truncated"),
        (b'{"a":1}{"a":2}', "broken-json"),
        (b"{'a':1}", "broken-json"),
        (b'{"a":01}', "broken-json"),
        (b'{"a":"\xff"}', "not-utf8"),
        (b'{"a":"\xed\xa0\x80"}', "not-utf8"),
        ("{}".encode("utf-16"), "not-utf8"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too-deep"),
    ],
)
def test_what_cannot_be_one_json_object_lands_with_its_bytes_and_the_reason(record, reason):
    assert rejected(record) == reason


def test_a_record_cannot_pass_for_a_rejected_line_or_for_another_time():
    record = b'{"_rejected":"x","_extracted_at":1,"_bytes":""}'
    assert body(record) == record
    assert json.loads(line_of_raw(record, AT), object_pairs_hook=lambda m: m)[0] == ("_extracted_at", AT)


def test_a_page_that_msgspec_split_gives_the_same_lines_as_its_records_alone():
    records = [b'{"a":1}', b"{}", b'{ "b" : 2 }', b'{\n"c":3}', b"[]", b'{"d":"\xff"}', b'{"e":"\xe5\xbc\xa0"}']
    page = msgspec.json.decode(b"[" + b" , ".join(records) + b"]", type=list[msgspec.Raw])
    lines, counts = lines_of_page(page, AT, validated=True)
    assert lines == b"".join(line_of_raw(record, AT) for record in records)
    assert counts == Counts(records=7, rejected=2)


def test_records_that_are_json_only_together_are_rejected_one_by_one():
    lines, counts = lines_of_page([b'{"a":[1', b"2]}", b'{"b":1},{"c":2}'], AT, validated=False)
    assert counts == Counts(records=3, rejected=3)
    assert lines.count(b'{"_rejected":') == 3


def test_an_empty_page_has_no_lines():
    assert lines_of_page([], AT, validated=True) == (b"", Counts())


def test_one_bad_record_in_a_long_page_changes_no_other_line():
    page = [b'{"n":%d}' % n for n in range(2000)]
    page[1234] = b'{"n":'
    lines, counts = lines_of_page(page, AT, validated=False)
    assert counts == Counts(records=2000, rejected=1)
    assert lines.split(b"\n")[1233:1236:2] == [FRONT + b'"n":1233}', FRONT + b'"n":1235}']


@given(st.lists(st.binary(max_size=30) | st.just(b'{"a":1}'), max_size=6), st.booleans())
def test_every_record_is_one_line_of_valid_utf8_json(records, known_good):
    validated = known_good and all(is_json(record) for record in records)
    lines, counts = lines_of_page(records, AT, validated=validated)
    assert counts.records == len(records) == len(lines.splitlines())
    for line in lines.decode().split("\n")[:-1]:
        assert isinstance(json.loads(line), dict)


def is_json(record):
    try:
        msgspec.json.decode(record, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def test_a_rejected_line_can_be_made_for_what_is_no_record_at_all():
    assert json.loads(rejected_line("no-such-sheet", b"\x00", 7)) == {
        "_rejected": "no-such-sheet",
        "_extracted_at": 7,
        "_bytes": "AA==",
    }


# --- Python values ----------------------------------------------------------------------------------------------


def of(record):
    line = line_of_record(record, AT)
    assert line.endswith(b"\n")
    members = json.loads(line, parse_float=Decimal)
    assert members.pop("_extracted_at") == AT
    return members


def test_money_and_large_integers_keep_every_digit():
    record = {"paid": Decimal("12345678901234.50"), "zero": Decimal("0E-10"), "id": 10**40, "f": 0.1}
    assert of(record) == {"paid": "12345678901234.50", "zero": "0E-10", "id": 10**40, "f": Decimal("0.1")}


def test_times_are_iso_8601_with_the_offset_they_have():
    beijing = timezone(timedelta(hours=8))
    record = {
        "naive": datetime(2026, 1, 31, 12, 0, 0, 5),  # noqa: DTZ001 -- as a database without zones gives it
        "utc": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "beijing": datetime(2026, 1, 31, 12, tzinfo=beijing),
        "day": date(2026, 1, 31),
    }
    assert of(record) == {
        "naive": "2026-01-31T12:00:00.000005",
        "utc": "2026-01-31T12:00:00Z",
        "beijing": "2026-01-31T12:00:00+08:00",
        "day": "2026-01-31",
    }


def test_what_json_has_no_word_for_becomes_text():
    record = {
        "nan": float("nan"),
        "deep": [{"inf": float("-inf"), "none": None}],
        "bytes": b"\x00\xff",
        "uuid": UUID(int=1),
        "nothing": None,
        "set": {1},
        "tuple": (1, "x"),
        "odd": complex(1, 2),
        "surrogate": "x\ud800",
    }
    assert of(record) == {
        "nan": "NaN",
        "deep": [{"inf": "-Infinity", "none": None}],
        "bytes": "AP8=",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "nothing": None,
        "set": [1],
        "tuple": [1, "x"],
        "odd": "(1+2j)",
        "surrogate": "x\ufffd",
    }


def test_names_become_text_and_the_first_of_equal_ones_wins():
    assert of({7: "a", "7": "b", None: "c", True: "d", (1, 2): "e"}) == {
        "7": "a",
        "null": "c",
        "true": "d",
        "(1, 2)": "e",
    }


def test_a_record_of_python_values_cannot_pass_for_a_rejected_line():
    assert line_of_record({"_rejected": "x"}, AT).startswith(FRONT)
    assert line_of_record({}, AT) == b'{"_extracted_at":1767225600000000}\n'
