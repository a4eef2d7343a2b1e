"""Habits of msgspec that mappings/lines.py rests on: an upgrade that changes one fails here."""

import msgspec
import pytest

RAW = msgspec.json.Decoder(list[msgspec.Raw])
BROKEN = {
    "a control character in a string": b'{"a":"x\x01y"}',
    "a NUL in a string": b'{"a":"\x00"}',
    "a tab in a string": b'{"a":"x\ty"}',
    "a line feed in a string": b'{"a":"x\ny"}',
    "a control character in a name": b'{"a\x01":1}',
    "a lone high surrogate": b'{"a":"\\ud800"}',
    "a lone high surrogate before a character": b'{"a":"\\ud800\\u0041"}',
    "a lone low surrogate": b'{"a":"\\udc00"}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":-Infinity}',
    "a leading zero": b'{"a":01}',
    "no digits after the point": b'{"a":1.}',
    "no digits before the point": b'{"a":.5}',
    "a plus sign": b'{"a":+1}',
    "an exponent without digits": b'{"a":1e}',
    "an unknown escape": b'{"a":"\\x"}',
    "an escape that is not hexadecimal": b'{"a":"\\uZZZZ"}',
    "a comma too many": b'{"a":1,}',
    "a name that is not text": b"{1:2}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a comment": b'{"a":1/*x*/}',
    "a word cut off": b'{"a":tru}',
}
ACCEPTED = {
    "a byte that is not UTF-8": b'{"a":"\xff"}',
    "a name that is not UTF-8": b'{"\xff":1}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "an overlong NUL": b'{"a":"\xc0\x80"}',
    "a character cut off": b'{"a":"\xe4\xb8"}',
    "line feeds between tokens": b'{\n "a": 1\n}',
    "a carriage return between tokens": b'{\r"a":1}',
    "duplicate names": b'{"a":1,"a":2}',
    "a number no double can hold": b'{"a":1e400}',
    "an integer of 5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "an escaped NUL": b'{"a":"\\u0000"}',
    "a pair of surrogates": b'{"a":"\\ud83d\\ude00"}',
}


@pytest.mark.parametrize("record", BROKEN.values(), ids=BROKEN.keys())
def test_raw_is_refused_when_it_contains(record):
    with pytest.raises(msgspec.DecodeError):
        RAW.decode(b"[" + record + b"]")


@pytest.mark.parametrize("record", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_raw_keeps_as_it_is(record):
    assert [bytes(item) for item in RAW.decode(b"[ " + record + b" ,1]")] == [record, b"1"]


def test_depth_is_limited_by_an_error_and_not_by_a_crash():
    with pytest.raises(RecursionError):
        RAW.decode(b"[" * 200_000 + b"]" * 200_000)


def test_format_takes_out_whitespace_and_changes_nothing_else():
    record = b'{\n "a" : 1.10 ,\t"b":[ ],"c":"x \\u4e2d\\/ ","a":1e400,"d":12345678901234567890123}'
    compact = b'{"a":1.10,"b":[],"c":"x \\u4e2d\\/ ","a":1e400,"d":12345678901234567890123}'
    assert msgspec.json.format(record, indent=-1) == compact


def test_floats_that_are_not_finite_are_written_as_null_without_a_word():
    assert msgspec.json.encode([float("nan"), float("inf")]) == b"[null,null]"


def test_raw_is_written_as_it_is():
    assert msgspec.json.encode({"a": msgspec.Raw(b"1e400")}) == b'{"a":1e400}'
