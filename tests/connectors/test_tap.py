import json
import logging
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest

from connectors.bookmarks import as_time, bookmark, later_of
from connectors.outcomes import Outcome
from connectors.ports import Page, Rejected
from connectors.ports_memory import KeptPages, memory_ports
from connectors.problems import ConnectorError, Later, Problem, Refused, Text, Unreachable
from connectors.registry import Window
from connectors.settings import Settings
from connectors.tap import BulkStream, HubTap, RecordStream, Step
from tests.connectors.conftest import NOON, Pull


def problem(code="x.y"):
    return Problem(code, Text("坏了", "broken"))


class Bulk(BulkStream):
    """Gives the steps it is made with; an exception among them is raised."""

    is_sorted = True

    def __init__(self, tap, name, steps, **more):
        self._steps = steps
        super().__init__(tap, name, key=["id"], updated_at="at", **more)

    def steps(self, context):
        for step in self._steps:
            if isinstance(step, BaseException):
                raise step
            yield step


class Unsorted(Bulk):
    is_sorted = False


class Records(RecordStream):
    def __init__(self, tap, name, records, sorted_=True):
        self._records = records
        self._sorted = sorted_
        super().__init__(tap, name, key=["id"], updated_at="at")

    @property
    def is_sorted(self):
        return self._sorted

    def get_records(self, context):
        yield from (dict(record) for record in self._records)


def tap_of(make_streams, ports, state=None, sink=None, window=None):
    class Tap(HubTap):
        name = "liuke-test"

        def discover_streams(self):
            return make_streams(self)

    return Tap(Settings({}), state or {}, ports, sink if sink is not None else KeptPages(), window)


def pull(make_streams, ports, state=None, sink=None, names=None):
    kept = sink if sink is not None else Pull()
    with tap_of(make_streams, ports, state, kept) as tap:
        kept.results = tap.pull(names)
    return kept


def at(second):
    return f"2026-11-21T02:00:{second:02}.000000Z"


def page(stream, *ids, rejected=()):
    return Page(stream, [json.dumps({"id": n}).encode() for n in ids], 1, True, rejected)


def bookmark_in(state, stream="orders"):
    return state.get("bookmarks", {}).get(stream, {}).get("replication_key_value")


def test_the_sdk_is_the_one_these_traps_were_closed_for():
    assert version("singer-sdk").startswith("0.54."), "read the SDK's batch and state code again before moving on"


def test_making_a_tap_leaves_signals_and_the_caller_s_state_alone(ports):
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    state = {"bookmarks": {"orders": {"replication_key": "at", "replication_key_value": at(1)}}}
    pull(lambda tap: [Bulk(tap, "orders", [Step(page("orders", 1), at(5))])], ports, state)
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert bookmark_in(state) == at(1)


def test_every_state_is_a_copy_and_comes_after_the_page_it_speaks_of(ports):
    events = []

    class Sink(Pull):
        def page(self, page):
            events.append([json.loads(record)["id"] for record in page.records])

        def state(self, value):
            events.append(bookmark_in(value))
            super().state(value)

    steps = [Step(page("orders", n), at(n)) for n in (1, 2, 3)]
    kept = pull(lambda tap: [Bulk(tap, "orders", steps)], ports, sink=Sink())
    assert events == [[1], at(1), [2], at(2), [3], at(3)]
    assert [bookmark_in(state) for state in kept.states] == [at(1), at(2), at(3)]


def test_a_sink_that_fails_has_never_seen_a_bookmark_beyond_its_pages(ports):
    class Full(Pull):
        def page(self, page):
            if len(self.pages) == 1:
                raise OSError("No space left on device")
            super().page(page)

    kept = Full()
    steps = [Step(page("orders", n), at(n)) for n in (1, 2, 3)]
    with pytest.raises(OSError, match="No space"):
        pull(lambda tap: [Bulk(tap, "orders", steps)], ports, sink=kept)
    assert bookmark_in(kept.last_state) == at(1)


def test_bookmarks_are_times_and_not_texts():
    assert later_of("2026-11-21T10:00:00+08:00", "2026-11-21T03:00:00Z") == "2026-11-21T03:00:00Z"
    assert later_of("2026-11-21T03:00:00.5Z", "2026-11-21T03:00:00Z") == "2026-11-21T03:00:00.5Z"
    assert later_of(9, 10) == 10
    assert later_of(None, at(1)) == later_of(at(1), None) == at(1)
    assert as_time("2026-11-21 10:00:00") == datetime(2026, 11, 21, 2, tzinfo=UTC)
    assert bookmark(NOON) == "2026-11-21T04:00:00.000000Z"


def test_a_bookmark_never_goes_back_though_an_overlap_reads_older_records(ports):
    state = {"bookmarks": {"orders": {"replication_key": "at", "replication_key_value": at(30)}}}
    steps = [Step(page("orders", 1), at(10)), Step(page("orders", 2), at(40))]
    kept = pull(lambda tap: [Bulk(tap, "orders", steps)], ports, state)
    assert [bookmark_in(state) for state in kept.states] == [at(30), at(40)]


def test_an_unsorted_stream_moves_its_bookmark_at_its_end_only_and_to_the_latest(ports):
    steps = [Step(page("orders", n), at(n)) for n in (20, 40, 30)]
    kept = pull(lambda tap: [Unsorted(tap, "orders", steps)], ports)
    assert {bookmark_in(state) for state in kept.states[:-1]} == {None}
    assert bookmark_in(kept.last_state) == at(40)


