"""One tab of a browser, and everything it did that it should not have."""

import re
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Request, Response, expect

from tests.browser import audit

HEIGHTS = {1280: 900, 400: 860}
_WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


class Tab:
    """A page with its own cookies; `close` tells what went wrong."""

    def __init__(self, browser: Browser, address: str, *, width: int, scheme: str, clock: bool) -> None:
        self._address = address
        self._context = browser.new_context(
            viewport={"width": width, "height": HEIGHTS[width]},
            color_scheme=scheme,
            locale="en-GB",
            timezone_id="UTC",
        )
        self.width, self.scheme = width, scheme
        self.page = self._context.new_page()
        self.page.set_default_timeout(20_000)
        self.wrong: list[str] = []
        #: Answers of 4xx and 5xx that a test means to get.
        self.meant: set[tuple[int, str]] = {(401, "/console/session")}
        self.requests: list[Request] = []
        self.page.add_init_script(_WATCH)
        if clock:
            self.page.clock.install()
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))

    def log_in(self, key: str) -> None:
        """As a person does."""
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("heading", level=1, name="Lanes")).to_be_visible()

    def go(self, view: str) -> None:
        """To another view by its link."""
        self.page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
        expect(self.page.get_by_role("heading", level=1, name=view)).to_be_visible()

    def row(self, **marks: str) -> Locator:
        """A row of a table by its data attribute."""
        ((name, value),) = marks.items()
        return self.page.locator(f'tr[data-{name}="{value}"]')

    def running(self, lane: str) -> int:
        """Threads of a lane at the picture's right end; 0 before it is drawn."""
        found = self.page.locator(f'path[data-lane="{lane}"]')
        return int(found.get_attribute("data-now") or 0) if found.count() else 0

    def drawn(self, lane: str) -> bool:
        """Whether the picture shows threads of a lane at any moment."""
        found = self.page.locator(f'path[data-lane="{lane}"]')
        return bool(found.count() and found.get_attribute("d"))

    def picture(self, folder: Path, name: str) -> None:
        """What is seen, without what is below the fold."""
        self.page.screenshot(
            path=folder / f"console-{name}-{self.width}-{self.scheme}.png", animations="disabled"
        )

    def audit(self) -> list[str]:
        """What of the page somebody could not use or read."""
        return audit.of(self.page)

    def violations(self) -> list[str]:
        """What the page's policy has refused."""
        return list(self.page.evaluate("window.__violations"))

    def close(self) -> list[str]:
        """End it; what went wrong in its time."""
        found = self.wrong + [f"policy: {one}" for one in self.violations()]
        self._context.close()
        return found

    def _asked(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith(f"{self._address}/"):
            self.wrong.append(f"left the origin: {request.url}")

    def _answered(self, response: Response) -> None:
        path = re.sub(r"\?.*", "", response.url.removeprefix(self._address))
        if response.status >= 400 and (response.status, path) not in self.meant:
            self.wrong.append(f"{response.status} {path}")

    def _said(self, message: ConsoleMessage) -> None:
        # The browser's own line about a status; which ones are meant is checked by `_answered`.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.wrong.append(f"console: {message.text}")
