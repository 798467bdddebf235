"""A signed webhook."""

import base64
import json

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content
from notifier.domain.outcomes import Deferred
from notifier.domain.recipients import ChatDestination
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Http
from tests.nodes.web import Said

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef-24-bytes").decode()


def problem(status: int, message: str = "no") -> Said:
    """An answer with words in it; the specification knows the status alone."""
    return Said(status, json.dumps({"message": message}).encode())


CANDIDATES = [
    Candidate(
        name="webhook",
        channel=Channel.CHAT,
        recipient=ChatDestination("ops"),
        content=Content(title="Hello", text=BODY),
        http=Http(
            url=lambda at, more: (
                f"webhook+https://{at}/{USER}/{PASSWORD}?name=ops&secret={SECRET}&dangerous_private=true&{more}"
            ),
            accepts=Said(204, headers={"Content-Length": "0"}),
            defers=problem(503),
            refuses=problem(400),
            repeats=lambda text: problem(400, text),
            token=lambda heard: heard.headers.get("webhook-id"),
            not_found=Deferred(Reason.PROVIDER_UNAVAILABLE),
            refused=Reason.PROVIDER_REJECTED,
        ),
    ).over_http()
]
