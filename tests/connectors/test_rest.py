import json
import logging
import time
import traceback
from datetime import UTC, datetime, timedelta

import pytest

from connectors.outcomes import Outcome
from connectors.ports_memory import FakeClock, KeptPages, memory_ports
from connectors.problems import ConnectorError
from connectors.redact import guard_logging
from connectors.rest import RestStream
from connectors.writer import Answer, Change
from tests.connectors import vendor as faults
from tests.connectors.conftest import NOON, Pull
from tests.connectors.shop import SHOP
from tests.connectors.vendor import SECRET, Vendor


@pytest.fixture
def vendor():
    made = Vendor()
    made.orders = [{"id": n, "updated_at": f"2026-11-21T02:00:0{n}Z"} for n in range(1, 6)]
    yield made
    made.close()


class RealMonotonic(FakeClock):
    """Sleeps take no time, waiting for the network does."""

    def monotonic(self):
        return time.monotonic()


@pytest.fixture
def clock():
    return RealMonotonic(NOON)


def settings_for(vendor, secret=SECRET, **more):
    raw = {"url": vendor.url, "app_id": "wx1", "app_secret": "${SHOP_SECRET}"} | more
    return SHOP.read_settings(raw, {"SHOP_SECRET": secret}.get)


def pull(vendor, ports, state=None, streams=("orders",), **more):
    kept = Pull()
    with SHOP.tap(settings_for(vendor, **more), state or {}, ports, kept) as tap:
        kept.results = tap.pull(streams)
    return kept


def ids(kept):
    return [json.loads(record)["id"] for record in kept.records("orders")]


def attempts(ports, endpoint="/orders"):
    return [outcome for name, outcome, _ in ports.meter.attempts if name == endpoint]


def calls(ports, endpoint="/orders"):
    return [outcome for name, outcome in ports.meter.calls if name == endpoint]


def test_pages_arrive_as_raw_records_and_the_bookmark_follows_each_page(vendor, ports):
    kept = pull(vendor, ports)
    assert ids(kept) == [1, 2, 3, 4, 5]
    assert kept.records("orders")[0] == b'{"id": 1, "updated_at": "2026-11-21T02:00:01Z"}'
    marks = [s["bookmarks"]["orders"].get("replication_key_value") for s in kept.states if s.get("bookmarks")]
    assert marks[:3] == ["2026-11-21T02:00:02.000000Z", "2026-11-21T02:00:04.000000Z", "2026-11-21T02:00:05.000000Z"]
    assert (attempts(ports), calls(ports)) == ([Outcome.OK] * 3, [Outcome.OK] * 3)


def test_the_next_pull_asks_from_the_bookmark_on(vendor, ports):
    state = pull(vendor, ports).last_state
    vendor.orders.append({"id": 6, "updated_at": "2026-11-21T02:00:09Z"})
    assert ids(pull(vendor, ports, state)) == [5, 6]
    assert vendor.calls[-1][2]["since"] == "2026-11-21T02:00:05Z"


def test_an_expired_token_is_renewed_once_and_the_page_is_asked_for_again(vendor, ports):
    pull(vendor, ports)
    vendor.expire_tokens()
    kept = pull(vendor, ports)
    assert ids(kept) == [1, 2, 3, 4, 5]
    assert vendor.tokens_given == 2
    assert attempts(ports)[3:] == [Outcome.AUTH, Outcome.OK, Outcome.OK, Outcome.OK]
    assert calls(ports)[3:] == [Outcome.OK] * 3


def test_a_token_that_is_never_accepted_costs_two_calls_and_stops_everything(vendor, ports):
    vendor.accept_tokens = False
    kept = pull(vendor, ports, streams=None)
    assert vendor.paths() == ["/token", "/orders", "/token", "/orders"]
    assert [(one.stream, one.outcome, one.problem.code) for one in kept.results] == [
        ("orders", Outcome.FATAL, "shop.auth"),
        ("secrets", Outcome.FATAL, "shop.auth"),
    ]


def test_a_wrong_secret_costs_one_call_and_says_so(vendor, ports):
    kept = pull(vendor, ports, streams=None, secret="wrong-secret-1")
    assert vendor.paths() == ["/token"]
    assert {one.problem.code for one in kept.results} == {"shop.fatal"}


