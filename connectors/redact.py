"""Keeps secrets and persons out of everything that is shown, logged or raised.

Known secrets (from settings, and tokens as they are fetched) are replaced by the name of their variable, and
what looks like a secret by its place (`access_token=`, `Authorization:`, a password in a URL) by ***. Phone
numbers become 138****0001. `guard_logging` applies this to every log record of the process, because the SDK
and the HTTP library log URLs with tokens in their query strings.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

__all__ = ["SECRETS", "Secrets", "SecretsFilter", "guard_logging"]

HIDDEN = "***"
_SHORTEST = 4
"""Values under this length are not searched for: they occur in ordinary text."""

_NAMED = re.compile(
    r"""(?ix)
    (["']?\b(?:access_?token|refresh_?token|session_?key|app_?secret|client_?secret|corp_?secret|secret|api_?key
      |password|passwd|pwd|signature|sign|token|ticket|session|authorization|x-[a-z-]*(?:token|key))["']?
      \s*[=:]\s*)
    (?:(["'])(?:\\.|(?!\2).)*\2 | (?:(?:bearer|basic|token|session)\s+)?[^\s&"',;<>)\]}]+)
    """
)
_USERINFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.\-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE)
_PHONE = re.compile(r"(?<!\d)(?P<head>(?:\+?86[- ]?)?1[3-9]\d)\d{4}(?P<tail>\d{4})(?!\d)")


class Secrets:
    """Every secret value known to this process, with the name it is shown as. Safe in threads."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def remember(self, value: str, name: str = HIDDEN) -> None:
        """From now on `value`, and its spellings in URLs and JSON, is shown as `name`.

        Of a URL with a password the password is remembered too, because drivers show it on its own.
        """
        spellings = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
        password = _password(value)
        if password:
            spellings |= {password, unquote(password), quote(unquote(password), safe="")}
        with self._lock:
            new = {text: name for text in spellings if len(text) >= _SHORTEST and text not in self._names}
            if new:
                self._names |= new
                longest_first = sorted(self._names, key=len, reverse=True)
                self._pattern = re.compile("|".join(re.escape(text) for text in longest_first))

    def clean(self, text: str) -> str:
        """The text without any secret, and with phone numbers masked."""
        pattern = self._pattern
        if pattern is not None:
            text = pattern.sub(lambda found: self._names[found[0]], text)
        text = _USERINFO.sub(rf"\g<scheme>:{HIDDEN}@", text)
        text = _NAMED.sub(_hide_value, text)
        return _PHONE.sub(r"\g<head>****\g<tail>", text)

    def excerpt(self, body: bytes, length: int = 200) -> str:
        """The first characters of a response body, fit for a message."""
        # Cut after cleaning: a secret cut in two would no longer be recognised.
        text = self.clean(body[: length * 20].decode("utf-8", "replace"))
        text = "".join(char if char.isprintable() else " " for char in text)
        return text if len(text) <= length else text[:length] + "…"


SECRETS = Secrets()
"""The process's own: logging is per process, and so is what must not be logged."""


class SecretsFilter(logging.Filter):
    """Cleans a log record in place: message, exception and stack text. For handlers of other programs."""

    def __init__(self, secrets: Secrets = SECRETS) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        clean_record(record, self._secrets)
        return True


def clean_record(record: logging.LogRecord, secrets: Secrets = SECRETS) -> None:
    """Formats the record's message and exception now, without secrets."""
    try:
        message = record.getMessage()
    except (TypeError, ValueError):
        # A caller's wrong number of arguments: logging itself would print them, secrets included.
        message = f"{record.msg!s} {record.args!r}"
    record.msg, record.args = secrets.clean(message), ()
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = secrets.clean("".join(traceback.format_exception(*record.exc_info)).rstrip())
        record.exc_info = None
    if record.stack_info:
        record.stack_info = secrets.clean(record.stack_info)


def guard_logging(secrets: Secrets = SECRETS) -> None:
    """Makes every log record of this process clean, whichever logger and handler it takes. Idempotent.

    A filter on a logger does not see its children's records, and one on a handler does not see the next
    handler's: only the place where records are made sees all.
    """
    before = logging.getLogRecordFactory()
    if getattr(before, "guards_secrets", False):
        return
    logging.setLogRecordFactory(_guarded(before, secrets))
    quiet_sdk()


def quiet_sdk() -> None:
    """Turns off the SDK's metrics log, which prints the context and query string of every request.

    Its warning that an unsorted stream does not resume says nothing new either: the stream declares it.
    """
    logging.getLogger("singer_sdk").setLevel(logging.ERROR)
    logging.getLogger("singer_sdk.metrics").setLevel(logging.ERROR)


def _guarded(make: Callable[..., logging.LogRecord], secrets: Secrets) -> Callable[..., logging.LogRecord]:
    def guarded(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        clean_record(record, secrets)
        return record

    guarded.guards_secrets = True  # type: ignore[attr-defined]
    return guarded


def _hide_value(found: re.Match[str]) -> str:
    quotes = found[2] or ""
    return f"{found[1]}{quotes}{HIDDEN}{quotes}"


def _password(value: str) -> str | None:
    if "://" not in value:
        return None
    try:
        return urlsplit(value).password
    except ValueError:
        return None
