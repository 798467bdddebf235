"""Marked secrets, sent every way there is into a running service, and what must not show them.

Each mark is a text that stands nowhere else; whoever finds one in an output knows by it which field leaked.
"""

import contextlib
import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.nodes.web import Fault, Heard, Said

LOCAL, PHONE, TOKEN = "canary.reader", "+14155550188", "c0ffee" * 11
ADDRESS = f"{LOCAL}@example.com"
SUBJECT, TEXT, HTML = "canary-subject-7h2", "canary-text-7h2 is your code", "<p>canary-html-7h2</p>"
META, REFERENCE, TAG = "canary-metadata-7h2", "canary-reference-7h2", "canary-tag-7h2"
NAME, FILE = "Canary Name7h2", "canary-file-7h2.txt"
QUERY, PATH, HEADER, IDEMPOTENCY = (
    "canary-query-7h2",
    "canary-path-7h2",
    "canary-header-7h2",
    "canary-key-7h2",
)
BAD_KEY, PASSWORD, REPORT = "nk_live_abcdefgh_" + "C" * 43, "canary-password-7h2", "canary-report-7h2"
POISON, FIELD = "canary-poison-7h2", "canary-field-7h2"
#: What is looked for, in any case; of an address and a number the part that no spelling changes.
MARKS = (
    *(LOCAL, "415555018", TOKEN[:60], SUBJECT, "canary-text-7h2", "canary-html-7h2", META, REFERENCE, TAG),
    *("Name7h2", FILE, QUERY, PATH, HEADER, IDEMPOTENCY, BAD_KEY[8:], PASSWORD, REPORT, POISON, FIELD),
    # As the same texts look when they are encoded.
    *("Y2FuYXJ5", "canary%2D", "canary%40"),
)


def found(text: str, *more: str) -> list[str]:
    """Which marks stand in a text; `more` are a run's own, its API keys."""
    folded = text.lower()
    return [mark for mark in (*MARKS, *more) if mark.lower() in folded]


