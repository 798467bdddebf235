"""Twilio."""

import json

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import PhoneNumber
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Http
from tests.nodes.web import Said


def problem(status: int, code: int, message: str = "no") -> Said:
    """An error in Twilio's form."""
    return Said(status, json.dumps({"code": code, "message": message, "status": status}).encode())


CANDIDATES = [
    Candidate(
        name="twilio",
        channel=Channel.SMS,
        recipient=PhoneNumber("+447700900123"),
        content=Content(text=BODY),
        http=Http(
            url=lambda at, more: f"twilio://{USER}:{PASSWORD}@{at}?from=Acme&{more}",
            accepts=Said(201, json.dumps({"sid": "SM" + "0" * 32, "status": "queued"}).encode()),
            defers=problem(503, 20503),
            refuses=problem(400, 21211),
            repeats=lambda text: problem(400, 21211, text),
        ),
    ).over_http()
]