def test_a_token_that_somebody_else_has_renewed_is_taken_over(vendor, ports):
    pull(vendor, ports)
    old = ports.tokens.get("wx1", "access_token")
    pull(vendor, ports)
    assert vendor.tokens_given == 1
    ports.clock.move(7200 - 200)
    pull(vendor, ports)
    assert vendor.tokens_given == 2
    assert ports.tokens.get("wx1", "access_token").value != old.value


@pytest.mark.parametrize(
    "fault",
    [
        faults.says(-1),
        faults.status(500),
        faults.status(502),
        faults.truncated,
        faults.half_json,
        faults.hangs_up,
        faults.drips,
        faults.silent,
    ],
)
def test_what_passes_by_itself_is_tried_again(vendor, ports, fault):
    vendor.faults = [fault]
    assert ids(pull(vendor, ports, answer_within=0.5)) == [1, 2, 3, 4, 5]
    assert attempts(ports) == [Outcome.RETRIABLE, *[Outcome.OK] * 3]
    assert calls(ports) == [Outcome.OK] * 3


def test_what_does_not_pass_is_given_up_after_the_policy_s_attempts(vendor, ports):
    vendor.faults = [None, *[faults.status(503)] * 9]
    kept = pull(vendor, ports)
    assert ids(kept) == [1, 2]
    assert kept.results[0].outcome is Outcome.RETRIABLE
    assert attempts(ports) == [Outcome.OK, *[Outcome.RETRIABLE] * 3]
    assert calls(ports) == [Outcome.OK, Outcome.RETRIABLE]


def test_a_server_that_is_not_there_is_metered_and_given_up(vendor, ports):
    pull(vendor, ports)
    vendor.close()
    kept = pull(vendor, ports)
    assert kept.results[0].problem.code == "shop.unreachable"
    assert attempts(ports)[3:] == [Outcome.RETRIABLE] * 3


@pytest.mark.parametrize(
    ("fault", "until"),
    [
        (faults.says(45011), datetime(2026, 11, 21, 4, 1, tzinfo=UTC)),
        (faults.says(45009), datetime(2026, 11, 21, 16, 0, tzinfo=UTC)),
        (faults.says(7, "This ban will last for 29 more seconds"), NOON + timedelta(seconds=30)),
        (faults.status(429, Retry_After="120"), NOON + timedelta(seconds=120)),
        (faults.status(429, Retry_After="Sat, 21 Nov 2026 04:05:00 GMT"), NOON + timedelta(minutes=5)),
        (faults.status(503, Retry_After="60"), NOON + timedelta(seconds=60)),
        (faults.status(429), NOON + timedelta(seconds=60)),
    ],
)
def test_a_rate_limit_is_no_failure_but_a_time_to_come_back(vendor, ports, fault, until):
    vendor.faults = [fault]
    kept = pull(vendor, ports)
    assert (kept.results[0].outcome, kept.results[0].until) == (Outcome.LATER, until)
    assert (attempts(ports), calls(ports)) == ([Outcome.LATER], [Outcome.LATER])
    before = len(vendor.calls)
    assert pull(vendor, ports).results[0].until == until
    assert len(vendor.calls) == before, "nothing is sent before the time has come"
    ports.clock.move((until - ports.clock.now()).total_seconds())
    assert ids(pull(vendor, ports)) == [1, 2, 3, 4, 5]


def test_a_short_rate_limit_is_waited_out(vendor, ports):
    vendor.faults = [faults.status(429, Retry_After="3")]
    assert ids(pull(vendor, ports)) == [1, 2, 3, 4, 5]
    assert ports.clock.slept == [3.0]
    assert attempts(ports)[:2] == [Outcome.LATER, Outcome.OK]


def test_our_own_budget_defers_without_a_call(vendor, ports):
    kept = pull(vendor, ports, calls_a_day=3)
    assert vendor.paths() == ["/token", "/orders", "/orders"]
    assert ids(kept) == [1, 2, 3, 4]
    (result,) = kept.results
    assert (result.outcome, result.problem.code) == (Outcome.LATER, "shop.budget-used")
    assert result.until == datetime(2026, 11, 21, 16, 0, tzinfo=UTC)


