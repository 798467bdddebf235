"""Web Push."""

import json

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content
from notifier.domain.outcomes import Refused
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Http
from tests.nodes.browser import Subscription, options, vapid_file
from tests.nodes.lasting import lasting_folder
from tests.nodes.web import Said


def problem(status: int, message: str = "no") -> Said:
    """An error in the form of Mozilla's push service."""
    return Said(status, json.dumps({"code": status, "errno": 1, "message": message}).encode())


_OPTIONS = options(vapid_file(lasting_folder("vapid")))

CANDIDATES = [
    Candidate(
        name="webpush",
        channel=Channel.PUSH,
        # Who knows an endpoint may send to it: it is a secret.
        recipient=Subscription(f"https://push.example.com/{USER}/{PASSWORD}").recipient,
        content=Content(title="Hello", text=BODY),
        http=Http(
            url=lambda at, more: f"webpush://{at}?{_OPTIONS}&hosts=push.example.com&{more}",
            accepts=Said(201, headers={"Location": "https://push.example.com/m/0:15"}),
            defers=problem(503),
            refuses=problem(410),
            repeats=lambda text: problem(410, text),
            token=lambda heard: heard.headers.get("topic"),
            not_found=Refused(Reason.INVALID_RECIPIENT),
        ),
    ).over_http()
]