def test_an_unsorted_stream_that_breaks_off_starts_anew(ports):
    steps = [Step(page("orders", 20), at(20)), Unreachable(problem())]
    kept = pull(lambda tap: [Unsorted(tap, "orders", steps)], ports)
    assert bookmark_in(kept.last_state) is None
    second = pull(lambda tap: [Unsorted(tap, "orders", [Step(page("orders", 5), at(5))])], ports, kept.last_state)
    assert bookmark_in(second.last_state) == at(5)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Later(problem(), NOON), Outcome.LATER),
        (Unreachable(problem()), Outcome.RETRIABLE),
        (Refused(problem()), Outcome.REJECTED),
        (ConnectorError(problem()), Outcome.FATAL),
    ],
)
def test_a_stream_that_fails_says_how_and_stops_no_other(ports, error, outcome):
    kept = pull(
        lambda tap: [
            Bulk(tap, "a", [Step(page("a", 1), at(1)), error]),
            Bulk(tap, "b", [Step(page("b", 1, rejected=[Rejected("x", b"y")]), at(1))]),
            Bulk(tap, "c", []),
        ],
        ports,
    )
    got = [(one.stream, one.records, one.rejected, one.outcome) for one in kept.results]
    assert got == [("a", 1, 0, outcome), ("b", 1, 1, Outcome.OK), ("c", 0, 0, Outcome.EMPTY)]
    assert kept.results[0].problem.code == "x.y"
    assert kept.results[0].until == (NOON if outcome is Outcome.LATER else None)
    assert bookmark_in(kept.last_state, "a") == at(1)


def test_a_mistake_in_code_is_not_hidden(ports):
    with pytest.raises(ZeroDivisionError):
        pull(lambda tap: [Bulk(tap, "a", [ZeroDivisionError()])], ports)


def test_only_the_streams_asked_for_are_pulled_and_unknown_ones_are_said(ports):
    def streams(tap):
        return [Bulk(tap, name, [Step(page(name, 1), at(1))]) for name in ("a", "b")]

    assert [one.stream for one in pull(streams, ports, names=["b"]).results] == ["b"]
    with pytest.raises(ConnectorError, match=r"connector\.unknown-stream"):
        pull(streams, ports, names=["c"])


def test_on_the_record_path_no_field_is_dropped_and_no_value_changed(ports):
    record = {"id": 1, "at": at(1), "new": {"deep": [1.5, None]}, "n": 12345678901234567890, "bad": float("nan")}
    kept = pull(lambda tap: [Records(tap, "orders", [record])], ports)
    assert [json.loads(one) for one in kept.records("orders")] == [record | {"bad": "NaN"}]


def test_on_the_record_path_the_bookmark_is_the_latest_record_s_whatever_its_offset(ports):
    records = [
        {"id": 1, "at": "2026-11-21 10:00:05"},
        {"id": 2, "at": "2026-11-21T02:00:09+00:00"},
        {"id": 3, "at": "2026-11-21T10:00:07+08:00"},
    ]
    for sorted_ in (True, False):
        kept = pull(lambda tap, sorted_=sorted_: [Records(tap, "orders", records, sorted_)], ports)
        assert bookmark_in(kept.last_state) == at(9)


def test_the_start_is_bookmark_less_overlap_within_the_window_and_stays_while_pages_move_the_bookmark(ports):
    state = {"bookmarks": {"orders": {"replication_key": "at", "replication_key_value": at(30)}}}
    for window, since in (
        (None, datetime(2026, 11, 21, 2, 0, 20, tzinfo=UTC)),
        (Window(datetime(2026, 11, 21, 2, 0, 25, tzinfo=UTC)), datetime(2026, 11, 21, 2, 0, 25, tzinfo=UTC)),
    ):
        with tap_of(lambda tap: [Bulk(tap, "orders", [])], ports, state, window=window) as tap:
            stream = tap.streams["orders"]
            stream.overlap = timedelta(seconds=10)
            assert stream.since() == since
            stream.advance(at(50))
            assert stream.since() == since


def test_children_are_pulled_below_their_parents(ports):
    class Parents(Records):
        def get_child_context(self, record, context):
            return {"order": record["id"]}

    class Children(RecordStream):
        parent_stream_type = Parents
        state_partitioning_keys = ()

        def get_records(self, context):
            yield {"id": f"{context['order']}-1", "order": context["order"]}

    kept = pull(
        lambda tap: [Parents(tap, "orders", [{"id": 1, "at": at(1)}, {"id": 2, "at": at(2)}]), Children(tap, "lines")],
        ports,
    )
    assert [json.loads(one)["id"] for one in kept.records("lines")] == ["1-1", "2-1"]
    assert {(one.stream, one.records) for one in kept.results} == {("orders", 2), ("lines", 2)}


def test_a_tap_says_nothing_by_itself(ports, caplog, capsys):
    caplog.set_level(logging.INFO)
    pull(lambda tap: [Bulk(tap, "a", [Step(page("a", 1), at(1))]), Records(tap, "b", [{"id": 1, "at": at(1)}])], ports)
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_taps_may_run_in_threads(clock):
    kept = [KeptPages() for _ in range(8)]

    def run(sink):
        steps = [Step(page("orders", n), at(n)) for n in range(30)]
        pull(lambda tap: [Bulk(tap, "orders", steps)], memory_ports(clock), sink=sink)

    threads = [threading.Thread(target=run, args=(sink,)) for sink in kept]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(sink.records("orders")) for sink in kept] == [30] * 8


def test_the_bulk_path_passes_more_than_a_hundred_thousand_records_a_second(ports):
    records = [b'{"id":%d,"x":"%s"}' % (n, b"x" * 180) for n in range(5_000)]
    steps = [Step(Page("orders", records, 1, True), at(n % 60)) for n in range(40)]
    with tap_of(lambda tap: [Bulk(tap, "orders", steps)], ports) as tap:
        started = time.process_time()
        (result,) = tap.pull()
        took = time.process_time() - started
    assert result.records == 200_000
    assert result.records / took > 100_000
