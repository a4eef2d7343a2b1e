"""Pulls streams of a REST system: pages of raw records over the call layer, on singer-sdk's RESTStream.

A vendor's stream says where it is (`url_base`, `path`), what it asks (`get_http_request` and the SDK's other
hooks), where the records stand in the answer (`records_at`) and how pages go on (`get_new_paginator`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.pagination import SinglePagePaginator
from singer_sdk.streams.rest import PageContext, RESTStream

from connectors.bookmarks import Bookmark, later_of
from connectors.calls import Caller, Reply, Request
from connectors.outcomes import Outcome
from connectors.ports import Page
from connectors.problems import ConnectorError, Problem, Text
from connectors.sink_writer import encode_record, microseconds
from connectors.tap import BulkStream, RecordStream, Step

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context
    from singer_sdk.pagination import BaseAPIPaginator

__all__ = ["RestPage", "RestRecordStream", "RestStream"]


class RestPage:
    """One answer with its records, still undecoded, and the time before it was asked for."""

    def __init__(self, reply: Reply, records: list[msgspec.Raw | bytes], extracted_at: int) -> None:
        self.reply = reply
        self.records = records
        self.extracted_at = extracted_at


class _Rest(RESTStream[Any]):
    """Paging and asking, for both kinds of stream below."""

    records_at: str = ""
    """Dotted path of the list of records in an answer; "" if the answer is the list."""

    @property
    @abstractmethod
    def caller(self) -> Caller:
        """The tap's caller: one for all its streams, since they share token and quota."""

    @property
    def endpoint(self) -> str:
        """The name of this call in meters."""
        return self.path or self.name

    def get_new_paginator(self) -> BaseAPIPaginator[Any] | None:
        """None: everything in one answer."""
        return None

    def request_for(self, context: Context | None, page_token: Any) -> Request:
        """The request for one page, from the SDK's hooks; override for what they cannot say."""
        asked = self.get_http_request(page=PageContext(context, page_token))
        body: bytes | None = None
        headers = {str(name): str(value) for name, value in asked.headers.items()}
        if asked.data is not None:
            body = asked.data if isinstance(asked.data, bytes) else msgspec.json.encode(asked.data)
            headers.setdefault("Content-Type", "application/json")
        query = asked.encode_params()
        url = f"{asked.url}{'&' if '?' in asked.url else '?'}{query}" if query else asked.url
        return Request(self.endpoint, url, asked.method, headers=headers, body=body)

    def records_of(self, reply: Reply) -> list[msgspec.Raw | bytes]:
        """The records of an answer, each the bytes of one JSON value."""
        if reply.outcome is Outcome.EMPTY:
            return []
        return raw_list(reply.value, self.records_at)

    def pages(self, context: Context | None) -> Iterator[RestPage]:
        """Every page, until there is no next one or one is empty."""
        paginator = self.get_new_paginator() or SinglePagePaginator()
        clock = self.caller.ports.clock
        before = b""
        while not paginator.finished:
            started = microseconds(clock.now())
            reply = self.caller.call(self.request_for(context, paginator.current_value))
            records = self.records_of(reply)
            if records and reply.body == before:
                raise ConnectorError(_standing_still(self.caller, self.endpoint, paginator.current_value))
            before = reply.body
            yield RestPage(reply, records, started)
            if reply.response is None or (not records and not paginator.continue_if_empty(reply.response)):
                return
            if not reply.clean:
                # The SDK's paginators read the answer with a strict decoder.
                reply.response._content = encode_record({"v": reply.value})[5:-1]
            paginator.advance(reply.response)


class RestStream(BulkStream, _Rest):
    """A REST stream on the bulk path: its records reach the landing file without being decoded."""

    def steps(self, context: Context | None) -> Iterator[Step]:
        for page in self.pages(context):
            landed = Page(
                self.name,
                page.records,
                page.extracted_at,
                validated=page.reply.clean,
                skew_us=page.reply.skew_us,
            )
            yield Step(landed, self.bookmark_of_page(page.records))
            if self.hub_tap.trial:
                return

    def bookmark_of_page(self, records: Iterable[msgspec.Raw | bytes]) -> Bookmark | None:
        """The furthest bookmark of a page, without decoding more of a record than that one field."""
        if not self.replication_key:
            return None
        values: list[Any] = []
        for record in records:
            try:
                values.append(self._only_key(record).value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        # One that says nothing may stand in front of all others: then every value is looked at.
        return self._latest(_candidates(values)) or self._latest(values)

    def _latest(self, values: list[Any]) -> Bookmark | None:
        newest: Bookmark | None = None
        for value in values:
            newest = later_of(newest, self.bookmark_of({self.replication_key or "": value}))
        return newest

    @cached_property
    def _only_key(self) -> Any:
        one = msgspec.defstruct(
            "OnlyKey", [("value", Any, None)], rename={"value": self.replication_key or ""}, gc=False
        )
        return msgspec.json.Decoder(one).decode


class RestRecordStream(RecordStream, _Rest):
    """A REST stream on the record path: for parents, children and partitions."""

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:
        for page in self.pages(context):
            for record in page.records:
                yield msgspec.json.decode(record)


def _candidates(values: list[Any]) -> list[Any]:
    """The values among which the latest must be: one, where all are written alike and so compare as text."""
    forms = {_form(value) if isinstance(value, str) else type(value) for value in values}
    alike = len(forms) == 1 and not forms & {dict, list, type(None)}
    return [max(values)] if alike else values


def _form(value: str) -> tuple[int, str, str, str]:
    """Length, what stands after the year and after the day, and the offset of a time: "" where it is Beijing's."""
    offset = value[-6:] if value[-6:-5] in {"+", "-"} else value[-1:].strip("0123456789")
    return len(value), value[4:5], value[10:11], offset


def raw_list(value: Any, path: str) -> list[msgspec.Raw | bytes]:
    """The list at a dotted path as raw records; [] if nothing is there (vendors leave empty lists out)."""
    for name in path.split(".") if path else ():
        if isinstance(value, msgspec.Raw):
            value = msgspec.json.decode(value, type=dict[str, msgspec.Raw] | None)
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, msgspec.Raw):
        value = msgspec.json.decode(value, type=list[msgspec.Raw] | None)
    if not isinstance(value, list):
        return []
    # An answer that is not clean JSON was decoded with patience: its records are written out anew.
    return [item if isinstance(item, (msgspec.Raw, bytes)) else encode_record(item) for item in value]


def _standing_still(caller: Caller, endpoint: str, token: object) -> Problem:
    return Problem(
        "rest.page-repeated",
        Text(
            f"第 {token} 页与上一页相同, 分页没有前进",
            f"page {token} is the same as the one before: paging stands still",
        ),
        f"{caller.ports.connector}: {endpoint}",
        Text("检查分页参数的名称", "check the names of the paging parameters"),
    )
