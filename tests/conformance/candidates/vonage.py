"""Vonage's SMS API."""

import json

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import PhoneNumber
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Http
from tests.nodes.web import Said


def parts(*statuses: str, text: str = "no") -> Said:
    """An answer with a part for each status."""
    found = [
        {"status": status, "message-id": f"0C{number:06}"}
        if status == "0"
        else {"status": status, "error-text": text}
        for number, status in enumerate(statuses)
    ]
    return Said(200, json.dumps({"message-count": str(len(found)), "messages": found}).encode())


CANDIDATES = [
    Candidate(
        name="vonage",
        channel=Channel.SMS,
        recipient=PhoneNumber("+447700900123"),
        content=Content(text=BODY),
        http=Http(
            url=lambda at, more: f"vonage://{USER}:{PASSWORD}@{at}?from=Acme&{more}",
            accepts=parts("0", "0"),
            defers=parts("1"),
            refuses=parts("6"),
            repeats=lambda text: parts("6", text=text),
            token=lambda heard: heard.form.get("client-ref"),
            answers_by_status=False,
        ),
    ).over_http()
]
