"""Whatever bytes a source sends: each record is visible exactly, or has a reason, or is a rejected line."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mappings import reading
from mappings.documents import parse as parse_yaml
from mappings.fieldmap_apply import apply
from mappings.fieldmap_parse import parse
from mappings.lines import lines_of_page
from mappings.reading import Rejected, read_chunks

MAP = """
version: 1
streams:
  orders:
    key: [id]
    updated_at: t
    entities:
      order:
        source_id: id
        paid_amount: m
        source_status: a
        ordered_at: t
        is_gift: f
        channel: {from: [o.x, b]}
        extra: {from: {a: a, b: b, m: m, id: id, t: t, f: f, o: o}}
        buyer:
          phone: o.phone
      order_line:
        each: lines
        source_id: {from: [^id, "#"], join: "/"}
        order_source_id: ^id
        sku: a
        quantity: m
        extra: {from: {b: b, m: m}}
"""
ORDERS = parse(parse_yaml(MAP, "map.yaml")).streams["orders"]
NAMES = ["id", "m", "a", "b", "t", "f", "o", "lines", "x", "phone", "_extracted_at", "_rejected", 'q"\n', ""]


class Number(str):
    """A JSON number by its text."""

    __slots__ = ()


# --- what sources send --------------------------------------------------------------------------------------

digits = st.text("0123456789", min_size=1, max_size=45).map(lambda d: d.lstrip("0") or "0")
fractions = st.text("0123456789", min_size=1, max_size=25).map(".{}".format)
exponents = st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 450))
numbers = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), fractions),
    st.one_of(st.just(""), st.just(""), exponents),
)
characters = st.one_of(
    st.characters(min_codepoint=32, max_codepoint=0xFFFF),
    st.sampled_from('\x00\x01\x08\t\n\x0c\r\x1f\x7f\x85\u2028\ufeff"\\/ 张é🎉\ud800\udc00\udfff{}[]:,0e.-'),
)
TEMPTING = [
    "2026-02-30 00:00:00",
    "2026-01-31 12:00:00",
    "1.23E+18",
    "￥1,234.50",
    "是",
    "13800000001",
    "NaN",
    " ",
    r"C:\new",
    # JSON in a string, and parts of it that would be JSON together
    '[{"a":1e400}]',
    '{"x":\n1}',
    "[1][2]",
    "[3,",
    "4]",
]
strings = st.one_of(st.text(characters, max_size=12), numbers, st.sampled_from(TEMPTING))


@st.composite
def written(draw, value):
    """The value as somebody's serialiser would write it: escapes, spaces and raw characters as they come."""
    space = draw(st.sampled_from(["", "", "", " ", "\n", "\t", "\r\n"]))
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        style = draw(st.sampled_from(["raw", "json", "ascii"]))
        if style == "raw":  # control characters and all; halves of pairs cannot be written in UTF-8
            text = value.replace("\\", "\\\\").replace('"', '\\"')
            return '"' + "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in text) + '"'
        if style == "json":
            text = json.dumps(value, ensure_ascii=False)
            return "".join(f"\\u{ord(c):04X}" if "\ud800" <= c <= "\udfff" else c for c in text)
        return json.dumps(value)
    if isinstance(value, list):
        return "[" + f",{space}".join([draw(written(item)) for item in value]) + space + "]"
    if isinstance(value, tuple):  # members of an object, duplicates included
        members = [f"{draw(written(name))}:{space}{draw(written(item))}" for name, item in value]
        return "{" + space + f",{space}".join(members) + "}"
    return {None: "null", True: "true", False: "false"}.get(value, "NaN")


