"""Objectives: latency with its censoring, failure with its interval, freshness with its limits."""

from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.objectives import Share, failure, freshness, latency, worst
from state import ledger, outbox
from state.meters import CallMeter

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
NOON_MINUTES = 12 * 60


# --- latency --------------------------------------------------------------------------------------------


@pytest.fixture
def arrive(store):
    """arrive("erp", [seconds, ...], day="2026-11-21"): enters durations into the ledger."""

    def enter(connector, seconds, day="2026-11-21", hop="source_to_hub", backfill=False):
        durations = pl.Series([int(s * SECOND) for s in seconds], dtype=pl.Int64)
        with store.transaction() as tx:
            ledger.enter(tx, connector, "orders", day, hop, durations, backfill=backfill)

    return enter


@pytest.fixture
def polled(store, put):
    """polled("erp", "orders", [times]): successful polls that ended then."""

    def enter(connector, stream, times, outcome="ok"):
        rows = [{"run_id": f"{outcome}-{at}", "finished_at": at, "started_at": at} for at in times]
        put("stream_run", *rows, connector=connector, stream=stream, outcome=outcome)

    return enter


def hub(store, now, company, connector="erp"):
    with store.reading() as tx:
        return {one.connector: one for one in latency.to_hub(tx, now, company)}[connector]


def test_ninety_nine_of_a_hundred_within_300_seconds_is_enough_and_300_is_within(store, arrive, now, company):
    arrive("erp", [300] * 99 + [300.000001])
    one = hub(store, now, company)
    assert (one.share, one.status, one.allowed, one.used) == (Share(99, 100), "ok", 1, 1)
    arrive("erp", [301])
    assert hub(store, now, company).status == "breach"


def test_only_28_shanghai_days_count(store, arrive, now, company):
    arrive("erp", [900], day="2026-10-24")
    assert hub(store, now, company).status == "no_data"
    arrive("erp", [900], day="2026-10-25")
    assert hub(store, now, company).share == Share(0, 1)


def test_days_and_streams_are_merged_into_one_histogram(store, arrive, now, company):
    arrive("erp", [5] * 50, day="2026-11-01")
    arrive("erp", [50] * 49, day="2026-11-20")
    arrive("erp", [100_000], day="2026-11-21")
    one = hub(store, now, company)
    assert one.share == Share(99, 100)
    assert (one.within(0.5), one.within(0.99)) == (5, 60)
    assert one.within(1) is None, "the open bucket has no end unless a late record is known"


def test_a_backfill_is_excluded_and_shown(store, arrive, now, company):
    arrive("erp", [10_000] * 500, backfill=True)
    arrive("erp", [10] * 3)
    one = hub(store, now, company)
    assert (one.share, one.backfill_excluded, one.status) == (Share(3, 3), 500, "ok")


def test_a_record_that_waits_in_a_landing_file_for_over_300_seconds_is_late(store, arrive, put, now, company):
    arrive("erp", [10] * 99)
    waiting = {"first_extracted_at": now - 300 * SECOND, "lines": 2}
    put("landing_file", {"status": "sealed", **waiting}, connector="erp")
    assert hub(store, now, company).share == Share(99, 99)
    assert hub(store, now + 1, company).share == Share(99, 101)
    assert hub(store, now + 1, company).waiting == 2


@pytest.mark.parametrize("change", [{"status": "loaded"}, {"backfill": 1}])
def test_a_loaded_file_and_a_backfill_wait_for_nothing(store, put, now, company, change):
    put("landing_file", {"status": "sealed", "first_extracted_at": now - DAY, **change}, connector="erp")
    assert hub(store, now, company).share == Share(0, 0)


