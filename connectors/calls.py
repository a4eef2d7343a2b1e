"""Calls an outside system over HTTP: one way for taps and writers, in which nothing is lost or told twice.

Every attempt is metered with its outcome. Retriable ones are repeated by policy; a rate limit is waited out if
short and otherwise raised as Later; a token that is not accepted is renewed once. What cannot be repeated (a
write) and may have arrived is raised as Unreachable(sent=True). No error text holds a URL's query.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as ConnectFailed
from requests.exceptions import (
    ConnectTimeout,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    ReadTimeout,
    RequestException,
    SSLError,
)
from urllib3.exceptions import HTTPError, NewConnectionError

from connectors.answers import Answers, Verdict, judge, read_path
from connectors.call_problems import budget_used, cannot_connect, no_token, said_no, unreachable
from connectors.outcomes import Outcome
from connectors.ports import Budget, Ports, Token
from connectors.problems import ConnectorError, Later, Problem, Refused, Unreachable
from connectors.redact import SECRETS
from connectors.retry import Again, Policy

__all__ = ["Auth", "Caller", "Reply", "Request", "Timeouts"]

_ALL = ""
"""In place of an endpoint: every call of the caller."""

_LARGEST_BODY = 256 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """One call. `endpoint` is its stable name in meters; `body` is sent as it is, since it may be signed.

    `repeatable` says that sending it twice does no harm. `cost` is what it takes from the quota.
    """

    endpoint: str
    url: str
    method: str = "GET"
    params: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool = True
    cost: int = 1
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True)
class Reply:
    """A good answer. `skew_us` is the vendor's clock minus ours, from its Date header.

    `value` is the JSON body; parts that are not needed stay undecoded (msgspec.Raw).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    outcome: Outcome
    skew_us: int | None = None
    value: Any = field(default=None, repr=False)
    response: requests.Response | None = field(default=None, repr=False)

    def at(self, path: str) -> Any:
        """The value at a dotted path of the body; None if it is not there."""
        return read_path(self.value, path)

    @property
    def clean(self) -> bool:
        """The body is JSON as it should be, and its parts are the vendor's own bytes."""
        parts = self.value.values() if isinstance(self.value, dict) else self.value or ()
        return all(isinstance(part, msgspec.Raw) for part in parts)