scalars = st.one_of(
    st.none(), st.booleans(), numbers.map(Number), strings, st.sampled_from([Number("NaN"), Number("-Infinity")])
)
names = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), st.text(characters, max_size=4))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(st.tuples(names, inner), max_size=4).map(tuple)),
    max_leaves=8,
)
lines_field = st.lists(st.one_of(values, st.lists(st.tuples(names, scalars), max_size=4).map(tuple)), max_size=3)
objects = st.lists(
    st.one_of(
        st.tuples(names, values),
        st.tuples(st.just("id"), scalars),
        st.tuples(st.just("m"), scalars),
        st.tuples(st.just("lines"), lines_field),
    ),
    max_size=9,
).map(tuple)
texts = st.one_of(objects, objects, objects, values).flatmap(written)
whole = texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
records = st.one_of(
    whole,
    whole,
    whole,
    whole.map(lambda data: b"\xef\xbb\xbf" + data),
    st.tuples(whole, st.integers(0, 60)).map(lambda cut: cut[0][: cut[1]]),
    st.tuples(whole, st.integers(0, 60), st.binary(min_size=1, max_size=2)).map(
        lambda edit: edit[0][: edit[1]] + edit[2] + edit[0][edit[1] :]
    ),
    st.binary(max_size=40),
    st.sampled_from([b"", b"\n", b"{}", b"[]", b"null", b"{}\n{}", b'{"id":1}{"id":2}', b'{"_rejected":"x"}']),
)


# --- what they must become: an independent reading ------------------------------------------------------------


class Token(str):
    """A number as the oracle sees it."""

    __slots__ = ()


def first_wins(members):
    found: dict[str, object] = {}
    for name, value in members:
        found.setdefault(name, value)
    return found


ORACLE = json.JSONDecoder(
    strict=False, parse_int=Token, parse_float=Token, parse_constant=str, object_pairs_hook=first_wins
)


