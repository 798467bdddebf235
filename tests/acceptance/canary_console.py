"""What somebody does at the console, with marks wherever something can be typed; the cookie is a secret too."""

import contextlib
import http.client
import json
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from notifier.http.sessions import COOKIE, PROOF
from tests.acceptance.canary import BAD_KEY, FIELD, HEADER, LOCAL, PHONE, QUERY, TEXT
from tests.nodes.waiting import wait_until

SESSION = "/console/session"


@dataclass
class Browser:
    """Keeps the cookie that it is given; `seals` are the parts of all cookies that nobody else may know."""

    port: int
    cookie: str = ""
    seals: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: object = None, cookie: str | None = None) -> tuple[int, Any]:
        """Status and document."""
        worn = self.cookie if cookie is None else cookie
        headers = {PROOF: "1", "Content-Type": "application/json", "X-Canary": HEADER}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers | ({"Cookie": f"{COOKIE}={worn}"} if worn else {}))
            answer = connection.getresponse()
            text = answer.read()
            given = SimpleCookie(answer.headers.get("Set-Cookie", ""))
        if COOKIE in given:
            self.cookie = given[COOKIE].value
            self.seals += [self.cookie.rsplit(".", 1)[-1]] if self.cookie else []
        with contextlib.suppress(ValueError):
            return answer.status, json.loads(text)
        return answer.status, text

    def must(self, status: int, method: str, path: str, body: object = None) -> Any:
        """The document of an answer that has this status."""
        found, told = self.ask(method, path, body)
        assert found == status, (method, path, told)
        return told


def visit(port: int, key: str) -> list[str]:
    """Log in, look for a recipient, look at failures and replay some, log out; then with the old cookie. The seals."""
    browser = Browser(port)
    browser.must(401, "POST", SESSION, {"key": BAD_KEY})
    browser.must(422, "POST", SESSION, {"key": key, FIELD: TEXT})
    browser.must(401, "GET", f"{SESSION}")
    browser.must(200, "POST", SESSION, {"key": key})
    for to in ({"phone": f"{PHONE[:-1]}1"}, {"email": f"{LOCAL}0@example.com"}):
        (one, *_) = browser.must(200, "POST", "/v1/notifications/search", {"to": to})["data"]
        browser.must(200, "GET", f"/v1/notifications/{one['id']}")
    browser.must(422, "POST", "/v1/notifications/search", {"to": {"phone": TEXT}})
    browser.must(200, "GET", "/v1/failures/summary?group_by=reason,provider")
    for failure in browser.must(200, "GET", "/v1/failures")["data"]:
        browser.must(200, "GET", f"/v1/notifications/{failure['id']}")
    _replay(browser)
    browser.must(200, "GET", "/v1/lanes/events?events=1")
    browser.must(200, "GET", "/v1/providers")
    browser.must(200, "POST", f"{SESSION}/renew")
    worn = browser.cookie
    assert browser.ask("GET", "/v1/lanes", cookie=f"{worn[:-1]}x")[0] == 401
    assert browser.ask("GET", "/v1/lanes", cookie=f"{QUERY}.{TEXT[:10]}")[0] == 401
    browser.must(204, "DELETE", SESSION)
    assert browser.cookie == ""
    assert browser.ask("GET", "/v1/lanes", cookie=worn)[0] == 401
    assert len(browser.seals) == 2
    return browser.seals


def _replay(browser: Browser) -> None:
    """Looked at first, then done to its end; what is left is put aside."""
    chosen = {"filter": {"channel": "sms", "reason": "invalid_recipient"}}
    assert browser.must(200, "POST", "/v1/failures/replay", {**chosen, "dry_run": True})["matched"]
    made = browser.must(202, "POST", "/v1/failures/replay", chosen)["operation_id"]
    wait_until(
        lambda: browser.must(200, "GET", f"/v1/operations/{made}")["state"] == "done", 30, "the replay's end"
    )
    browser.must(200, "POST", "/v1/failures/discard", {"filter": {"channel": "email"}, "dry_run": True})
