"""Takes a tap's Singer messages inside the process and gives their content to a Sink."""

from __future__ import annotations

import copy
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import msgspec
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.singerlib import Message, RecordMessage, StateMessage
from singer_sdk.singerlib.encoding.base import GenericSingerWriter

from connectors.ports import Clock, Page, Sink

__all__ = ["SinkWriter", "encode_record", "microseconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE = 1_000
"""Records of the record path are handed on in pages of this many."""


class SinkWriter(GenericSingerWriter[bytes, Message]):
    """The message writer of every HubTap: BATCH and RECORD become pages, STATE becomes a copy."""

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._waiting: dict[str, list[bytes]] = {}
        self._waiting_since: dict[str, int] = {}
        self._records: defaultdict[str, int] = defaultdict(int)
        self._rejected: defaultdict[str, int] = defaultdict(int)

    def write_message(self, message: Message) -> None:
        if isinstance(message, SDKBatchMessage):
            for page in cast("list[Page]", message.manifest):
                self._records[page.stream] += len(page.records)
                self._rejected[page.stream] += len(page.rejected)
                self._sink.page(page)
        elif isinstance(message, RecordMessage):
            self._keep(message.stream, message.record)
        elif isinstance(message, StateMessage):
            self.flush()
            # The tap goes on writing into the same dictionary: without a copy the bookmark would run ahead.
            self._sink.state(copy.deepcopy(dict(message.value)))

    def serialize_message(self, message: Message) -> bytes:
        return msgspec.json.encode(message.to_dict(), enc_hook=str)

    def flush(self) -> None:
        """Hands on the records that wait for a full page."""
        for stream in list(self._waiting):
            self._flush_one(stream)

    def counts(self, stream: str) -> tuple[int, int]:
        """How many records, and how many rejected ones, the stream has given so far."""
        return self._records[stream], self._rejected[stream]

    def _keep(self, stream: str, record: Mapping[str, Any]) -> None:
        if stream not in self._waiting:
            self._waiting[stream] = []
            self._waiting_since[stream] = microseconds(self._clock.now())
        self._waiting[stream].append(encode_record(record))
        self._records[stream] += 1
        if len(self._waiting[stream]) >= _PAGE:
            self._flush_one(stream)

    def _flush_one(self, stream: str) -> None:
        records = self._waiting.pop(stream)
        self._sink.page(Page(stream, records, self._waiting_since.pop(stream)))


def microseconds(at: datetime) -> int:
    """Microseconds since 1970 UTC of an aware time; exact, where a float would not be."""
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def encode_record(record: Mapping[str, Any]) -> bytes:
    """A record as JSON bytes: decimals exact as text, NaN and Infinity as text so that a reader can say why.

    A lone surrogate leaves as its escape: whoever lands the bytes decides what becomes of it.
    """
    plain = _plain(record)
    try:
        return msgspec.json.encode(plain)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(plain, ensure_ascii=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value).replace("nan", "NaN").replace("inf", "Infinity")
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Decimal):
        return str(value)
    return msgspec.to_builtins(value, str_keys=True, enc_hook=str)
