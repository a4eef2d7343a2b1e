"""Landing lines as frames of text: exact, and nothing left out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import objects, reading
from mappings.lines import lines_of_page
from mappings.reading import Frame, Rejected, read, read_chunks
from mappings.suspects import suspects

AT = 1_767_225_600_000_000


def landed(*records):
    return lines_of_page(records, AT, validated=False)[0]


def cells(frame, name):
    return frame.rows[name].to_list()


def one(value, name="a"):
    """What a column says for a value as JSON, at the top and nested in a list."""
    frame = read(landed(b'{"a":' + value + b',"l":[' + value + b"]}"), ["a", "l"])
    return cells(frame, name)[0]


def test_rows_know_their_line_and_when_they_were_extracted():
    frame = read(landed(b'{"a":1}', b'{"b":"x"}'), ["a", "b"], first_line=101)
    assert frame.rows.to_dicts() == [
        {"_line_no": 101, "_extracted_at": AT, "a": "1", "b": None},
        {"_line_no": 102, "_extracted_at": AT, "a": None, "b": "x"},
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (b"1234567890123456789", "1234567890123456789"),
        (b"9" * 60, "9" * 60),
        (b"12345678901234567.89", "12345678901234567.89"),
        (b"-0.12345678901234567890", "-0.1234567890123456789"),
        (b"1e400", "1e400"),
        (b"1.23E+18", "1.23E+18"),
        (b"5e-324", "5e-324"),
        (b"99999999999999.99", "99999999999999.99"),
        (b"0.30000000000000004", "0.30000000000000004"),
        (b"12.50", "12.5"),
        (b"-0", "0"),
    ],
)
def test_numbers_are_exact_at_any_length_also_inside_lists(number, text):
    assert one(number) == text
    assert one(number, "l") == f"[{text}]"


number = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.integers(0, 10**22),
    st.just("") | st.text("0123456789", min_size=1, max_size=22).map(".{}".format),
    st.just("") | st.integers(-400, 400).map("e{}".format),
)


@given(st.lists(number, min_size=1, max_size=30), st.sampled_from(["", " "]))
def test_every_number_is_read_with_its_value(numbers, space):
    records = [f'{{"a":{space}{n},"l":[{space}{n},{space}{n}],"o":{{"k":{n}}}}}'.encode() for n in numbers]
    frame = read(landed(*records), ["a", "l", "o"])
    values = [Decimal(n) for n in numbers]
    assert [Decimal(cell) for cell in cells(frame, "a")] == values
    assert [[Decimal(part) for part in cell.strip("[]").split(",")] for cell in cells(frame, "l")] == [
        [value, value] for value in values
    ]
    assert [Decimal(cell.split(":")[1].strip("} ")) for cell in cells(frame, "o")] == values


def test_numbers_are_found_wherever_they_lie_in_a_file():
    for token in (b"0.12345678901234567", b"-1234567890123.45", b"-12345678901234567e-5", b"1E5", b"9" * 80 + b".5"):
        for before in range((1 << 16) - 100, (1 << 16) + 3):
            line = b'{"pad":"' + b"x" * (before - 13) + b'","a":' + token + b"}\n"
            assert suspects(b"{}\n" + line) == [(1, 3, 2 + len(line))], (token, before)


def test_the_way_a_line_was_read_cannot_be_seen_in_it():
    quick = read(landed(b'{"a":1.50,"b":5.0,"c":-0}'), ["a", "b", "c"])
    slow = read(landed(b'{"a":1.50,"b":5.0,"c":-0,"x":1e400}'), ["a", "b", "c"])
    assert (quick.exact, slow.exact) == (0, 1)
    assert quick.rows.equals(slow.rows)


def test_the_first_of_duplicate_members_wins_on_both_ways():
    frame = read(landed(b'{"a":1,"a":2}', b'{"a":1,"a":1e400}', b'{"a":1,"\\u0061":{"b\\n":2}}'), ["a"])
    assert (cells(frame, "a"), frame.exact) == (["1", "1", "1"], 2)


def test_nul_is_taken_out_and_counted_and_an_escaped_backslash_hides_nothing():
    frame = read(landed(rb'{"a":"x\u0000y\u0000","l":["\u0000"]}', rb'{"a":"\\u0000"}'), ["a", "l"])
    assert cells(frame, "a") == ["xy", "\\u0000"]
    assert cells(frame, "l") == ['[""]', None]
    assert frame.nuls == 3


def test_lone_surrogates_in_lines_that_somebody_else_wrote_become_replacement_characters():
    line = b'{"_extracted_at":5,"a":"x\\ud800","l":["\\udc00","\\ud83d\\ude00"]}\n'
    frame = read(line, ["a", "l"])
    assert (cells(frame, "a"), cells(frame, "l")) == (["x\ufffd"], ['["\ufffd","😀"]'])


def test_nested_text_is_json_again_whatever_is_in_its_names_and_strings():
    assert one(rb'{"x\n\"":"C:\\new \" \t"}') == r'{"x\n\"":"C:\\new \" \t"}'


def test_rejected_lines_are_told_apart_by_where_they_begin():
    lines = landed(b"[1]", b'{"_rejected":"me","a":1}', b'{"a":2}')
    frame = read(lines, ["a", "_rejected"])
    assert frame.rejected == (Rejected(1, "not-an-object", AT, b"[1]"),)
    assert cells(frame, "_rejected") == ["me", None]


def test_blank_lines_shift_no_numbers():
    lines = landed(b'{"a":1}') + b"\n  \n" + landed(b'{"a":2}')
    frame = read(lines, ["a"])
    assert frame.rows["_line_no"].to_list() == [1, 4]
    assert (frame.lines, frame.blank) == (4, 2)


def test_a_file_cut_off_loses_its_last_line_with_a_reason():
    lines = landed(b'{"a":1}', b'{"a":"xyz"}')[:-5]
    frame = read(lines, ["a"])
    assert cells(frame, "a") == ["1"]
    assert frame.rejected == (Rejected(2, "truncated", None, lines.split(b"\n")[1]),)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"[1]", "not-an-object"),
        (b"{'a':1}", "broken-json"),
        (b'{"a":"\xff"}', "not-utf8"),
        (b'{"_extracted_at":5,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too-deep"),
        (b'{"a":1}', "no-extraction-time"),
        (b'{"_extracted_at":"soon","a":1}', "no-extraction-time"),
    ],
)
def test_a_line_that_nobody_can_read_is_rejected_with_its_bytes_and_the_others_stay(line, code):
    good = [b'{"a":%d}' % n for n in range(50)]
    frame = read(landed(*good[:20]) + line + b"\n" + landed(*good[20:]), ["a"])
    assert [(r.line_no, r.code, r.record) for r in frame.rejected] == [(21, code, line)]
    assert cells(frame, "a") == [str(n) for n in range(50)]


def test_a_few_bad_lines_are_found_by_halves_and_not_one_by_one(monkeypatch):
    read_before = objects._read
    readings = []

    def counted(*args):
        readings.append(args)
        return read_before(*args)

    monkeypatch.setattr(objects, "_read", counted)
    records = [b'{"a":%d}' % n for n in range(1024)]
    records[500] = b'{"a":' + b"9" * 50 + b"}"
    assert cells(read(landed(*records), ["a"]), "a")[500] == "9" * 50
    assert len(readings) <= 2 + 2 * 11


def test_files_are_read_in_chunks_with_line_numbers_that_go_on(monkeypatch):
    monkeypatch.setattr(reading, "CHUNK_LINES", 2)
    frames = list(read_chunks(landed(*[b'{"a":%d}' % n for n in range(5)]), ["a"]))
    assert [frame.rows["_line_no"].to_list() for frame in frames] == [[1, 2], [3, 4], [5]]
    assert list(read_chunks(b"", ["a"])) == []


def test_wanted_fields_that_no_line_has_and_fields_that_nobody_wants_are_reported():
    frame = read(landed(b'{"a":1,"new":1}', '{"a":1,"姓名":null}'.encode()), ["a", "b", "姓名"])
    assert frame.absent == ("b",)
    assert frame.unknown == ("new",)


def test_a_member_called_like_ours_is_never_believed():
    frame = read(landed(b'{"_extracted_at":9,"a":1}'), ["a"])
    assert frame.rows["_extracted_at"].to_list() == [AT]


def test_no_lines_are_an_empty_frame():
    frame = read(b"", ["a"])
    assert (frame.rows.columns, frame.lines) == (["_line_no", "_extracted_at", "a"], 0)
    assert isinstance(frame, Frame)
