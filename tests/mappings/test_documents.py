"""YAML of people, with the line of everything."""

import pytest

from mappings.documents import Document, load, near, parse
from mappings.problems import LiukeError

TEXT = """\
version: 1
streams:
  orders:
    key: [id, no]   # two
    partial: no
    at: 12:30
    code: 007
    big: 12345678901234567890123
    price: 1.10
    day: 2026-01-31
    yes: on
    nothing:
    empty: ''
    flag: true
"""


def problems(text):
    with pytest.raises(LiukeError) as caught:
        parse(text, "map.yaml")
    return [(problem.code, problem.where) for problem in caught.value.problems]


def test_scalars_are_what_they_look_like():
    assert parse(TEXT, "map.yaml").data["streams"]["orders"] == {
        "key": ["id", "no"],
        "partial": "no",
        "at": "12:30",
        "code": "007",
        "big": 12345678901234567890123,
        "price": 1.1,
        "day": "2026-01-31",
        "yes": "on",
        "nothing": None,
        "empty": "",
        "flag": True,
    }


def test_quoted_and_tagged_text_stays_text():
    assert parse("a: '12'\nb: \"true\"\nc: !!str 12\nd: |\n  5\n", "x").data == {
        "a": "12",
        "b": "true",
        "c": "12",
        "d": "5\n",
    }


def test_names_are_always_text():
    assert parse("true: 1\n1: x\n~: y\n", "x").data == {"true": 1, "1": "x", "~": "y"}


def test_everything_knows_its_line():
    document = parse(TEXT, "map.yaml")
    assert document.where("streams.orders.key") == "map.yaml:4 key streams.orders.key"
    assert document.where(("streams", "orders", "key", 1)) == "map.yaml:4 key streams.orders.key[1]"
    assert document.where("streams.orders.lost.deep") == "map.yaml:3 key streams.orders.lost.deep"
    assert document.where() == "map.yaml:1"
    assert document.text("streams.orders.price") == "1.10"


def test_an_empty_file_is_an_empty_document():
    assert parse("# nothing\n", "x") == Document("x", {})


def test_all_duplicate_keys_are_found_at_once():
    assert problems("a: 1\nb: {c: 1, c: 2}\na: 2\n") == [
        ("yaml.duplicate-key", "map.yaml:2"),
        ("yaml.duplicate-key", "map.yaml:3"),
    ]


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("a: [1\nb: 2\n", "yaml.syntax", "map.yaml:2"),
        ("a:\n\tb: 1\n", "yaml.syntax", "map.yaml:2"),
        ("a: 1\n---\nb: 2\n", "yaml.syntax", "map.yaml:2"),
        ("a: !!python/object/apply:os.system [x]\n", "yaml.tag", "map.yaml:1"),
        ("a: !own x\n", "yaml.tag", "map.yaml:1"),
        ("a: &x [*x]\n", "yaml.recursive", "map.yaml:1"),
        ("[1]: 2\n", "yaml.key", "map.yaml:1"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, code, where):
    assert problems(text) == [(code, where)]


def test_an_anchor_may_be_used_twice():
    assert parse("a: &x {k: 1}\nb: *x\n", "x").data == {"a": {"k": 1}, "b": {"k": 1}}


def test_a_file_in_another_encoding_is_a_problem_with_its_line(tmp_path):
    file = tmp_path / "liuke.yaml"
    file.write_bytes("a: 1\n公司: x".encode("gbk"))
    with pytest.raises(LiukeError) as caught:
        load(file)
    assert [(p.code, p.where) for p in caught.value.problems] == [("file.not-utf8", "liuke.yaml:2")]


def test_a_byte_order_mark_does_no_harm(tmp_path):
    file = tmp_path / "liuke.yaml"
    file.write_bytes("\ufeff公司: x".encode())
    assert load(file).data == {"公司": "x"}


def test_a_missing_file_is_a_problem(tmp_path):
    with pytest.raises(LiukeError, match=r"file\.unreadable"):
        load(tmp_path / "none.yaml")


def test_near_misses_are_named():
    assert near("recieved_at", ["received_at", "closed_at"]).en == "Did you mean received_at?"
    assert near("zzz", ["b", "a"]).en == "Known: a, b"
