"""The shop of the benchmark: a process of its own that answers pages of ready-made JSON orders.

    GET  /orders?since=TIME&page=N    the N-th page of 500 orders with modified_at >= TIME, oldest first
    POST /change?count=&at=&round=    changes so many orders at that time

The orders are encoded once, before anything is measured; a page is one join of them.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from benchmarks.orders import as_json, changed, orders

PAGE = 500


class Shop:
    """All orders as JSON, sorted by (modified_at, id)."""

    def __init__(self, count: int, end: datetime) -> None:
        self.count = count
        self._sorted = [(one[4], one[0], as_json(one)) for one in orders(count, end)]

    def page(self, since: str, number: int) -> bytes:
        """One answer of the API."""
        first = bisect_left(self._sorted, (since,)) + (number - 1) * PAGE
        found = self._sorted[first : first + PAGE]
        more = b"true" if first + PAGE < len(self._sorted) else b"false"
        return b'{"code":0,"data":{"list":[%b],"more":%b}}' % (b",".join([one[2] for one in found]), more)

    def change(self, count: int, at: datetime, round_no: int) -> None:
        """Changes that many orders."""
        rows = changed(count, self.count, at, round_no)
        gone = {one[0] for one in rows}
        kept = [one for one in self._sorted if one[1] not in gone]
        self._sorted = sorted(kept + [(one[4], one[0], as_json(one)) for one in rows])


def serve(count: int, end: datetime) -> None:
    """Prints its address when it is ready, and serves until it is ended."""
    shop = Shop(count, end)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one segment: two small ones would wait for each other's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self._answer(shop.page(asked.get("since", ""), int(asked.get("page", "1"))))

        def do_POST(self) -> None:
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            shop.change(int(asked["count"]), datetime.fromisoformat(asked["at"]), int(asked["round"]))
            self._answer(b'{"code":0}')

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_arguments: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever(0.05)


def main(arguments: Sequence[str]) -> None:
    """COUNT END"""
    serve(int(arguments[0]), datetime.fromisoformat(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
