"""A connector for the test vendor, as somebody would write one: it is what the tests of rest.py drive."""

from dataclasses import replace
from datetime import timedelta

import msgspec
from singer_sdk.pagination import PageNumberPaginator

from connectors.answers import Answers, ComeBack, Rule
from connectors.calls import Auth, Caller, Request, Timeouts
from connectors.outcomes import Outcome
from connectors.ports import Budget, Per, Token
from connectors.problems import Text
from connectors.registry import Connector, Stream
from connectors.rest import RestStream
from connectors.retry import Policy
from connectors.settings import Kind, Setting
from connectors.tap import HubTap
from connectors.writer import Field, ReadBack, Writer

ANSWERS = Answers(
    "shop",
    code=("errcode",),
    message=("errmsg",),
    rules=(
        Rule(Outcome.AUTH, code={"40001", "42001"}),
        Rule(Outcome.LATER, code={"45011"}, come_back=ComeBack.NEXT_MINUTE),
        Rule(Outcome.LATER, code={"45009"}, come_back=ComeBack.NEXT_DAY),
        Rule(Outcome.LATER, code={"7"}, come_back=ComeBack.MESSAGE),
        Rule(Outcome.RETRIABLE, code={"-1"}),
        Rule(Outcome.EMPTY, code={"46004"}),
        Rule(
            Outcome.FATAL,
            code={"40164"},
            name="ip-not-allowed",
            what=Text("本机 IP 不在白名单里", "this machine's IP is not on the white list"),
            do=Text("在公众平台把本机 IP 加入 IP 白名单", "add this machine's IP to the IP white list"),
        ),
        Rule(Outcome.FATAL, code={"48001", "40125"}),
    ),
)


class ShopAuth(Auth):
    kind = "access_token"

    def __init__(self, settings):
        self.holder = settings["app_id"]
        self._settings = settings

    def fetch(self, caller):
        url = f"{self._settings['url']}/token"
        params = {"appid": self._settings["app_id"], "secret": self._settings["app_secret"]}
        reply = caller.call_unsigned(Request("token", url, params=params))
        now = caller.ports.clock.now()
        expires_in = timedelta(seconds=reply.at("expires_in"))
        return Token(reply.at("access_token"), now, now + expires_in)

    def sign(self, request, token):
        if token is None:
            return request
        separator = "&" if "?" in request.url else "?"
        return replace(request, url=f"{request.url}{separator}access_token={token.value}")


def make_caller(settings, ports):
    return Caller(
        ports,
        ANSWERS,
        auth=ShopAuth(settings),
        budgets=(Budget(Per.DAY, settings["calls_a_day"]),),
        policy=Policy(attempts=3, first_wait_s=0.5),
        timeouts=Timeouts(read=settings["answer_within"] / 2, whole=settings["answer_within"]),
    )


class ShopTap(HubTap):
    name = "liuke-test-shop"

    def __init__(self, settings, state, ports, sink, window=None):
        self.caller = make_caller(settings, ports)
        super().__init__(settings, state, ports, sink, window)

    def discover_streams(self):
        return [Orders(self), Secrets(self)]

    def close(self):
        self.caller.close()


class Pages(PageNumberPaginator):
    def has_more(self, response):
        return self.current_value * 2 < response.json()["data"]["total"]


class ShopStream(RestStream):
    url_base = property(lambda self: self.hub_tap.settings["url"])
    caller = property(lambda self: self.hub_tap.caller)


class Orders(ShopStream):
    name = "orders"
    path = "/orders"
    records_at = "data.list"
    _primary_keys = ("id",)
    _replication_key = "updated_at"
    is_sorted = True

    def get_new_paginator(self):
        return Pages(1)

    def get_url_params(self, context, page):
        since = self.since(context)
        return {"page": page} | ({"since": since.strftime("%Y-%m-%dT%H:%M:%SZ")} if since else {})


class Secrets(ShopStream):
    name = "secrets"
    path = "/secrets"
    _primary_keys = ("id",)


class ShopWriter(Writer):
    batch_size = 2

    def __init__(self, settings, ports):
        super().__init__(ports)
        self._settings = settings
        self._caller = make_caller(settings, ports)

    def fields(self):
        return (Field("tier", Text("分层", "tier"), length=4),)

    def send(self, changes):
        body = msgspec.json.encode({change.source_id: change.value for change in changes})
        url = f"{self._settings['url']}/write"
        self._caller.call(Request("write", url, "POST", body=body, repeatable=False))
        return [self.accepted(change) for change in changes]

    def read_back(self, source_ids, fields):
        return ReadBack()

    def close(self):
        self._caller.close()


SHOP = Connector(
    name="shop",
    title=Text("测试商城", "test shop"),
    package="tests",
    settings=(
        Setting("url", Kind.URL, Text("地址", "address"), required=True),
        Setting("app_id", Kind.TEXT, Text("应用号", "application id"), required=True),
        Setting("app_secret", Kind.TEXT, Text("应用密钥", "application secret"), required=True, secret=True),
        Setting("answer_within", Kind.NUMBER, Text("等待秒数", "seconds to wait"), default=30.0),
        Setting("calls_a_day", Kind.INTEGER, Text("每日额度", "calls a day"), default=1000),
    ),
    list_streams=lambda _settings: (
        Stream("orders", Text("订单", "orders"), ("id",), updated_at=("updated_at",)),
        Stream("secrets", Text("密", "secrets"), ("id",), modified_since=False),
    ),
    make_tap=ShopTap,
    make_writer=ShopWriter,
)
