"""Drives a real headless Chromium over its debugging pipe: no driver, no port, no websocket, nothing to install.

Chromium reads commands from file descriptor 3 and writes answers and events to 4, each a JSON object ended by NUL.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0


class BrowserFailed(AssertionError):
    """The browser did not do what it was told; the message holds what it said."""


class Page:
    """One tab: opens files, changes the size of its window, measures, photographs, prints."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.requests: list[str] = []
        """Addresses that the page asked for, itself included, also those the policy then forbade."""
        for domain in ("Page", "Network", "Runtime"):
            self.tell(f"{domain}.enable")

    def tell(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.tell(method, params, self._session)

    def open(self, path: Path, width: int, height: int, *, phone: bool = False) -> None:
        """Shows the file in a window of that size, as a phone does or as a desktop does, and waits until it stands."""
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        self.requests.clear()
        self._browser.on("Network.requestWillBeSent", lambda event: self.requests.append(event["request"]["url"]))
        self.tell("Page.navigate", url=path.as_uri())
        self._browser.wait_for("Page.loadEventFired")
        self.ask("document.fonts.ready.then(() => 1)")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a page's own policy does not hinder it."""
        answer = self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserFailed(json.dumps(answer["exceptionDetails"], ensure_ascii=False))
        return answer["result"].get("value")

    def photograph(self, path: Path, *, whole: bool = True) -> None:
        """Writes a PNG of the whole page, or of what the window shows."""
        answer = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(answer["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self.tell("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def print_pdf(self, *, backgrounds: bool = True) -> bytes:
        """The page on paper, in the size the page itself asks for."""
        answer = self.tell("Page.printToPDF", preferCSSPageSize=True, printBackground=backgrounds)
        return base64.b64decode(answer["data"])


class Browser:
    """The running Chromium."""

    def __init__(self, process: subprocess.Popen[bytes], commands: int, answers: int) -> None:
        self._process = process
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self._listeners: dict[str, Any] = {}

    def tell(self, method: str, params: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """Sends one command and waits for its answer; events on the way are kept."""
        self._number += 1
        number = self._number
        command = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == number:
                if "error" in message:
                    raise BrowserFailed(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._keep(message)

    def on(self, event: str, listener: Any) -> None:
        """Calls the listener with the parameters of each such event from now on; forgets those before."""
        self._events.clear()
        self._listeners[event] = listener

    def wait_for(self, event: str) -> None:
        """Reads until such an event has come."""
        while not any(one["method"] == event for one in self._events):
            self._keep(self._next())

    def new_page(self) -> Page:
        target = self.tell("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.tell("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        return Page(self, session)

    def _keep(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self._events.append(message)
            if listener := self._listeners.get(message["method"]):
                listener(message["params"])

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while b"\0" not in self._unread:
            try:
                read = os.read(self._answers, 1 << 20)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BrowserFailed(f"no answer for {PATIENCE_S:.0f} s") from None
                time.sleep(0.005)
                continue
            if not read:
                raise BrowserFailed(f"the browser ended with code {self._process.wait()}")
            self._unread += read
        one, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(one)
        return message


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """Starts the browser at that path with a profile of its own, and ends it afterwards."""
    commands_in, commands_out = os.pipe()
    answers_in, answers_out = os.pipe()
    os.set_blocking(answers_in, False)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        said = Path(profile) / "said"
        with said.open("wb") as stderr:
            process = subprocess.Popen(
                # The shell moves the pipes to the numbers that Chromium expects; a plain sh knows only one digit.
                ["bash", "-c", f'exec "$0" "$@" 3<&{commands_in} 4>&{answers_out}', path, *_flags(profile)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(commands_in, answers_out),
            )
        os.close(commands_in)
        os.close(answers_out)
        try:
            yield Browser(process, commands_out, answers_in)
        except BrowserFailed as error:
            error.add_note(said.read_text(encoding="utf-8", errors="replace")[-2000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(commands_out)
            os.close(answers_in)


def _flags(profile: str) -> list[str]:
    return [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
        "about:blank",
    ]
