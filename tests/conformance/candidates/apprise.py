"""Apprise, by its own look-alike of a service: JSON over HTTP."""

import json
from urllib.parse import quote

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content
from notifier.domain.recipients import ChatDestination
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Http
from tests.nodes.web import Said

_PLAIN = "dangerous_plain=true"


def url(at: str, more: str) -> str:
    """Apprise's own URL says whether there is TLS."""
    scheme = "json" if more == _PLAIN else "jsons"
    service = quote(f"{scheme}://{USER}:{PASSWORD}@{at}/{PASSWORD}/ada.lovelace", safe="")
    options = "timeout=20" if more == _PLAIN else more
    return f"apprise://?name=ops&url={service}&{options}"


def problem(status: int, message: str = "no") -> Said:
    """An answer with words in it."""
    return Said(status, json.dumps({"error": message}).encode())


CANDIDATES = [
    Candidate(
        name="apprise",
        channel=Channel.CHAT,
        recipient=ChatDestination("ops"),
        content=Content(title="Hello", text=BODY),
        http=Http(
            url=url,
            accepts=Said(200, b"{}"),
            defers=problem(503),
            refuses=problem(400),
            repeats=lambda text: problem(400, text),
            refused=Reason.PROVIDER_REJECTED,
        ),
    ).over_http()
]
