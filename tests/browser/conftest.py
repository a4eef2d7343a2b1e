"""The browser that the page tests share, and the pages as files for it to open."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.report import render
from tests.browser.chromium import Browser, Page, chromium
from tests.report.samples import SAMPLES


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium. Whoever asked for browser tests wants them run: without one they fail, never skip."""
    path = os.environ.get("LIUKE_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.fail("no Chromium: apt-get install -y chromium fonts-noto-cjk, or set LIUKE_BROWSER")
    with chromium(path) as running:
        yield running


@pytest.fixture(scope="session")
def page(browser: Browser) -> Page:
    return browser.new_page()


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    """Each sample report as the file a data owner would open."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, sample in SAMPLES.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(render(sample()), encoding="utf-8")
    return found
