"""A connector for the benchmark's shop, as one for a real shop would be written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import requests
from singer_sdk import Stream as SdkStream
from singer_sdk.helpers.types import Context
from singer_sdk.pagination import PageNumberPaginator

from connectors.answers import Answers
from connectors.bookmarks import BEIJING
from connectors.calls import Caller
from connectors.ports import Ports, Sink
from connectors.problems import Text
from connectors.registry import Connector, Stream, Window
from connectors.rest import RestStream
from connectors.settings import Kind, Setting, Settings
from connectors.tap import HubTap

ANSWERS = Answers("bench", code=("code",))


class ShopTap(HubTap):
    """One stream, orders."""

    name = "liuke-bench"

    def __init__(
        self, settings: Settings, state: Mapping[str, Any], ports: Ports, sink: Sink, window: Window | None = None
    ) -> None:
        self.caller = Caller(ports, ANSWERS)
        super().__init__(settings, state, ports, sink, window)

    def discover_streams(self) -> list[SdkStream]:
        """The one there is."""
        return [Orders(self)]

    def close(self) -> None:
        self.caller.close()


class _Data(msgspec.Struct):
    more: bool


class _Answer(msgspec.Struct):
    data: _Data


class _Pages(PageNumberPaginator):
    def has_more(self, response: requests.Response) -> bool:
        return msgspec.json.decode(response.content, type=_Answer).data.more


class Orders(RestStream):
    """Orders changed since the bookmark, page by page."""

    name = "orders"
    path = "/orders"
    records_at = "data.list"
    is_sorted = True
    _primary_keys = ("id",)
    _replication_key = "modified_at"

    @property
    def url_base(self) -> str:
        return str(self.hub_tap.settings["url"])

    @property
    def caller(self) -> Caller:
        assert isinstance(self.hub_tap, ShopTap)
        return self.hub_tap.caller

    def get_new_paginator(self) -> _Pages:
        return _Pages(1)

    def get_url_params(self, context: Context | None, next_page_token: Any) -> dict[str, Any]:
        since: datetime | None = self.since(context)
        asked = {"since": since.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")} if since else {}
        return asked | {"page": next_page_token}


CONNECTOR = Connector(
    name="benchshop",
    title=Text("基准测试商城", "benchmark shop"),
    package=__package__,
    settings=(Setting("url", Kind.URL, Text("地址", "address"), required=True),),
    list_streams=lambda _settings: (Stream("orders", Text("订单", "orders"), ("id",), updated_at=("modified_at",)),),
    make_tap=ShopTap,
)