def test_a_dead_connector_is_not_green_though_all_it_ever_sent_came_in_time(store, arrive, polled, now, company):
    arrive("erp", [10] * 1000)
    polled("erp", "orders", range(now - DAY, now - DAY // 2, MINUTE))
    one = hub(store, now, company)
    assert one.share == Share(1000, 1000)
    assert one.watched.total == 1440
    assert one.watched.good == pytest.approx(720 + 5, abs=1)
    assert one.status == "breach"


def test_an_hour_without_polls_in_two_days_counts_its_minutes_but_for_the_five_allowed(store, polled, now, company):
    gap = range(now - 20 * 60 * MINUTE, now - 19 * 60 * MINUTE, MINUTE)
    polled("erp", "orders", [at for at in range(now - 2 * DAY, now + 1, MINUTE) if at not in gap])
    watched = hub(store, now, company).watched
    assert watched.total == 2880
    assert watched.bad == 56, "61 minutes from poll to poll, less five"


def test_four_hundred_dark_minutes_in_28_days_are_forgiven_and_more_are_not(store, polled, now, company):
    polled("erp", "orders", [now - 5 * MINUTE - 403 * MINUTE])
    assert (hub(store, now, company).status, hub(store, now, company).dark_allowed) == ("ok", 403)
    assert hub(store, now + 1, company).status == "breach"


def test_a_failed_poll_is_no_poll(store, polled, now, company):
    polled("erp", "orders", [now - DAY])
    polled("erp", "orders", range(now - DAY + MINUTE, now, MINUTE), outcome="later")
    assert hub(store, now, company).watched.good == 5


def test_a_stream_pulled_every_ten_minutes_may_be_silent_for_half_an_hour(store, polled, now, company):
    polled("erp", "products", [now - DAY // 24])
    assert hub(store, now, company).watched == Share(30, 60)


def test_a_dead_minute_counts_only_from_the_first_successful_poll_on(store, polled, now, company):
    polled("erp", "orders", [now - MINUTE])
    assert hub(store, now, company).watched == Share(1, 1)


def test_the_slowest_known_record_ends_the_open_bucket(store, arrive, put, now, company):
    arrive("erp", [100_000])
    put(
        "late_record",
        {"record_key": "O", "source_updated_at": now - 100_000 * SECOND, "committed_at": now},
        connector="erp",
    )
    assert hub(store, now, company).within(1) == 100_000


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_record_it_names(seconds, share):
    counts: dict[int, int] = {}
    for duration in seconds:
        edge = ledger.bucket(duration * SECOND)
        counts[edge] = counts.get(edge, 0) + 1
    found = latency.quantile(counts, share, max(seconds))
    assert found is not None
    rank = -int(-(share * len(seconds)) // 1) - 1
    exact = sorted(seconds)[min(max(rank, 0), len(seconds) - 1)]
    edges = [0, *ledger.EDGES, 10**9]
    position = next(n for n, edge in enumerate(edges) if exact <= edge)
    assert edges[max(position - 1, 0)] <= found <= max(edges[position], 1)


@given(st.integers(0, 10**9))
def test_the_error_budget_never_lets_the_target_be_missed(total):
    allowed = latency.allowed(total, Decimal("0.99"))
    assert Share(total - allowed, total).at_least(Decimal("0.99"))
    assert not Share(total - allowed - 1, total).at_least(Decimal("0.99")) or total == 0


def test_the_target_is_judged_by_what_it_confirmed_and_by_what_waits(store, arrive, put, now, company):
    def crm():
        with store.reading() as tx:
            return {one.connector: one for one in latency.to_targets(tx, now, company)}["crm"]

    assert crm().status == "no_data"
    arrive("crm", [200] * 99, hop="source_to_target")
    row = {"status": "available", "cause_at": now - 301 * SECOND}
    put("outbox", {**row, "field": "score"}, {**row, "field": "tier"}, target="crm", source_id="C1")
    put("outbox", {**row, "cause_backfill": 1}, target="crm", source_id="C2", field="score")
    put("outbox", {**row, "cause_at": None}, target="crm", source_id="C3", field="score")
    assert crm().share == Share(99, 99), "nobody has switched writing on"
    with store.transaction() as tx:
        outbox.switch(tx, "crm", on=True)
    assert (crm().share, crm().status) == (Share(99, 100), "ok")
    put("outbox", {**row, "status": "unknown"}, target="crm", source_id="C4", field="score")
    assert (crm().share, crm().status) == (Share(99, 101), "breach")


# --- failure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failed", "total", "lower"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3; the second by the textbook formula
        (81, 263, 0.2553),
        (15, 148, 0.0624),
        (0, 20, 0.0),
        (1, 29, 0.0061),
    ],
)
def test_the_wilson_interval_agrees_with_published_values(failed, total, lower):
    assert failure.wilson_lower(failed, total) == pytest.approx(lower, abs=5e-5)


def test_without_calls_the_interval_begins_at_zero():
    assert failure.wilson_lower(0, 0) == 0.0


@pytest.fixture
def call(store):
    """call("erp", "call", "ok", 100, minutes_ago=5): calls of one minute."""

    def count(connector, level, outcome, times, at, endpoint="orders"):
        meter = CallMeter(connector, lambda: at)
        for _ in range(times):
            meter.attempt(endpoint, outcome, 1) if level == "attempt" else meter.call(endpoint, outcome)
        meter.flush(store)

    return count


def of_day(store, now, company, connector="erp"):
    with store.reading() as tx:
        return {one.connector: one for one in failure.of_day(tx, now, company)}[connector]


def test_two_percent_of_the_attempts_may_fail_and_more_is_a_warning_with_a_hint(store, call, now, company):
    call("erp", "attempt", "ok", 98, now)
    call("erp", "attempt", "retriable", 2, now)
    assert of_day(store, now, company).attempts_status == "ok"
    call("erp", "attempt", "auth", 3, now)
    one = of_day(store, now, company)
    assert (one.attempts, one.attempts_status) == (Share(98, 103), "warning")
    assert one.hint == failure.HINTS["auth"]


def test_few_final_failures_are_a_warning_and_only_what_chance_cannot_explain_is_a_breach(store, call, now, company):
    call("erp", "call", "ok", 29, now)
    call("erp", "call", "rejected", 1, now)
    assert of_day(store, now, company).calls_status == "warning"
    call("erp", "call", "rejected", 4, now)
    assert of_day(store, now, company).calls_status == "breach"


def test_a_success_that_finds_nothing_is_a_success(store, call, now, company):
    call("erp", "call", "empty", 50, now)
    assert of_day(store, now, company).calls == Share(50, 50)


def test_a_rate_limit_counts_on_neither_side_until_it_is_half_an_hour_old(store, call, now, company):
    call("erp", "call", "ok", 10, now, endpoint="customers")
    call("erp", "attempt", "later", 5, now - 31 * MINUTE)
    call("erp", "call", "later", 5, now - 30 * MINUTE)
    assert of_day(store, now, company).calls == Share(10, 10)
    assert of_day(store, now, company).attempts == Share(0, 0)
    later = of_day(store, now + MINUTE, company)
    assert (later.calls, later.calls_status) == (Share(10, 15), "breach")
    assert later.hint == failure.HINTS["later"]


def test_a_rate_limit_after_which_the_endpoint_answered_in_time_is_no_failure(store, call, now, company):
    call("erp", "call", "later", 5, now - 60 * MINUTE)
    call("erp", "call", "ok", 1, now - 30 * MINUTE)
    assert of_day(store, now, company).calls == Share(1, 1)


def test_an_answer_that_came_too_late_does_not_undo_the_failure(store, call, now, company):
    call("erp", "call", "later", 5, now - 60 * MINUTE)
    call("erp", "call", "ok", 1, now - 29 * MINUTE)
    assert of_day(store, now, company).calls == Share(1, 6)


def test_a_day_is_a_shanghai_day(store, call, now, company):
    midnight = now - NOON_MINUTES * MINUTE
    call("erp", "call", "rejected", 5, midnight - MINUTE)
    call("erp", "call", "ok", 3, midnight)
    assert of_day(store, now, company).calls == Share(3, 3)


def test_a_scheduled_day_without_calls_has_no_data(store, call, now, company):
    call("erp", "call", "ok", 5, now - DAY)
    assert of_day(store, now, company).calls_status == "no_data"


def test_right_after_midnight_yesterday_still_speaks(store, call, now, company):
    midnight = now - NOON_MINUTES * MINUTE
    call("erp", "call", "ok", 5, midnight - MINUTE)
    assert of_day(store, midnight + 4 * MINUTE, company).calls == Share(5, 5)
    assert of_day(store, midnight + 6 * MINUTE, company).calls_status == "no_data"


# --- freshness ------------------------------------------------------------------------------------------


def test_a_stream_is_stale_past_three_intervals_and_never_before_300_seconds(store, put, polled, now, company):
    put("run", {"run_id": "r", "started_at": now - DAY}, connector="erp")
    polled("erp", "orders", [now - 300 * SECOND])
    polled("erp", "products", [now - 1800 * SECOND])

    def stale(at):
        with store.reading() as tx:
            found = freshness.streams(tx, at, company)
        return [one.name for one in found if one.connector == "erp" and one.stale]

    assert stale(now) == []
    assert stale(now + SECOND) == ["orders", "products"]


def test_a_stream_that_never_succeeded_is_stale_once_the_hub_has_run_for_long_enough(store, put, polled, now, company):
    with store.reading() as tx:
        assert {one.status for one in freshness.streams(tx, now, company)} == {"no_data"}
    put("run", {"run_id": "r", "started_at": now - 301 * SECOND}, connector="shop")
    polled("erp", "orders", [now - MINUTE], outcome="failed")
    with store.reading() as tx:
        orders = next(one for one in freshness.streams(tx, now, company) if one.connector == "erp")
    assert (orders.status, orders.last_success_at) == ("warning", None)


def test_a_connector_that_is_not_pulled_has_no_streams_to_be_late(store, put, now, company):
    put("run", {"run_id": "r", "started_at": now - DAY}, connector="shop")
    pushed = {name: replace(one, pulls=False) for name, one in company.connectors.items()}
    with store.reading() as tx:
        assert freshness.streams(tx, now, replace(company, connectors=pushed)) == []


def test_the_worst_word_speaks_and_no_data_only_where_there_is_nothing_else():
    assert worst(["ok", "no_data", "warning"]) == "warning"
    assert worst(["no_data"]) == "no_data"
    assert worst([]) == "no_data"