@dataclass
class Sender:
    """A caller who does everything there is to do, right and wrong."""

    port: int
    key: str

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status and document, whatever they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request(method, path, data, given | {"X-Canary": HEADER} | headers)
            answer = connection.getresponse()
            text = answer.read()
            with contextlib.suppress(ValueError):
                return answer.status, json.loads(text)
            return answer.status, text

    def raw(self, text: bytes) -> None:
        """Bytes that are no good HTTP."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(text)
            connection.settimeout(10)
            with contextlib.suppress(OSError):
                while connection.recv(65_536):
                    pass

    def good(self, channel: str, number: int = 0, priority: str = "high", **more: object) -> str:
        """One that is accepted; its id."""
        body = message(channel, number, priority) | more
        status, made = self.ask(
            "POST",
            "/v1/notifications",
            body,
            **{"Idempotency-Key": f"{IDEMPOTENCY}-{channel}-{number}-{priority}"},
        )
        assert status == 202, made
        return str(made["id"])


def message(channel: str, number: int = 0, priority: str = "high") -> dict[str, Any]:
    """A request in which every field is marked; `number` makes another recipient."""
    to: dict[str, Any]
    content: dict[str, Any] = {"text": TEXT}
    match channel:
        case "email":
            to = {"email": f"{LOCAL}{number}@example.com", "name": NAME}
            content |= {"subject": SUBJECT, "html": HTML}
            content["attachments"] = [
                {"filename": FILE, "content_type": "text/plain", "data": "Y2FuYXJ5LWZpbGUtN2gy"}
            ]
        case "sms":
            to = {"phone": f"{PHONE[:-1]}{number}"}
        case _:
            to = {"push_token": TOKEN[:63] + str(number % 10), "platform": "apns"}
    return {
        "channel": channel,
        "priority": priority,
        "to": to,
        "content": content,
        "reference": REFERENCE,
        "tags": [TAG],
        "metadata": {FIELD: META},
    }


def sms_provider(heard: Heard) -> Said | Fault:
    """A look-alike of Twilio that repeats what it was sent, as providers do, and fails in every way, by the number."""
    echo = f"{heard.form['To']}: {heard.form['Body']} {PASSWORD}"

    def problem(status: int, code: int, **headers: str) -> Said:
        return Said(status, json.dumps({"code": code, "message": echo}).encode(), headers)

    answers: dict[str, Said | Fault] = {
        "1": problem(400, 21211),
        "2": problem(503, 20503),
        "3": problem(429, 20429, **{"Retry-After": "1"}),
        "4": Fault.CLOSE,
        "5": Said(200, echo.encode()),
        "6": Fault.GARBAGE,
        "8": problem(401, 20003),
    }
    taken = Said(201, json.dumps({"sid": "SM1", "status": "queued", "body": echo}).encode())
    return answers.get(heard.form["To"][-1], taken)


def bad_requests(sender: Sender) -> None:
    """All that a door refuses, with marks in whatever part is wrong."""
    good = message("email")
    refused: Iterable[tuple[str, str, object, dict[str, str]]] = [
        ("POST", "/v1/notifications", {**good, FIELD: TEXT}, {}),
        ("POST", "/v1/notifications", {**good, "to": {"email": f"{ADDRESS}, {ADDRESS}"}}, {}),
        ("POST", "/v1/notifications", {**good, "to": {"phone": PHONE, "push_token": TOKEN}}, {}),
        ("POST", "/v1/notifications", {**good, "channel": TEXT, "priority": SUBJECT}, {}),
        ("POST", "/v1/notifications", {**good, "content": {"subject": f"{SUBJECT}\r\nBcc: {ADDRESS}"}}, {}),
        ("POST", "/v1/notifications", f'{{"to": "{ADDRESS}", '.encode(), {}),
        ("POST", "/v1/notifications", good, {"Content-Type": f"text/{HEADER}"}),
        ("POST", "/v1/notifications", good, {"Idempotency-Key": IDEMPOTENCY * 40}),
        ("POST", "/v1/notifications", good, {"traceparent": HEADER, "X-Request-Id": f"{HEADER} {ADDRESS}"}),
        ("POST", f"/v1/notifications?{QUERY}={QUERY}", good, {}),
        ("POST", "/v1/notifications", good, {"Authorization": f"Bearer {BAD_KEY}"}),
        ("POST", "/v1/notifications", good, {"Authorization": f"Basic {HEADER}"}),
        ("POST", "/v1/notifications/batch", {"items": [{FIELD: TEXT}, {"to": {"email": LOCAL}}]}, {}),
        ("POST", "/v1/notifications/search", {"to": {"email": ADDRESS}}, {}),
        ("GET", f"/v1/notifications?reference={REFERENCE}&tag={TAG}", None, {}),
        ("GET", f"/v1/notifications/{PATH}?{QUERY}=1", None, {}),
        ("GET", f"/{PATH}/{ADDRESS}", None, {}),
        ("TRACE", f"/{PATH}", None, {}),
        ("POST", "/v1/suppressions", {"channel": "sms", "to": {"phone": f"{PHONE}9"}, "reason": REPORT}, {}),
        ("POST", "/v1/suppressions/search", {"channel": "email", "to": {"email": ADDRESS}}, {}),
        ("POST", f"/v1/unsubscribe/{PATH}", b"List-Unsubscribe=One-Click", {}),
        (
            "POST",
            f"/v1/receipts/twilio?{QUERY}=1",
            f"To={PHONE}&Body={REPORT}".encode(),
            {"X-Twilio-Signature": HEADER},
        ),
        ("POST", f"/v1/receipts/{PATH}", REPORT.encode(), {}),
        ("GET", f"/v1/failures?provider={QUERY}", None, {}),
        ("POST", "/v1/failures/replay", {"filter": {"provider": QUERY}, "limit": 5, "reason": TEXT}, {}),
        ("POST", f"/v1/lanes/{PATH}/high/pause", None, {}),
        ("POST", f"/v1/providers/{PATH}/disable", None, {}),
        ("GET", f"/v1/operations/{PATH}", None, {}),
    ]
    for method, path, body, headers in refused:
        status, answer = sender.ask(method, urllib.parse.quote(path, safe="/?&=%@+"), body, **headers)
        assert status < 500, (method, path, status, answer)
    sender.raw(f"GET /{PATH}?{QUERY} HTTP/9.9\r\nX-Canary: {HEADER}\r\n\r\n".encode())
    sender.raw(f"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {HEADER}\r\n\r\n".encode())
    sender.raw(f"{TEXT} {ADDRESS}\r\n\r\n".encode())
    sender.raw(f"POST /v1/notifications HTTP/1.1\r\nHost: a\r\nX-Canary: {HEADER * 900}\r\n\r\n".encode())