def expected(record):
    """The record as a dict, or None if it is no JSON object in UTF-8."""
    try:
        value = ORACLE.decode(record.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def clean(text):
    """Without NUL, lone halves of surrogate pairs as U+FFFD; pairs are one character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", "")


def cleaned(value):
    if isinstance(value, Token) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    return first_wins([(clean(name), cleaned(item)) for name, item in value.items()])


def same(cell, value):
    """Whether the text of a cell says exactly what the value says."""
    if value is None or cell is None:
        return cell is value is None
    if isinstance(value, Token):
        return Decimal(cell) == Decimal(value)
    if isinstance(value, bool):
        return cell == str(value).lower()
    if isinstance(value, str):
        return cell == value
    return same_json(ORACLE.decode(cell), value)


def same_json(found, value):
    if isinstance(value, Token):
        return isinstance(found, Token) and Decimal(found) == Decimal(value)
    if isinstance(value, list):
        return isinstance(found, list) and len(found) == len(value) and all(map(same_json, found, value))
    if isinstance(value, dict):
        return (
            isinstance(found, dict)
            and found.keys() == value.keys()
            and all(same_json(found[name], value[name]) for name in value)
        )
    return type(found) is type(value) and found == value


SPACE = " \t\n\r\x0b\x0c\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def blank(cell):
    return cell is None or not cell.strip(SPACE)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(reading, "CHUNK_LINES", 3)


@given(st.lists(records, max_size=8), st.integers(0, 2**53))
@example([b'{"a":{"x":1e400}}', b'{"m":1e400}'], 1767225600000000)
@example([b'{"lines":[{"a":1},2,null,"x"]}'], 5)
@example([b'{"lines":"[{\\"a\\":12345678901234567890.5}]"}'], 5)
@example([b'{"id":1,"_extracted_at":9,"_rejected":"me"}'], 5)
@example([b'{"o":["C:\\\\new","\\\\\\""]}'], 5)
@example([b'{"a":"\\ud83d\\\\ude00\\ude00"}', b'{"a":"\\\\u0000"}'], 5)
def test_every_record_is_visible_exactly_or_has_a_reason_or_is_a_rejected_line(page, extracted_at):
    landed, counts = lines_of_page(page, extracted_at, validated=False)
    assert landed.count(b"\n") == counts.records == len(page)
    visible = {}
    rejected: dict[int, Rejected] = {}
    for frame in read_chunks(landed, [*ORDERS.columns, "x"]):
        assert frame.lines == frame.rows.height + len(frame.rejected)
        for row in frame.rows.iter_rows(named=True):
            assert row["_extracted_at"] == extracted_at
            visible[row["_line_no"]] = row
        rejected |= {line.line_no: line for line in frame.rejected}
        the_map_loses_nothing(frame)
    assert sorted([*visible, *rejected]) == list(range(1, len(page) + 1))
    assert len(rejected) == counts.rejected
    for number, record in enumerate(page, start=1):
        value = expected(record)
        if value is None:
            assert rejected[number].record == record
            assert rejected[number].extracted_at == extracted_at
            continue
        value = cleaned(value)
        for name in [*ORDERS.columns, "x"]:
            assert same(visible[number][name], value.get(name)), (name, record)


def the_map_loses_nothing(frame):
    """Each cell that a rule reads is in its column, or blank, or has a reason."""
    mapped = apply(ORDERS, frame, "shop")
    reasons = {(r["_line_no"], r["entity"], r["field"]) for r in mapped.reasons.iter_rows(named=True)}
    orders = {row["_line_no"]: row for row in mapped.entities["order"].iter_rows(named=True)}
    assert sorted(orders) == frame.rows["_line_no"].to_list()
    items: dict[int, list] = {}
    for row in mapped.entities["order_line"].iter_rows(named=True):
        items.setdefault(row["_line_no"], []).append(row)
    for source in frame.rows.iter_rows(named=True):
        number = source["_line_no"]
        order = orders[number]
        columns = {"source_id": "id", "paid_amount": "m", "ordered_at": "t", "source_status": "a", "is_gift": "f"}
        for column, name in columns.items():
            if order[column] is None:
                assert blank(source[name]) or (number, "order", column) in reasons
        if order["paid_amount"] is not None and plain(source["m"]):
            assert Decimal(order["paid_amount"]) == Decimal(source["m"]) * 10_000
        extra = json.loads(order["extra"]) if order["extra"] else {}
        assert set(extra) == {name for name in ("a", "b", "m", "id", "t", "f", "o") if not blank(source[name])}
        for name in extra:
            assert extra[name] == source[name] or source[name][0] in "{["
        if source["lines"] is not None and not blank(source["lines"]):
            children_are_all_there(number, source["lines"], items.get(number, []), reasons)


def plain(cell):
    """Whether a cell is a number as everybody writes it, not too long."""
    return (
        cell.lstrip("-").replace(".", "", 1).isdecimal()
        and cell.isascii()
        and cell[-1] != "."
        and cell.lstrip("-")[0] != "."
    )


def children_are_all_there(number, cell, rows, reasons):
    try:
        elements = ORACLE.decode(cell)
    except ValueError:
        elements = None
    if elements is None and cell.strip() == "null":
        return
    if not isinstance(elements, list):
        assert (number, "order_line", "lines") in reasons
        return
    expected_rows = [element for element in elements if isinstance(element, dict)]
    assert len(rows) == len(expected_rows)
    if len([e for e in elements if e is not None]) > len(expected_rows):
        assert (number, "order_line", "lines") in reasons
    for row, element in zip(rows, expected_rows, strict=True):
        value = cleaned(element.get("m"))
        if row["quantity"] is None:
            assert value in (None, "") or blank(str(value)) or (number, "order_line", "quantity") in reasons
        elif isinstance(value, Token):
            assert Decimal(row["quantity"]) == Decimal(value) * 10_000
        extra = ORACLE.decode(row["extra"]) if row["extra"] else {}
        for name in ("b", "m"):
            value = cleaned(element.get(name))
            if isinstance(value, (dict, list)):
                assert same_json(extra[name], value)
            elif name in extra and not isinstance(extra[name], (dict, list)):
                assert same(extra[name], value)
