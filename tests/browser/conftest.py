"""A real headless Chromium before a whole installation on RabbitMQ and PostgreSQL.

Debian's browser, driven by Playwright, which downloads none. ``SCREENSHOTS=1`` puts the pictures where the README
shows them.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.acceptance.fleet import ROOT, Fleet
from tests.browser.tab import Tab
from tests.nodes import binaries
from tests.nodes.smtp_control import SmtpControl
from tests.nodes.waiting import wait_until

THREADS = 8
IMAGES = ROOT / "docs" / "images"


@pytest.fixture(scope="module")
def chromium():
    """The browser; without its sandbox, which root in a container does not get."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=binaries.find(binaries.CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


class Installation(Fleet):
    """A fleet with one worker and a provider that a test may slow down or have refuse."""

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        super().__init__(folder, database_url, broker_url)
        self.provider = SmtpControl(folder / "smtp.control")
        self.provider.clear()

    def sink(self):
        told = ["--ledger", str(self.ledger), "--control", str(self.provider.path)]
        return self.start("tests.nodes.smtp", "--port", str(self.smtp_port), *told)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, module_postgres_url, module_rabbitmq_vhost_url):
    """Door, worker and SMTP server, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("browser")
    with Installation(folder, module_postgres_url, module_rabbitmq_vhost_url) as made:
        made.migrate()
        made.sink()
        made.serve()
        made.work(threads=THREADS)
        made.wait_for_workers(1)
        wait_until(made.ledger.exists, 30, "the SMTP server")
        yield made


@pytest.fixture
def pictures(tmp_path):
    """Where pictures go."""
    return IMAGES if os.environ.get("SCREENSHOTS") == "1" else tmp_path


@pytest.fixture
def open_tab(chromium, fleet):
    """Opens tabs, each in a browser profile of its own; what any of them did wrong fails the test at its end."""
    tabs = []

    def opened(*, width=1280, scheme="light", path="/console", clock=False):
        tabs.append(Tab(chromium, fleet.address, width=width, scheme=scheme, clock=clock))
        tabs[-1].page.goto(f"{fleet.address}{path}")
        return tabs[-1]

    yield opened
    wrong = [one for tab in tabs for one in tab.close()]
    assert wrong == []
