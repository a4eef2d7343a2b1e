"""The checks of the conformance kit; each is a sentence about what every connector does."""

from __future__ import annotations

import copy
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from connectors.outcomes import Outcome
from connectors.ports import Page
from connectors.ports_memory import KeptPages
from connectors.redact import SecretsFilter
from connectors.registry import Connector
from connectors.settings import Kind, Setting, json_schema
from connectors.testing_handle import Fault, Handle, NotOffered
from connectors.writer import ABSENT, Answer, Change

__all__ = ["CHECKS", "Check"]

Check = Callable[[Connector, Handle], None]
CHECKS: dict[str, Check] = {}
"""Every check by its name, in the order of this file."""


def check(function: Check) -> Check:
    """Registers a check under its name with dashes."""
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


# --- what it says of itself ------------------------------------------------------------------------------


@check
def settings_are_described_in_both_languages(connector: Connector, handle: Handle) -> None:
    for setting in _all_settings(connector.settings):
        _expect(re.search(r"[\u4e00-\u9fff]", setting.meaning.zh), f"{setting.name} has no Chinese description")
        _expect(setting.meaning.en.isascii() and setting.meaning.en, f"{setting.name} has no English description")
    _expect(connector.title.zh and connector.title.en, "the connector has no title")


@check
def secrets_are_marked_and_have_no_default(connector: Connector, handle: Handle) -> None:
    for setting in _all_settings(connector.settings):
        if re.search(r"secret|password|passwd|token|_key$", setting.name) and setting.kind is Kind.TEXT:
            _expect(setting.secret, f"{setting.name} looks like a secret and is not marked as one")
        _expect(not (setting.secret and setting.default), f"the secret {setting.name} has a default")


@check
def every_setting_is_in_the_published_schema_and_in_the_docs(connector: Connector, handle: Handle) -> None:
    published = json.dumps(json_schema(connector.settings))
    for setting in _all_settings(connector.settings):
        _expect(f'"{setting.name}"' in published, f"{setting.name} is not in the schema")
        if handle.docs:
            _expect(f"`{setting.name}`" in handle.docs, f"{setting.name} is not in the docs")


@check
def every_stream_has_a_key_and_a_title(connector: Connector, handle: Handle) -> None:
    streams = [*connector.streams(), *connector.streams(handle.settings)]
    _expect(streams, "there are no streams")
    for stream in streams:
        _expect(stream.key, f"{stream.name} has no key")
        _expect(stream.title.zh and stream.title.en, f"{stream.name} has no title")


@check
def the_streams_that_are_pulled_are_those_that_are_announced(connector: Connector, handle: Handle) -> None:
    with connector.tap(handle.settings, {}, handle.ports(), KeptPages()) as tap:
        announced = {stream.name: stream for stream in connector.streams(handle.settings)}
        _expect(set(tap.streams) == set(announced), f"{sorted(tap.streams)} are not {sorted(announced)}")


@check
def the_shipped_map_covers_the_declared_streams(connector: Connector, handle: Handle) -> None:
    file = connector.map_file()
    if file is None:
        _expect(not connector.streams(), "declared streams need a map.yaml")
        raise NotOffered
    text = file.read_text(encoding="utf-8")
    problems = list(handle.map_problems(text))
    _expect(not problems, "\n".join(problems))
    for stream in connector.streams():
        _expect(re.search(rf"^  {re.escape(stream.name)}:", text, re.MULTILINE), f"{stream.name} is not mapped")


# --- pulling ---------------------------------------------------------------------------------------------


@check
def all_records_come_and_a_quiet_source_gives_nothing_more(connector: Connector, handle: Handle) -> None:
    ids = [f"{n:03}" for n in range(23)]
    for number, one in enumerate(ids):
        handle.put([one], handle.since + timedelta(seconds=number))
    first = _pull(connector, handle, {})
    _expect(sorted(_ids(first, handle)) == ids, "not every record came exactly once")
    second = _pull(connector, handle, first.last_state)
    # Asking "from this moment on" may bring the newest record once more; anything else is waste at every poll.
    _expect(_ids(second, handle) in ([], ids[-1:]), "a quiet source gave records again")


@check
def records_of_one_moment_are_all_found(connector: Connector, handle: Handle) -> None:
    moment = handle.ports().clock.now()
    handle.put(["b", "d"], moment)
    first = _pull(connector, handle, {})
    handle.put(["a", "c", "e"], moment)
    second = _pull(connector, handle, first.last_state)
    found = {*_ids(first, handle), *_ids(second, handle)}
    _expect(found == set("abcde"), f"{sorted(set('abcde') - found)} are missing")


