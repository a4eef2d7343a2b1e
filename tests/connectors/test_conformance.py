import json
import os
import sqlite3
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.bookmarks import BEIJING
from connectors.ports_memory import FakeClock, memory_ports
from connectors.registry import connector
from connectors.testing import Fault, Handle, NotOffered, Waiver, cases, cases_of
from connectors.writer import FieldType
from tests.connectors import vendor as faults
from tests.connectors.conftest import NOON, no_variable
from tests.connectors.shop import SHOP
from tests.connectors.vendor import SECRET, Vendor

DOCS = Path(__file__).parents[2] / "docs" / "connectors"


class Local(Handle):
    """A handle in a folder of its own, on a clock that stands still."""

    since = NOON - timedelta(hours=1)

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock(NOON)
        self.path = Path(self.folder.name)

    def ports(self):
        return memory_ports(self.clock, "tested")

    def id_of(self, record):
        return record["id"]

    def close(self):
        self.folder.cleanup()

    def map_problems(self, text):
        from mappings.documents import parse as document
        from mappings.fieldmap_parse import parse
        from mappings.problems import LiukeError

        try:
            parse(document(text, "map.yaml"))
        except LiukeError as error:
            return [str(problem) for problem in error.problems]
        return []


class SqlHandle(Local):
    stream = "orders"
    docs = (DOCS / "sql.md").read_text(encoding="utf-8")

    def __init__(self):
        super().__init__()
        self.database = sqlite3.connect(self.path / "erp.db")
        self.database.execute("CREATE TABLE orders (id TEXT PRIMARY KEY, text TEXT, at DATETIME)")
        raw = {
            "url": "sqlite:///erp.db",
            "streams": {"orders": {"table": "orders", "key": "id", "modified": "at", "page_size": 4}},
            "write": {"create": True},
        }
        self.settings = connector("sql").read_settings(raw, no_variable, folder=self.path)

    def put(self, ids, at, text="x"):
        local = at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S.%f")
        self.database.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", [(one, text, local) for one in ids])
        self.database.commit()

    def target_ids(self):
        return ["C1", "C2"]

    def value_for(self, field):
        return {
            FieldType.TEXT: "A",
            FieldType.DECIMAL: Decimal("68.50"),
            FieldType.INTEGER: 6,
            FieldType.TIME: NOON,
        }[field.type]

    def close(self):
        self.database.close()
        super().close()


class FilesHandle(Local):
    stream = "records"
    docs = (DOCS / "files.md").read_text(encoding="utf-8")

    def __init__(self):
        super().__init__()
        self.files = 0
        raw = {"streams": {"records": {"path": "*", "key": "id"}}}
        self.settings = connector("files").read_settings(raw, no_variable, folder=self.path)

    def write(self, ids, text):
        return "".join(json.dumps({"id": one, "text": text}) + "\n" for one in ids)

    def put(self, ids, at, text="x"):
        self.files += 1
        file = self.path / f"{self.files:03}{self.suffix}"
        file.write_text(self.write(ids, text), encoding="utf-8")
        os.utime(file, (at.timestamp(), at.timestamp()))

    suffix = ".ndjson"


class CsvHandle(FilesHandle):
    suffix = ".csv"

    def write(self, ids, text):
        return "id,text\n" + "".join(f"{one},{text}\n" for one in ids)


class ShopHandle(Handle):
    stream = "orders"
    since = NOON - timedelta(hours=1)
    secrets = (SECRET, "token-number-1")

    def __init__(self):
        self.vendor = Vendor()
        self.clock = FakeClock(NOON)
        raw = {"url": self.vendor.url, "app_id": "wx1", "app_secret": "${SHOP_SECRET}"}
        self.settings = SHOP.read_settings(raw, {"SHOP_SECRET": SECRET}.get)

    def ports(self):
        return memory_ports(self.clock, "shop")

    def put(self, ids, at, text="x"):
        kept = {one["id"]: one for one in self.vendor.orders}
        kept |= {one: {"id": one, "updated_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "text": text} for one in ids}
        self.vendor.orders = list(kept.values())

    def id_of(self, record):
        return record["id"]

    def fail_next(self, fault):
        self.vendor.faults = [
            {
                Fault.BUSINESS_ERROR: faults.says(99999),
                Fault.RATE_LIMIT: faults.says(45009),
                Fault.BROKEN_ANSWER: faults.half_json,
                Fault.LOST_ANSWER: faults.takes_and_hangs_up(self.vendor),
            }[fault]
        ]

    def spoil_tokens(self):
        self.vendor.accept_tokens = False

    def calls(self):
        return len([path for path in self.vendor.paths() if path != "/token"])

    def target_ids(self):
        return ["C1"]

    def value_for(self, field):
        return "A"

    def close(self):
        self.vendor.close()


WAIVERS = [
    Waiver(
        "shop",
        "every-change-gets-one-receipt-and-is-found-by-reading-back",
        "the test vendor has no call that reads a tier",
        "tests/connectors/vendor.py",
    ),
    Waiver(
        "shop",
        "the-shipped-map-covers-the-declared-streams",
        "a connector made for tests maps nothing",
        "tests/connectors/shop.py",
    ),
]
CASES = [
    *cases({"sql": SqlHandle, "files": {"ndjson": FilesHandle, "csv": CsvHandle}}),
    *cases_of("shop", lambda: SHOP, ShopHandle, WAIVERS),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conformance(case):
    try:
        case.run()
    except NotOffered:
        pytest.skip(f"{case.name} does not offer what this check needs")


# --- the kit itself --------------------------------------------------------------------------------------


def test_a_connector_without_a_handle_fails_and_is_not_passed_over():
    found = {case.name: case for case in cases({})}
    assert set(found) >= {"sql", "files"}
    with pytest.raises(AssertionError, match="has no handle"):
        found["sql"].run()


def test_a_waiver_that_is_no_longer_needed_fails():
    check = "every-stream-has-a-key-and-a-title"
    (case,) = [
        case
        for case in cases_of("sql", lambda: connector("sql"), SqlHandle, [Waiver("sql", check, "reason", "line 1")])
        if case.check == check
    ]
    with pytest.raises(AssertionError, match="no longer needed"):
        case.run()


def test_a_waiver_without_reason_or_contract_is_refused():
    with pytest.raises(ValueError, match="reason"):
        cases_of("sql", lambda: connector("sql"), SqlHandle, [Waiver("sql", "no-such-check", "", "")])


def test_a_connector_that_loses_records_is_found_out(monkeypatch):
    from connectors.sql import tap

    def strictly_after(place, modified, key, **more):
        """What most hand-written queries do: the rows of the last moment that are not on this page are lost."""
        return modified > str(place.modified)

    monkeypatch.setattr(tap, "after", strictly_after)
    failed = []
    for case in cases_of("sql", lambda: connector("sql"), SqlHandle):
        try:
            case.run()
        except AssertionError:
            failed.append(case.check)
        except NotOffered:
            pass
    assert "records-of-one-moment-are-all-found" in failed
