from datetime import UTC, datetime, timedelta

import pytest

from connectors.ports import Budget, Per, Token
from connectors.ports_memory import FakeClock, MemoryQuota, MemoryTokens, window_end

ALMOST_MIDNIGHT = datetime(2026, 11, 30, 15, 59, 58, tzinfo=UTC)
"""23:59:58 in Beijing, the last day of the month."""


@pytest.fixture
def clock():
    return FakeClock(ALMOST_MIDNIGHT)


@pytest.fixture
def quota(clock):
    return MemoryQuota(clock)


@pytest.mark.parametrize("per", [Per.MINUTE, Per.DAY, Per.MONTH])
def test_windows_end_at_full_minutes_and_at_midnight_in_beijing(per):
    assert window_end(per, ALMOST_MIDNIGHT) == datetime(2026, 11, 30, 16, 0, tzinfo=UTC)


def test_a_day_s_calls_run_out_and_start_anew_at_midnight(quota, clock):
    day = (Budget(Per.DAY, 2),)
    clock.move(-60)
    assert [quota.take("app", day).until for _ in range(3)] == [None, None, datetime(2026, 11, 30, 16, 0, tzinfo=UTC)]
    assert quota.take("other", day).until is None, "another holder has its own"
    clock.move(62)
    assert quota.take("app", day).until is None


def test_a_window_about_to_end_is_waited_out(quota):
    minute = (Budget(Per.MINUTE, 1),)
    assert quota.take("app", minute).wait_s == 0
    assert quota.take("app", minute).wait_s == 2


def test_nothing_is_taken_from_any_budget_if_one_is_used_up(quota, clock):
    clock.move(-120)
    wide, narrow = Budget(Per.MONTH, 10), Budget(Per.DAY, 1)
    quota.take("app", (wide, narrow))
    for _ in range(20):
        assert quota.take("app", (wide, narrow)).until is not None
    clock.move(122)
    assert quota.take("app", (wide,), n=9).until is None


def test_calls_keep_their_distance(quota, clock):
    gap = (Budget(Per.INTERVAL, seconds=2.0),)
    assert [quota.take("app", gap).wait_s for _ in range(3)] == [0, 2, 4]
    clock.move(6)
    assert quota.take("app", gap).wait_s == 0


def test_a_closed_holder_gives_nothing_until_its_time(quota, clock):
    until = clock.now() + timedelta(minutes=5)
    quota.close("app", until)
    assert quota.take("app", ()).until == until
    clock.move(300)
    assert quota.take("app", ()).until is None


def test_tokens_belong_to_a_holder_and_a_kind_and_do_not_show_themselves():
    tokens = MemoryTokens()
    token = Token("very-secret", ALMOST_MIDNIGHT)
    tokens.put("app", "access", token)
    assert tokens.get("app", "access") is token
    assert tokens.get("app", "ticket") is None
    assert "very-secret" not in repr(token)
    with tokens.lock("app", "access"), tokens.lock("app", "ticket"):
        pass
