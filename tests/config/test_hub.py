import json
import sqlite3
from datetime import UTC, datetime
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from connectors.outcomes import Outcome
from mappings.identity.digest import Keys
from mappings.problems import LiukeError
from state.store import StoreUnavailable
from sync import installed
from sync.clock import FixedClock, SystemClock
from sync.hub import FolderClock, Hub

NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)

CONFIG = """\
company: 示例商贸有限公司
connectors:
  erp: {type: sql, settings: {url: "sqlite:///erp.db", streams: {orders: {table: o, key: [id]}}}}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path):
    (tmp_path / "liuke.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def opened(folder, clock=None):
    return Hub.open(folder, clock=clock or FixedClock(NOON), lookup=lambda _name: None, maps=False)


def code_of(raised):
    return raised.value.problems[0].code


def test_opening_touches_no_database(folder):
    with opened(folder):
        assert not (folder / "liuke.db").exists()


def test_a_database_that_cannot_be_opened_is_tried_again_at_the_next_use(folder):
    (folder / "liuke.db").mkdir()
    with opened(folder) as hub:
        assert hub.store_or_none is None
        with pytest.raises(StoreUnavailable):
            _ = hub.store
        (folder / "liuke.db").rmdir()
        assert hub.store_or_none is hub.store


def test_counted_calls_are_in_the_database_after_closing(folder):
    with opened(folder) as hub:
        assert hub.ports("erp").connector == "erp"
        hub.ports("erp").meter.attempt("GET /orders", Outcome.RETRIABLE, 40)
        hub.ports("erp").meter.attempt("GET /orders", Outcome.OK, 20)
        hub.ports("erp").meter.call("GET /orders", Outcome.OK)
    with sqlite3.connect(folder / "liuke.db") as database:
        rows = database.execute("SELECT connector, level, outcome, n, ms FROM call_meter ORDER BY 2, 3").fetchall()
    database.close()
    assert rows == [
        ("erp", "attempt", "ok", 1, 20),
        ("erp", "attempt", "retriable", 1, 40),
        ("erp", "call", "ok", 1, 0),
    ]


def test_calls_stay_counted_while_the_database_is_away(folder):
    (folder / "liuke.db").mkdir()
    hub = opened(folder)
    hub.ports("erp").meter.call("GET /orders", Outcome.OK)
    hub.flush_meters()
    (folder / "liuke.db").rmdir()
    hub.close()
    with sqlite3.connect(folder / "liuke.db") as database:
        assert database.execute("SELECT n FROM call_meter").fetchall() == [(1,)]
    database.close()


def test_run_ids_sort_as_the_runs_began(folder):
    clock = FixedClock(NOON)
    with opened(folder, clock) as hub:
        first, second = hub.new_run_id(), hub.new_run_id()
        clock.turn(0.001)
        third = hub.new_run_id()
        assert first < second < third
        assert first.startswith("20261121T040000000-0001")
        assert hub.now() == 1_795_233_600_001_000


def test_two_processes_never_own_a_lease_under_one_name(folder):
    assert opened(folder).owner != opened(folder).owner


def test_an_unknown_instance_names_the_near_one(folder):
    with opened(folder) as hub, pytest.raises(LiukeError) as raised:
        hub.instance("epr")
    assert code_of(raised) == "config.unknown-instance"
    assert "erp" in raised.value.problems[0].do.en


@pytest.mark.parametrize(("mode", "code"), [(0o644, "identity.key-readable"), (None, "identity.key-missing")])
def test_the_identity_key_is_refused_where_others_read_it_and_missed_where_it_is_not(folder, mode, code):
    if mode is not None:
        file = folder / "keys" / "identity.key"
        file.parent.mkdir()
        file.write_bytes(Keys.generate().to_bytes())
        file.chmod(mode)
    with opened(folder) as hub, pytest.raises(LiukeError) as raised:
        _ = hub.keys
    assert code_of(raised) == code


def test_real_installations_run_on_the_machines_clock(folder):
    with Hub.open(folder, lookup=lambda _name: None, maps=False) as hub:
        assert isinstance(hub.clock, SystemClock)


def test_a_demo_folder_keeps_its_time(folder):
    with (folder / "liuke.yaml").open("a") as file:
        file.write("demo_clock: clock.json\n")
    (folder / "clock.json").write_text('{"now": "2026-11-21T12:00:00+08:00", "seed": 7}', encoding="utf-8")
    FolderClock(folder / "clock.json").turn(3600)
    with Hub.open(folder, lookup=lambda _name: None, maps=False) as hub:
        assert hub.clock.now() == datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
    assert json.loads((folder / "clock.json").read_text(encoding="utf-8"))["seed"] == 7


@pytest.mark.parametrize("content", [None, "now", "[]", '{"now": 5}', '{"now": "2026-11-21T12:00:00"}'])
def test_a_demo_folder_without_its_time_says_so(folder, content):
    if content is not None:
        (folder / "clock.json").write_text(content, encoding="utf-8")
    with (folder / "liuke.yaml").open("a") as file:
        file.write("demo_clock: clock.json\n")
    with pytest.raises(LiukeError) as raised:
        Hub.open(folder, lookup=lambda _name: None, maps=False)
    assert code_of(raised) == "demo.clock"


# ---- Whose folders these are ---------------------------------------------------------------------


def installed_with(monkeypatch, folder: Path, name: str, record: str):
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(record)
    monkeypatch.setattr(installed, "distributions", lambda: Distribution.discover(path=[str(folder)]))


def test_a_package_that_owns_one_of_our_folders_stops_the_hub(folder, tmp_path, monkeypatch):
    place = tmp_path / "site"
    place.mkdir()
    record = "connectors/__init__.py,sha256=x,1\nmy_state/__init__.py,,\n"
    installed_with(monkeypatch, place, "airflow-connectors", record)
    with pytest.raises(LiukeError) as raised:
        opened(folder)
    assert code_of(raised) == "install.name-clash"
    assert "airflow-connectors" in str(raised.value)
    assert raised.value.problems[0].where == "connectors"


def test_our_own_files_and_names_that_only_resemble_ours_are_no_clash(tmp_path, monkeypatch):
    place = tmp_path / "site"
    place.mkdir()
    installed_with(monkeypatch, place, "liuke", "connectors/__init__.py,,\nstate/__init__.py,,\n")
    installed_with(monkeypatch, place, "other", "my/connectors/x.py,,\nstatecharts/__init__.py,,\n")
    assert installed.name_clashes() == []


def test_this_environment_has_no_clash():
    assert installed.name_clashes() == []