@dataclass(frozen=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, and for the whole of it."""

    connect: float = 10.0
    read: float = 60.0
    whole: float = 300.0


class Auth(ABC):
    """How calls are signed. `holder` and `kind` name the token in the store; "" for no token at all."""

    holder: str = ""
    kind: str = ""
    renew_before_s: float = 300.0

    @abstractmethod
    def sign(self, request: Request, token: Token | None) -> Request:
        """The request as it is sent; called for every attempt, so that times and nonces are fresh."""

    def fetch(self, caller: Caller) -> Token:
        """A new token, asked for with `caller.call_unsigned`."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Failed:
    """No answer: why, and whether the request may have arrived."""

    text: str
    sent: bool
    outcome: Outcome = Outcome.RETRIABLE


class Caller:
    """Calls one system for one quota holder. `longest_wait_s`: a rate limit up to this is waited out here."""

    def __init__(
        self,
        ports: Ports,
        answers: Answers,
        *,
        holder: str = "",
        budgets: Sequence[Budget] = (),
        auth: Auth | None = None,
        policy: Policy | None = None,
        timeouts: Timeouts | None = None,
        longest_wait_s: float = 5.0,
        ca_file: str | None = None,
    ) -> None:
        self.ports = ports
        self._answers = answers
        self._holder = holder or ports.connector
        self._budgets = tuple(budgets)
        self._auth = auth
        self._policy = policy or Policy()
        self._timeouts = timeouts or Timeouts()
        self._longest_wait_s = longest_wait_s
        self._stopped: dict[str, ConnectorError] = {}
        self._session = requests.Session()
        # Proxies and .netrc of the environment would send tokens to places nobody wrote into the settings.
        self._session.trust_env = False
        self._session.verify = ca_file or True
        adapter = HTTPAdapter(max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def call(self, request: Request) -> Reply:
        """The answer, if it is a good one; else Later, Refused, Unreachable, or ConnectorError to stop.

        After an error that a person has to mend, further calls of that endpoint (of all, if it is the token
        or the address) raise the same without being sent.
        """
        stopped = self._stopped.get(_ALL) or self._stopped.get(request.endpoint)
        if stopped is not None:
            raise stopped
        return _OneCall(self, request, self._auth).run()

    def call_unsigned(self, request: Request) -> Reply:
        """The same without token and signature: for fetching a token."""
        return _OneCall(self, request, None).run()

    def close(self) -> None:
        self._session.close()

    def token(self) -> Token | None:
        """The token to sign with, fetched or renewed if it is about to end."""
        auth = self._auth
        if auth is None or not auth.kind:
            return None
        token = self.ports.tokens.get(auth.holder, auth.kind)
        return token if token is not None and self._holds(auth, token) else self._renew(auth, token)

    def _holds(self, auth: Auth, token: Token) -> bool:
        left = timedelta(seconds=auth.renew_before_s)
        return token.expires_at is None or token.expires_at - self.ports.clock.now() > left

    def _renew(self, auth: Auth, old: Token | None) -> Token:
        with self.ports.tokens.lock(auth.holder, auth.kind):
            token = self.ports.tokens.get(auth.holder, auth.kind)
            if token is not None and (old is None or token.value != old.value) and self._holds(auth, token):
                return token  # somebody else renewed it while we waited: a second renewal would kill theirs
            try:
                token = auth.fetch(self)
            except Refused as error:
                raise ConnectorError(no_token(self._answers.vendor, error.problem)) from None
            SECRETS.remember(token.value, f"***{auth.kind}")
            self.ports.tokens.put(auth.holder, auth.kind, token)
            return token

    def _send(self, request: Request) -> Reply | _Failed:
        """One attempt on the wire. Exceptions of the HTTP library end here: their texts hold whole URLs."""
        url = request.url + (
            f"{'&' if '?' in request.url else '?'}{urlencode(request.params)}" if request.params else ""
        )
        started = self.ports.clock.monotonic()
        try:
            response = self._session.request(
                request.method,
                url,
                headers=dict(request.headers),
                data=request.body,
                timeout=(self._timeouts.connect, self._timeouts.read),
                # A redirect would carry the token to another address.
                allow_redirects=False,
                stream=True,
            )
            with response:
                body = self._body(response, started)
        except (ConnectTimeout, SSLError, InvalidURL, InvalidSchema, MissingSchema) as error:
            fatal = not isinstance(error, ConnectTimeout)
            return _Failed(type(error).__name__, False, Outcome.FATAL if fatal else Outcome.RETRIABLE)
        except ReadTimeout:
            return _Failed("ReadTimeout", True)
        except ConnectFailed as error:
            return _Failed("ConnectionError", not _never_connected(error))
        except (RequestException, HTTPError, _TooSlow, _TooLarge) as error:
            return _Failed(type(error).__name__.lstrip("_"), True)
        response._content = body  # so that the SDK's paginators find it
        response._content_consumed = True
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, body, Outcome.OK, self._skew(headers), response=response)

    def _body(self, response: requests.Response, started: float) -> bytes:
        parts, size = [], 0
        for part in response.iter_content(65_536):
            size += len(part)
            parts.append(part)
            if size > _LARGEST_BODY:
                raise _TooLarge
            if self.ports.clock.monotonic() - started > self._timeouts.whole:
                raise _TooSlow
        return b"".join(parts)

    def _skew(self, headers: Mapping[str, str]) -> int | None:
        try:
            at = parsedate_to_datetime(headers.get("date", ""))
        except (ValueError, TypeError):
            return None
        aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return (aware - self.ports.clock.now()) // timedelta(microseconds=1)


class _TooSlow(Exception):
    """The answer drips in for longer than the whole of it may take."""


class _TooLarge(Exception):
    """The answer is larger than anything a page may be."""


class _OneCall:
    """One call from its first attempt to its result."""

    def __init__(self, caller: Caller, request: Request, auth: Auth | None) -> None:
        self._caller = caller
        self._request = request
        self._auth = auth
        self._vendor = caller._answers.vendor
        self._where = f"{caller.ports.connector}: {request.endpoint}"
        self._renewed = False
        self._problem: Problem | None = None
        self._until: datetime | None = None
        self._sent = False

    def run(self) -> Reply:
        outcome = Outcome.FATAL
        try:
            reply = self._caller._policy.retrying(self._caller.ports.clock)(self._attempt)
            outcome = reply.outcome
            return reply
        except Again:
            outcome = Outcome.LATER if self._until is not None else Outcome.RETRIABLE
            raise self._given_up() from None
        except Later:
            outcome = Outcome.LATER
            raise
        except Refused:
            outcome = Outcome.REJECTED
            raise
        except Unreachable:
            outcome = Outcome.RETRIABLE
            raise
        finally:
            self._caller.ports.meter.call(self._request.endpoint, outcome)

    def _attempt(self) -> Reply:
        caller, ports = self._caller, self._caller.ports
        token = caller.token() if self._auth is not None else None
        self._spend()
        signed = self._auth.sign(self._request, token) if self._auth is not None else self._request
        started, now = ports.clock.monotonic(), ports.clock.now()
        got = caller._send(signed)
        took_ms = round((ports.clock.monotonic() - started) * 1000)
        if isinstance(got, _Failed):
            ports.meter.attempt(self._request.endpoint, got.outcome, took_ms)
            raise self._no_answer(got)
        verdict = judge(caller._answers, got.status, got.headers, got.body, now)
        ports.meter.attempt(self._request.endpoint, verdict.outcome, took_ms)
        if verdict.outcome.good:
            return replace(got, outcome=verdict.outcome, value=verdict.value)
        raise self._bad_answer(verdict, got, token)

    def _spend(self) -> None:
        """Takes the call from the budgets; waits a little, or raises Later without anything being sent."""
        caller = self._caller
        grant = caller.ports.quota.take(caller._holder, (*caller._budgets, *self._request.budgets), self._request.cost)
        if grant.until is not None:
            raise Later(budget_used(self._vendor, self._where, grant.until), grant.until)
        if grant.wait_s > 0:
            caller.ports.clock.sleep(grant.wait_s)

    def _no_answer(self, failed: _Failed) -> Exception:
        """What to raise when no answer came."""
        self._until = None
        self._sent = self._sent or failed.sent
        self._problem = unreachable(self._vendor, self._where, failed.text)
        if failed.outcome is Outcome.FATAL:
            return self._stop(cannot_connect(self._vendor, self._where, failed.text), _ALL)
        if failed.sent and not self._request.repeatable:
            return Unreachable(self._problem, sent=True)
        return Again()

    def _bad_answer(self, verdict: Verdict, got: Reply, token: Token | None) -> Exception:
        """What to raise after an answer that is no good one."""
        caller, outcome = self._caller, verdict.outcome
        self._until = None
        self._problem = said_no(self._vendor, self._where, verdict, got.body)
        if outcome is Outcome.LATER:
            return self._wait_or_leave(verdict, self._problem)
        if outcome is Outcome.RETRIABLE:
            self._sent = True
            return Again() if self._request.repeatable else Unreachable(self._problem, sent=True)
        if outcome is Outcome.REJECTED:
            return Refused(self._problem, vendor_code=verdict.code)
        if outcome is Outcome.AUTH and self._auth is not None and self._auth.kind and not self._renewed:
            self._renewed = True
            caller._renew(self._auth, token)
            return Again(0.0)
        of_token = outcome is Outcome.AUTH or (self._auth is None and caller._auth is not None)
        return self._stop(self._problem, _ALL if of_token else self._request.endpoint)

    def _wait_or_leave(self, verdict: Verdict, problem: Problem) -> Exception:
        caller = self._caller
        until = verdict.until or caller.ports.clock.now() + timedelta(minutes=1)
        wait_s = max(0.0, (until - caller.ports.clock.now()).total_seconds())
        self._until = until
        if wait_s <= caller._longest_wait_s:
            return Again(wait_s)
        # Every other stream and writer of this holder would only run into the same wall.
        caller.ports.quota.close(caller._holder, until)
        return Later(problem, until)

    def _stop(self, problem: Problem, endpoint: str) -> ConnectorError:
        error = self._caller._stopped[endpoint] = ConnectorError(problem)
        return error

    def _given_up(self) -> ConnectorError:
        assert self._problem is not None  # noqa: S101 every failed attempt sets it
        if self._until is not None:
            return Later(self._problem, self._until)
        return Unreachable(self._problem, sent=self._sent)


def _never_connected(error: ConnectFailed) -> bool:
    """True if no byte can have arrived: the name was not found or nobody answered."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