def test_no_data_by_an_error_code_is_no_error(vendor, ports):
    vendor.faults = [faults.says(46004)]
    kept = pull(vendor, ports)
    assert kept.results[0].outcome is Outcome.EMPTY


def test_a_person_is_told_what_to_do(vendor, ports):
    vendor.faults = [faults.says(40164, "invalid ip 1.2.3.4, not in whitelist")]
    (result,) = pull(vendor, ports).results
    assert (result.outcome, result.problem.code) == (Outcome.FATAL, "shop.ip-not-allowed")
    assert "IP 白名单" in result.problem.do.zh
    assert "1.2.3.4" in result.problem.what.zh


def test_an_error_code_nobody_knows_stops_the_stream_but_not_the_others(vendor, ports):
    vendor.faults = [faults.says(99999, "手机号 13800138000 有误")]
    kept = pull(vendor, ports, streams=None)
    assert [(one.stream, one.outcome) for one in kept.results] == [
        ("orders", Outcome.REJECTED),
        ("secrets", Outcome.FATAL),
    ]
    assert "138****8000" in kept.results[0].problem.what.zh


def test_a_redirect_is_not_followed_with_the_token(vendor, ports):
    vendor.faults = [faults.status(302, Location="http://127.0.0.1:1/elsewhere")]
    assert pull(vendor, ports).results[0].outcome is Outcome.FATAL