@check
def a_changed_record_comes_again(connector: Connector, handle: Handle) -> None:
    handle.put(["1", "2", "3"], handle.since)
    state = _pull(connector, handle, {}).last_state
    handle.put(["2"], handle.since + timedelta(minutes=5), text="changed")
    again = _pull(connector, handle, state)
    _expect("2" in _ids(again, handle), "the changed record did not come")
    _expect(any(b"changed" in record for record in again.records(handle.stream)), "it came as it was before")


@check
def killed_anywhere_the_next_pull_brings_what_is_missing(connector: Connector, handle: Handle) -> None:
    ids = [f"{n:03}" for n in range(11)]
    for number, one in enumerate(ids):
        handle.put([one], handle.since + timedelta(seconds=number))
    for messages in range(8):
        first = _DiesAfter(messages)
        try:
            _pull(connector, handle, {}, first)
        except _Killed:
            second = _pull(connector, handle, first.last_state)
            found = {*_ids(first, handle), *_ids(second, handle)}
            _expect(found == set(ids), f"killed at message {messages}: {sorted(set(ids) - found)} are missing")


@check
def states_are_copies_and_plain_json(connector: Connector, handle: Handle) -> None:
    handle.put(["1", "2"], handle.since)
    sink = _Snapshots()
    _pull(connector, handle, {}, sink)
    _expect(sink.states, "there was no state")
    for state, then in zip(sink.states, sink.then, strict=True):
        _expect(json.dumps(state, sort_keys=True) == then, "a state changed after it was given")


@check
def neither_logs_nor_states_nor_messages_hold_a_secret(connector: Connector, handle: Handle) -> None:
    if not handle.secrets:
        raise NotOffered
    handle.put(["1"], handle.since)
    with _logged() as logged:
        kept = _pull(connector, handle, {})
        shown = [*logged, json.dumps(kept.last_state), repr(handle.settings)]
    for secret in handle.secrets:
        _expect(not any(secret in text for text in shown), "a secret is shown")


@check
def trying_reads_a_record_and_changes_nothing(connector: Connector, handle: Handle) -> None:
    handle.put(["1", "2"], handle.since)
    tried = {one.stream: one for one in connector.test(handle.settings, handle.ports())}
    _expect(tried[handle.stream].records == 1, f"{handle.stream}: {tried[handle.stream].problem}")
    _expect(len(_ids(_pull(connector, handle, {}), handle)) == 2, "the trial took records away")


# --- errors ----------------------------------------------------------------------------------------------


@check
def a_business_error_is_no_success(connector: Connector, handle: Handle) -> None:
    handle.put(["1"], handle.since)
    handle.fail_next(Fault.BUSINESS_ERROR)
    ports = handle.ports()
    kept = KeptPages()
    with connector.tap(handle.settings, {}, ports, kept) as tap:
        (result,) = [one for one in tap.pull([handle.stream]) if one.stream == handle.stream]
    _expect(result.outcome not in {Outcome.OK, Outcome.EMPTY}, "an error at HTTP 200 counted as success")
    _expect(result.problem is not None and result.problem.do.zh, "nobody is told what to do")


@check
def a_broken_answer_is_asked_for_again(connector: Connector, handle: Handle) -> None:
    handle.put(["1"], handle.since)
    handle.fail_next(Fault.BROKEN_ANSWER)
    _expect(_ids(_pull(connector, handle, {}), handle) == ["1"], "one broken answer lost a record")


@check
def a_rate_limit_is_a_time_to_come_back(connector: Connector, handle: Handle) -> None:
    handle.put(["1"], handle.since)
    handle.fail_next(Fault.RATE_LIMIT)
    ports = handle.ports()
    with connector.tap(handle.settings, {}, ports, KeptPages()) as tap:
        (result,) = [one for one in tap.pull([handle.stream]) if one.stream == handle.stream]
    _expect(result.outcome is Outcome.LATER, f"a rate limit was {result.outcome}")
    _expect(result.until is not None and result.until > ports.clock.now(), "it does not say when")


@check
def a_bad_token_costs_two_calls_at_most(connector: Connector, handle: Handle) -> None:
    handle.put(["1"], handle.since)
    handle.spoil_tokens()
    before = handle.calls()
    with connector.tap(handle.settings, {}, handle.ports(), KeptPages()) as tap:
        results = tap.pull()
    _expect(all(one.outcome is Outcome.FATAL for one in results), "a bad token is for a person to mend")
    _expect(handle.calls() - before <= 2, f"it cost {handle.calls() - before} calls")


