"""Registering sealed groups, recovery, leases."""

import pytest

from state.bulk import execute
from state.landing import Lander
from state.landing_files import SealedGroup
from state.leases import LEASE_US, LeaseLost, LeaseTaken, acquire, release
from state.register import read_bookmark, recover, register

NOW = 1_763_740_800_000_000


def land(root, fence, state, on_seal, rows=1):
    lander = Lander(root, "erp", fence=fence, run_id=f"r{fence}", now=lambda: NOW, on_seal=on_seal)
    if rows:
        lander.page("orders", [b"{}"] * rows, NOW)
    lander.state(state)
    lander.seal()


def files(store):
    with store.reading() as tx:
        return execute(tx, "SELECT landing_no >> 32, lines, status FROM landing_file ORDER BY landing_no").all()


def bookmark(store):
    with store.reading() as tx:
        return read_bookmark(tx, "erp")


def test_files_and_bookmark_are_registered_together_and_only_once(store, tmp_path):
    lease = acquire(store, "erp", "me", NOW)
    groups: list[SealedGroup] = []
    land(tmp_path, lease.fence, {"at": 1}, groups.append, rows=3)
    register(store, groups[0], lease, NOW)
    register(store, groups[0], lease, NOW)
    assert files(store) == [(1, 3, "sealed")]
    assert bookmark(store) == {"at": 1}


def test_a_sealed_group_that_was_not_registered_is_found_at_the_next_start(store, tmp_path):
    first = acquire(store, "erp", "first", NOW)
    land(tmp_path, first.fence, {"at": 1}, lambda group: None)  # killed between seal and register
    release(store, first)
    second = acquire(store, "erp", "second", NOW)
    assert recover(store, tmp_path, second, NOW).groups == 1
    assert files(store) == [(1, 1, "sealed")]
    assert bookmark(store) == {"at": 1}
    assert recover(store, tmp_path, acquire(store, "erp", "second", NOW), NOW).groups == 0


def test_the_bookmark_is_that_of_the_newest_seal_whatever_the_states_say(store, tmp_path):
    first = acquire(store, "erp", "first", NOW)
    old: list[SealedGroup] = []
    land(tmp_path, first.fence, {"at": 999}, old.append)
    second = acquire(store, "erp", "second", NOW + LEASE_US + 1)
    new: list[SealedGroup] = []
    land(tmp_path, second.fence, {"at": 5}, new.append)
    register(store, new[0], second, NOW)
    register(store, old[0], None, NOW)
    assert bookmark(store) == {"at": 5}


def test_a_process_that_lost_its_lease_cannot_register(store, tmp_path):
    slow = acquire(store, "erp", "slow", NOW)
    groups: list[SealedGroup] = []
    land(tmp_path, slow.fence, {"at": 1}, groups.append)
    acquire(store, "erp", "quick", NOW + LEASE_US + 1)
    with pytest.raises(LeaseLost):
        register(store, groups[0], slow, NOW + LEASE_US + 2)
    assert files(store) == []
    assert bookmark(store) == {}


def test_a_lease_is_taken_until_it_is_released_or_runs_out(store):
    mine = acquire(store, "erp", "me", NOW)
    with pytest.raises(LeaseTaken):
        acquire(store, "erp", "you", NOW + LEASE_US - 1)
    assert acquire(store, "erp", "you", NOW + LEASE_US).fence == mine.fence + 1
    release(store, mine)  # lost meanwhile: changes nothing
    with pytest.raises(LeaseTaken):
        acquire(store, "erp", "me", NOW + LEASE_US + 1)


def test_the_fence_is_above_every_landing_file_even_with_a_new_database(store):
    assert acquire(store, "erp", "me", NOW, at_least=41).fence == 42