def test_proxies_of_the_environment_are_not_used(vendor, ports, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    assert ids(pull(vendor, ports)) == [1, 2, 3, 4, 5]


def test_pages_that_do_not_move_are_noticed(vendor, ports):
    vendor.raw_page = b'{"errcode":0,"data":{"list":[{"id":1,"updated_at":"2026-11-21T02:00:01Z"}],"total":99}}'
    assert pull(vendor, ports).results[0].problem.code == "rest.page-repeated"


def test_control_characters_and_wrong_bytes_do_not_hide_a_page(vendor, ports):
    vendor.raw_page = b'{"errcode":0,"data":{"list":[{"id":12345678901234567890,"n":"a\x01b\xff","m":1.10}],"total":1}}'
    (record,) = pull(vendor, ports).records("orders")
    assert record.replace(b" ", b"").startswith(b'{"id":12345678901234567890,')
    assert json.loads(record)["n"] == "a\x01b\udcff"
    assert json.loads(record)["m"] == "1.10"


def test_the_vendor_s_clock_is_compared_with_ours(vendor, ports):
    kept = pull(vendor, ports)
    assert all(isinstance(page.skew_us, int) for page in kept.pages)


def test_no_secret_and_no_token_is_in_logs_messages_or_tracebacks(vendor, ports, caplog):
    before = logging.getLogRecordFactory()
    guard_logging()
    try:
        caplog.set_level(logging.DEBUG)
        vendor.faults = [faults.hangs_up, faults.status(500), faults.says(99999)]
        kept = pull(vendor, ports)
        vendor.close()
        shown = ""
        settings = settings_for(vendor)
        try:
            with SHOP.tap(settings, {}, memory_ports(ports.clock), KeptPages()) as tap:
                next(iter(tap.streams["orders"].get_records(None)))
        except ConnectorError:
            shown = traceback.format_exc()
        assert "shop.unreachable" in shown
        everything = (
            caplog.text + str(kept.results) + shown + repr(settings) + repr(ports.tokens.get("wx1", "access_token"))
        )
        assert "urllib3" in caplog.text, "the HTTP library logs URLs at this level"
        assert SECRET not in everything
        assert "token-number" not in everything
    finally:
        logging.setLogRecordFactory(before)


# --- writers over the same calls -------------------------------------------------------------------------


def write(vendor, ports, *tiers, **more):
    writer = SHOP.writer(settings_for(vendor, **more), ports)
    try:
        return writer.write([Change(f"C{n}", "tier", tier) for n, tier in enumerate(tiers, start=1)])
    finally:
        writer.close()


def test_every_change_gets_its_receipt(vendor, ports):
    receipts = write(vendor, ports, "A", "B", "too long", "D")
    assert [(one.change.source_id, one.answer) for one in receipts] == [
        ("C1", Answer.ACCEPTED),
        ("C2", Answer.ACCEPTED),
        ("C3", Answer.REJECTED),
        ("C4", Answer.ACCEPTED),
    ]
    assert vendor.written == [{"C1": "A", "C2": "B"}, {"C4": "D"}]


@pytest.mark.parametrize("fault", [faults.status(500), faults.silent, faults.truncated])
def test_a_write_that_may_have_arrived_is_unknown_and_not_sent_again(vendor, ports, fault):
    vendor.faults = [fault]
    receipts = write(vendor, ports, "A", "B", "C", answer_within=0.5)
    assert [one.answer for one in receipts] == [Answer.UNKNOWN, Answer.UNKNOWN, Answer.ACCEPTED]
    assert vendor.paths().count("/write") == 2


def test_a_write_that_did_arrive_before_the_line_broke_is_unknown_too(vendor, ports):
    vendor.faults = [faults.takes_and_hangs_up(vendor)]
    assert [one.answer for one in write(vendor, ports, "A")] == [Answer.UNKNOWN]
    assert vendor.written == [{"C1": "A"}]


def test_a_refused_write_is_rejected_with_the_vendor_s_words_and_the_rest_goes_on(vendor, ports):
    vendor.faults = [faults.says(45157, "标签名非法")]
    receipts = write(vendor, ports, "A", "B", "C")
    assert [one.answer for one in receipts] == [Answer.REJECTED, Answer.REJECTED, Answer.ACCEPTED]
    assert "45157" in receipts[0].reason.zh
    assert "标签名非法" in receipts[0].reason.zh


def test_after_a_rate_limit_nothing_more_is_sent(vendor, ports):
    vendor.faults = [None, faults.says(45009)]
    receipts = write(vendor, ports, *"ABCDEF")
    assert [one.answer for one in receipts] == [Answer.ACCEPTED] * 2 + [Answer.LATER] * 4
    assert {one.until for one in receipts[2:]} == {datetime(2026, 11, 21, 16, 0, tzinfo=UTC)}
    assert vendor.paths().count("/write") == 2


def test_without_rights_nothing_is_refused_it_waits(vendor, ports):
    vendor.faults = [faults.says(40164)]
    receipts = write(vendor, ports, *"ABC")
    assert [one.answer for one in receipts] == [Answer.LATER] * 3
    assert vendor.paths().count("/write") == 1


def test_a_vendor_that_is_not_there_makes_changes_wait_since_nothing_was_sent(vendor, ports):
    write(vendor, ports, "A")
    vendor.close()
    assert [one.answer for one in write(vendor, ports, "B")] == [Answer.LATER]


@pytest.mark.parametrize(
    ("times", "latest"),
    [
        (["2026-11-21T02:00:01Z", "2026-11-21T02:00:09Z", "2026-11-21T02:00:05Z"], "02:00:09"),
        (["2026-11-21T10:00:01+08:00", "2026-11-21T02:00:05+00:00"], "02:00:05"),
        (["2026-11-21 10:00:01", "2026-11-21 10:00:07", "2026-11-21T02:00:03Z"], "02:00:07"),
        (["2026-11-21T02:00:01Z", None], "02:00:01"),
        (["2026-11-21 10:00:03", "2026-11-21 10:00:07"], "02:00:07"),
        (["2026-11-21 10:00:07", "2026-11-21T10:00:03"], "02:00:07"),
        (["2026/11/21 10:00:03", "2026-11-21 10:00:07"], "02:00:07"),
        (["2026-11-21 10:00:03", "9999-99-99 99:99:99"], "02:00:03"),
    ],
)
def test_the_bookmark_of_a_page_is_its_latest_time_however_times_are_written(vendor, ports, times, latest):
    vendor.orders = [{"id": n, "updated_at": at} for n, at in enumerate(times)]
    page = [json.dumps(order).encode() for order in vendor.orders]
    with SHOP.tap(settings_for(vendor), {}, ports, KeptPages()) as tap:
        orders = tap.streams["orders"]
        assert isinstance(orders, RestStream)
        assert orders.bookmark_of_page(page) == f"2026-11-21T{latest}.000000Z"
