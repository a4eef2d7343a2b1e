from textwrap import dedent

import pytest

from mappings.problems import LiukeError
from sync.config import load
from sync.hub import Hub

CONFIG = """\
company: 示例商贸有限公司
connectors:
  erp: {type: sql, settings: {url: "sqlite:///erp.db", streams: {orders: {table: o, key: [id]}}}}
  staging: {type: sql, settings: {url: "sqlite:///crm.db", write: {create: true}}}
"""

ORDERS = """\
version: 1
streams:
  orders:
    key: [id]
    entities:
      order:
        source_id: id
        paid_amount: {from: paid, as: money}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path):
    (tmp_path / "liuke.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "mappings").mkdir()
    return tmp_path


def map_of(folder, text, name="erp"):
    (folder / "mappings" / f"{name}.yaml").write_text(dedent(text), encoding="utf-8")
    return folder


def problems_of(folder):
    with pytest.raises(LiukeError) as raised:
        load(folder, lambda _name: None).check_maps()
    return [(one.code, one.where) for one in raised.value.problems]


def test_the_users_map_is_the_instances(folder):
    config = load(map_of(folder, ORDERS), lambda _name: None)
    config.check_maps()
    assert list(config.instances["erp"].field_map.streams) == ["orders"]
    assert config.instances["staging"].field_map.streams == {}


def test_a_stream_without_a_map_is_told_before_it_is_pulled(folder):
    assert problems_of(folder) == [("config.stream-unmapped", "mappings/erp.yaml: streams")]


def test_maps_of_all_instances_are_checked_at_once(folder):
    map_of(folder, ORDERS.replace("orders:", "order:").replace("as: money", "as: monney"))
    map_of(folder, ORDERS, name="erpp")
    codes = dict(problems_of(folder))
    assert codes["config.map-of-nobody"] == "mappings/erpp.yaml"
    assert any(where.startswith("mappings/erp.yaml:8") for where in codes.values())


def test_a_stream_that_the_connector_does_not_have_is_named_with_its_line(folder):
    map_of(folder, ORDERS + "  ordrs:\n    key: [id]\n    entities: {order: {source_id: id}}\n")
    assert problems_of(folder) == [("config.unknown-stream", "mappings/erp.yaml:9 key streams.ordrs")]


def test_a_command_that_translates_nothing_runs_with_a_broken_map(folder):
    with Hub.open(folder, lookup=lambda _name: None, maps=False) as hub:
        assert list(hub.config.instances) == ["erp", "staging"]
    with pytest.raises(LiukeError):
        Hub.open(folder, lookup=lambda _name: None)
