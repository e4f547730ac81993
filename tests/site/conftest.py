"""What the tests in a browser share: a Chromium, and the built site served to it."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO = (
    "no Chromium is installed, so nothing was tested in a browser. Install one "
    "(Debian: apt-get install chromium; elsewhere: playwright install chromium) or "
    "name yours: COURSE_CHROMIUM=/path/to/chrome make test-site"
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line in the terminal for each."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def address():
    """Where the built site is served, on this machine alone."""
    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one the tests are skipped, with a word on why."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: make test-site"
    )
    named = os.environ.get("COURSE_CHROMIUM")
    if named and not shutil.which(named):
        pytest.fail(f"COURSE_CHROMIUM is {named!r}, and there is no such program")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    with api.sync_playwright() as playwright:
        if not found and Path(playwright.chromium.executable_path).exists():
            found = playwright.chromium.executable_path
        if not found:
            pytest.skip(HOW_TO)
        chromium = playwright.chromium.launch(executable_path=found)
        yield chromium
        chromium.close()
