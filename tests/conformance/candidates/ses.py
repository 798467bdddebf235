"""Amazon SES."""

import json

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import EmailAddress
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Http
from tests.nodes.aws import problem
from tests.nodes.web import Heard, Said


def tag(heard: Heard) -> str | None:
    """What SES's events show of the notification."""
    (found,) = json.loads(heard.body)["EmailTags"]
    return str(found["Value"])


CANDIDATES = [
    Candidate(
        name="ses",
        channel=Channel.EMAIL,
        recipient=EmailAddress("ada.lovelace@example.com", "Ada"),
        content=Content(subject="Hi", text=BODY, html=f"<p>{BODY}</p>"),
        http=Http(
            url=lambda at, more: (
                f"ses://{USER}:{PASSWORD}@{at}?region=eu-west-1&from=news@acme.example&{more}"
            ),
            accepts=Said(200, json.dumps({"MessageId": "010f0189-0a5d-000000"}).encode()),
            defers=problem(503, "ServiceUnavailableException"),
            refuses=problem(400, "BadRequestException", "Missing final '@domain'"),
            repeats=lambda text: problem(400, "BadRequestException", text),
            token=tag,
            answers_by_status=False,
        ),
    ).over_http()
]