# --- writing ---------------------------------------------------------------------------------------------


@check
def every_change_gets_one_receipt_and_is_found_by_reading_back(connector: Connector, handle: Handle) -> None:
    writer = _writer(connector, handle)
    try:
        ids = handle.target_ids()
        changes = [
            Change(source_id, field.name, handle.value_for(field)) for source_id in ids for field in writer.fields()
        ]
        nonsense = Change(ids[0], "no_such_field", "x")
        receipts = writer.write([*changes, nonsense])
        _expect([one.change for one in receipts] == [*changes, nonsense], "receipts are not one for each, in order")
        _expect(receipts[-1].answer is Answer.REJECTED, "a field that is not there was not rejected")
        _expect(all(one.answer is Answer.ACCEPTED for one in receipts[:-1]), "a good change was not accepted")
        found = writer.read_back(ids, [field.name for field in writer.fields()])
        for change in changes:
            held = found.get(change.source_id, change.field)
            _expect(writer.same(change.field, change.value, held), f"{change.field}: read {held!r}")
        absent = writer.read_back(["no-such-id"], [writer.fields()[0].name])
        _expect(absent.get("no-such-id", writer.fields()[0].name) is ABSENT, "an absent record looks like an empty one")
    finally:
        writer.close()


@check
def writable_fields_have_titles_in_both_languages(connector: Connector, handle: Handle) -> None:
    writer = _writer(connector, handle)
    try:
        _expect(writer.fields(), "there are no fields to write")
        for field in writer.fields():
            _expect(field.title.zh and field.title.en, f"{field.name} has no title")
    finally:
        writer.close()


@check
def a_write_without_an_answer_is_unknown_and_not_sent_again(connector: Connector, handle: Handle) -> None:
    writer = _writer(connector, handle)
    try:
        field = writer.fields()[0]
        handle.fail_next(Fault.LOST_ANSWER)
        before = handle.calls()
        (receipt,) = writer.write([Change(handle.target_ids()[0], field.name, handle.value_for(field))])
        _expect(receipt.answer is Answer.UNKNOWN, f"it was {receipt.answer}")
        _expect(handle.calls() - before == 1, "it was sent again")
    finally:
        writer.close()


# --- how the checks are written --------------------------------------------------------------------------


def _expect(what: object, otherwise: str) -> None:
    if not what:
        raise AssertionError(otherwise)


def _all_settings(settings: Sequence[Setting]) -> Iterator[Setting]:
    for setting in settings:
        yield setting
        yield from _all_settings(setting.settings)


def _pull(connector: Connector, handle: Handle, state: Mapping[str, Any], sink: KeptPages | None = None) -> KeptPages:
    kept = sink if sink is not None else KeptPages()
    with connector.tap(handle.settings, copy.deepcopy(dict(state)), handle.ports(), kept) as tap:
        results = tap.pull([handle.stream])
    problems = [str(one.problem) for one in results if one.problem is not None]
    _expect(not problems, "\n".join(problems))
    return kept


def _ids(kept: KeptPages, handle: Handle) -> list[str]:
    return [handle.id_of(json.loads(record)) for record in kept.records(handle.stream)]


def _writer(connector: Connector, handle: Handle) -> Any:
    if not connector.write_back:
        raise NotOffered
    handle.target_ids()
    return connector.writer(handle.settings, handle.ports())


class _Killed(BaseException):
    """The process dies here."""


class _DiesAfter(KeptPages):
    """A sink under which the process is killed at its n-th message."""

    def __init__(self, messages: int) -> None:
        super().__init__()
        self._left = messages

    def page(self, page: Page) -> None:
        self._count()
        super().page(page)

    def state(self, value: Mapping[str, Any]) -> None:
        self._count()
        super().state(value)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _Killed


class _Snapshots(KeptPages):
    """Keeps beside each state how it looked when it came."""

    def __init__(self) -> None:
        super().__init__()
        self.then: list[str] = []

    def state(self, value: Mapping[str, Any]) -> None:
        super().state(value)
        self.then.append(json.dumps(value, sort_keys=True))


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Everything that is logged meanwhile, as a guarded handler would show it."""
    texts: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(logging.Formatter().format(record))

    handler = Kept(logging.DEBUG)
    handler.addFilter(SecretsFilter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield texts
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
