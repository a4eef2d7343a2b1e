from base64 import b64encode
from datetime import UTC, datetime

import pytest

from mappings.documents import parse
from mappings.fieldmap_parse import parse as parse_map
from state.landing import Lander
from state.register import register
from state.store import Store
from sync.clock import microseconds
from sync.samples import sample, shape

NOW = microseconds(datetime(2026, 11, 21, 4, 0, tzinfo=UTC))

MAP = """
version: 1
streams:
  orders:
    key: [id]
    entities:
      order:
        source_id: id
        paid_amount: {from: paid, as: money}
        extra: {from: {note: remark}}
        buyer:
          phone: buyer.mobile
          name: buyer.name
"""

STREAM = parse_map(parse(MAP, "map.yaml")).streams["orders"]


@pytest.fixture(name="landed")
def _landed(tmp_path):
    """Lands lines and gives the sample of one of them."""
    store = Store.open("sqlite://")

    def landed(raw, stream=STREAM):
        root = tmp_path / "landing"
        lander = Lander(
            root, "shop", fence=1, run_id="r1", now=lambda: NOW, on_seal=lambda group: register(store, group, None, NOW)
        )
        lander.page("orders", [raw], NOW)
        lander.seal()
        with store.reading() as tx:
            return sample(tx, root, stream, "shop", "orders", (1 << 32) + 1, 1)

    yield landed
    store.close()


RECORD = (
    '{"id":"S1","paid":"12.50","remark":"张三 要求周末送","address":"常州路 1 号",'
    '"buyer":{"name":"欧阳修文","mobile":"139 1234 8765"}}'
).encode()


def test_mapped_fields_are_shown_with_persons_masked_and_the_rest_is_named_only(landed):
    shown = landed(RECORD)
    assert dict(shown.fields) == {
        "buyer.mobile": "139****8765",
        "buyer.name": "欧***",
        "id": "S1",
        "paid": "12.50",
        "remark": "张****",
    }
    assert shown.hidden == ("address",)
    assert (shown.path, shown.line_no) == ("shop/orders/2026-11-21/00000001-00000001.ndjson.zst", 1)


def test_without_a_map_nothing_of_a_record_is_shown(landed):
    shown = landed(RECORD, None)
    assert dict(shown.fields) == {}
    assert shown.hidden == ("address", "buyer", "id", "paid", "remark")


def test_a_line_that_is_no_record_shows_its_shape_without_what_it_says(landed):
    shown = landed(b'{"id": "S1", "name": "\xe5\xbc\xa0\xe4\xb8\x89", "mobile": "13912348765"')
    assert shown.rejected
    assert shown.shape == '{"id": "x9", "name": "某某", "mobile": "99999999999"'


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b'{"a":1', b"x" * 5000, b64encode(b"x")])
def test_the_shape_of_anything_is_short_and_printable(raw):
    made = shape(raw)
    assert len(made) <= 160
    assert made.isprintable() or not made
    assert all(digit not in made for digit in "012345678")


def test_a_landing_file_that_is_gone_has_no_sample(tmp_path):
    store = Store.open("sqlite://")
    with store.reading() as tx:
        assert sample(tx, tmp_path, STREAM, "shop", "orders", 7, 1) is None
    store.close()
