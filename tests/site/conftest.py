"""What the tests in a browser share: a Chromium, and the built site served to it."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path

import built_pages
import pytest

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"


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
    with api.sync_playwright() as playwright:
        try:
            found = built_pages.find_chromium()
        except built_pages.Missing as missing:
            found = playwright.chromium.executable_path
            if not Path(found).exists():
                pytest.skip(str(missing))
        chromium = playwright.chromium.launch(executable_path=found)
        yield chromium
        chromium.close()
