"""A small vendor on a loopback port, with the habits of Chinese ones: errors at HTTP 200, tokens in the query,
pages, rate limits, truncated and slow answers. What it does wrong is switched on by the test."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET = "the-app-secret-42"


class Vendor:
    """`orders` are its records. `faults` are taken one per data call, in order; None is a good answer."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.faults: list[Callable[[BaseHTTPRequestHandler], bool] | None] = []
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.tokens_given = 0
        self.valid_tokens: set[str] = set()
        self.accept_tokens = True
        self.written: list[dict[str, Any]] = []
        self.raw_page: bytes | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def expire_tokens(self) -> None:
        self.valid_tokens.clear()

    def paths(self) -> list[str]:
        """Paths that were called, in order."""
        return [path for _, path, _, _ in self.calls]

    def close(self) -> None:
        """Safe to call twice."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.calls.append((handler.command, parts.path, query, body))
        if parts.path == "/token":
            self._token(handler, query)
            return
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and fault(handler):
            return
        if query.get("access_token") not in self.valid_tokens:
            send(handler, {"errcode": 42001, "errmsg": "access_token expired rid: 1"})
        elif parts.path == "/orders":
            self._orders(handler, query)
        elif parts.path == "/write":
            self.written.append(json.loads(body))
            send(handler, {"errcode": 0, "errmsg": "ok"})
        else:
            send(handler, {"errcode": 48001, "errmsg": "api unauthorized"})

    def _token(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        if query.get("secret") != SECRET:
            send(handler, {"errcode": 40125, "errmsg": "invalid appsecret"})
            return
        self.tokens_given += 1
        token = f"token-number-{self.tokens_given}"
        if self.accept_tokens:
            self.valid_tokens = {token}
        send(handler, {"access_token": token, "expires_in": 7200})

    def _orders(self, handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        if self.raw_page is not None:
            send_raw(handler, self.raw_page)
            return
        since, page = query.get("since", ""), int(query.get("page", "1"))
        found = sorted(
            (one for one in self.orders if one["updated_at"] >= since), key=lambda one: (one["updated_at"], one["id"])
        )
        send(handler, {"errcode": 0, "data": {"list": found[(page - 1) * 2 : page * 2], "total": len(found)}})


def _handler(vendor: Vendor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            vendor.answer(self, b"")

        def do_POST(self) -> None:
            vendor.answer(self, self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def log_message(self, *_args: object) -> None:
            pass

    return Handler


def send(handler: BaseHTTPRequestHandler, value: Any, status: int = 200, **headers: str) -> bool:
    return send_raw(handler, json.dumps(value, ensure_ascii=False).encode(), status, **headers)


def send_raw(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> bool:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
    return True


# --- faults ----------------------------------------------------------------------------------------------


def says(code: int, message: str = "no"):
    """A business error at HTTP 200."""
    return lambda handler: send(handler, {"errcode": code, "errmsg": message})


def status(number: int, **headers: str):
    return lambda handler: send(handler, {"error": "x"}, number, **headers)


def truncated(handler: BaseHTTPRequestHandler) -> bool:
    """Promises more bytes than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"errcode":0,"data":{"list":[')
    handler.close_connection = True
    return True


def half_json(handler: BaseHTTPRequestHandler) -> bool:
    """Sends all that it promised, but a proxy has cut it before."""
    return send_raw(handler, b'{"errcode":0,"data":{"list":[{"id":1')


def hangs_up(handler: BaseHTTPRequestHandler) -> bool:
    handler.close_connection = True
    handler.connection.close()
    return True


def drips(handler: BaseHTTPRequestHandler) -> bool:
    """Sends a byte now and then, so that no read ever times out."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(60):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        pass
    handler.close_connection = True
    return True


def silent(handler: BaseHTTPRequestHandler) -> bool:
    time.sleep(0.6)
    handler.close_connection = True
    return True


def takes_and_hangs_up(vendor: Vendor):
    """Does what it was asked, and loses the line before it can say so."""

    def fault(handler: BaseHTTPRequestHandler) -> bool:
        vendor.written.append(json.loads(vendor.calls[-1][3]))
        return hangs_up(handler)

    return fault
