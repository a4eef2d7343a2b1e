"""Landing files: durable groups, exact lines, nothing acknowledged that is not on disk."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.days import shanghai_day
from state.landing import Lander
from state.landing_files import LandingError, SealedGroup, chunks, clear_unsealed, line, sealed_groups

T0 = 1_763_740_800_000_000  # 2025-11-21 16:00:00 UTC, already the 22nd in Shanghai


class Turned:
    """A clock in microseconds that the test turns."""

    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now


def lander(root, groups, *, fence=1, clock=None):
    return Lander(root, "shop", fence=fence, run_id="r1", now=clock or Turned(), on_seal=groups.append)


def lines_in(root, group):
    return [row for f in group.files for c in chunks(root, f) for row in c.data.splitlines()]


def test_records_and_state_become_durable_together(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.page("orders", [b'{"id":1}', b'{"id":2}'], T0)
    land.record("customers", {"id": "a"}, T0 + 5)
    land.state({"bookmarks": {"orders": {"at": 2}}})
    assert groups == []  # a STATE within 5 s and 10,000 rows waits for its neighbours
    land.seal()
    (group,) = groups
    assert [(f.stream, f.lines) for f in group.files] == [("customers", 1), ("orders", 2)]
    assert group.state == {"bookmarks": {"orders": {"at": 2}}}
    assert lines_in(tmp_path, group) == [
        b'{"_extracted_at":%d,"id":"a"}' % (T0 + 5),
        b'{"_extracted_at":%d,"id":1}' % T0,
        b'{"_extracted_at":%d,"id":2}' % T0,
    ]
    assert [g.files for g in sealed_groups(tmp_path, "shop")] == [group.files]


def test_the_day_folder_is_the_shanghai_day(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.page("orders", [b"{}"], T0)
    land.seal()
    assert groups[0].files[0].path == "shop/orders/2025-11-22/00000001-00000001.ndjson.zst"


def test_the_state_is_copied_when_it_arrives(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    live = {"bookmarks": {"orders": {"at": 1}}}
    land.page("orders", [b"{}"], T0)
    land.state(live)
    live["bookmarks"]["orders"]["at"] = 99  # the SDK goes on writing into the dictionary it handed out
    land.seal()
    assert groups[0].state == {"bookmarks": {"orders": {"at": 1}}}


def test_a_state_after_five_seconds_or_ten_thousand_rows_seals_at_once(tmp_path):
    groups: list[SealedGroup] = []
    clock = Turned()
    land = lander(tmp_path, groups, clock=clock)
    land.page("orders", [b"{}"], T0)
    clock.now += 5_000_000
    land.state({"n": 1})
    assert [g.state for g in groups] == [{"n": 1}]
    land.page("orders", [b"{}"] * 10_000, T0)
    land.state({"n": 2})
    assert [g.state for g in groups] == [{"n": 1}, {"n": 2}]


def test_an_empty_poll_makes_no_file_but_keeps_its_state(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.seal()
    assert groups == []
    land.state({"n": 1})
    land.seal()
    assert [(g.files, g.state) for g in groups] == [((), {"n": 1})]
    assert not list(tmp_path.rglob("*.zst"))


def test_a_file_closes_at_50_000_lines_and_all_its_parts_are_one_group(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.page("orders", [b'{"n":%d}' % n for n in range(120_001)], T0)
    land.seal()
    assert [f.lines for f in groups[0].files] == [50_000, 50_000, 20_001]
    assert [f.landing_no & 0xFFFF for f in groups[0].files] == [1, 2, 3]
    last = groups[0].files[2]
    assert line(tmp_path, last, 20_001) == b'{"_extracted_at":%d,"n":120000}' % T0
    assert [(c.first_line, c.lines) for c in chunks(tmp_path, last)] == [(1, 10_000), (10_001, 10_000), (20_001, 1)]


def test_what_is_not_json_lands_as_a_rejected_line_and_is_counted(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.page("orders", [b'{"id":1}', b'{"id":', b"[2]"], T0)
    land.seal()
    (file,) = groups[0].files
    assert (file.lines, file.rejected) == (3, 2)
    assert land.landed["orders"].read == 3
    assert land.landed["orders"].rejected == 2
    assert [json.loads(row).get("_rejected") is not None for row in lines_in(tmp_path, groups[0])] == [
        False,
        True,
        True,
    ]


def test_files_without_their_last_sidecar_are_no_group_and_are_cleared_away(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups, fence=3)
    land.page("orders", [b"{}"], T0)
    land.page("refunds", [b"{}"], T0)
    land.seal()
    sidecars = sorted(tmp_path.rglob("*.json"))
    last = next(p for p in sidecars if b'"seal"' in p.read_bytes())
    last.unlink()  # the process died before the last rename
    assert list(sealed_groups(tmp_path, "shop")) == []
    assert clear_unsealed(tmp_path, "shop", before_fence=3) == 0  # fence 3 may still be at work
    assert clear_unsealed(tmp_path, "shop", before_fence=4) == 2
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_seal_whose_siblings_are_gone_does_not_count(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.page("orders", [b"{}"], T0)
    land.page("refunds", [b"{}"], T0)
    land.seal()
    (tmp_path / groups[0].files[0].path).unlink()
    assert list(sealed_groups(tmp_path, "shop")) == []


def test_a_changed_byte_is_noticed_before_any_line_is_read(tmp_path):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.page("orders", [b'{"id":1}'], T0)
    land.seal()
    path = tmp_path / groups[0].files[0].path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(LandingError, match=r"landing\.damaged"):
        list(chunks(tmp_path, groups[0].files[0]))


def test_a_full_disk_stops_the_landing_and_seals_nothing(tmp_path, monkeypatch):
    groups: list[SealedGroup] = []
    land = lander(tmp_path, groups)
    land.page("orders", [b"{}"], T0)
    land.state({"n": 1})

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LandingError, match=r"landing\.disk-full"):
        land.seal()
    land.seal()
    assert groups == []
    assert not list(tmp_path.rglob("*.zst*"))
    with pytest.raises(LandingError, match=r"landing\.stopped"):
        land.page("orders", [b"{}"], T0)


def test_landing_files_are_for_their_owner_only(tmp_path):
    land = lander(tmp_path, [])
    land.page("orders", [b"{}"], T0)
    land.seal()
    assert {p.stat().st_mode & 0o777 for p in tmp_path.rglob("*.*") if p.is_file()} == {0o600}


@pytest.mark.parametrize("name", ["../orders", "a/b", "", ".hidden", "订单 1"])
def test_a_stream_name_cannot_leave_its_folder(tmp_path, name):
    with pytest.raises(LandingError, match=r"landing\.bad-name"):
        lander(tmp_path, []).page(name, [b"{}"], T0)


@given(st.integers(min_value=-(10**15), max_value=4 * 10**15))
def test_the_shanghai_day_is_the_calendars(at):
    from datetime import UTC, datetime, timedelta

    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at) + timedelta(hours=8)
    assert shanghai_day(at) == expected.date().isoformat()


@given(st.lists(st.binary(max_size=30), max_size=60), st.integers(1, 20))
def test_whatever_bytes_arrive_every_record_is_one_line(tmp_path_factory, records, page):
    root: Path = tmp_path_factory.mktemp("landing")
    groups: list[SealedGroup] = []
    land = lander(root, groups)
    for start in range(0, len(records), page):
        land.page("orders", records[start : start + page], T0)
    land.seal()
    lines = [row for g in groups for row in lines_in(root, g)]
    assert len(lines) == len(records)
    assert all(isinstance(json.loads(row), dict) for row in lines)
