"""Twilio SendGrid's Mail Send."""

import json

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import EmailAddress
from tests.conformance.provider_kit import BODY, PASSWORD, Candidate, Http
from tests.nodes.web import Said


def problem(status: int, field: str | None, message: str = "no") -> Said:
    """An error in SendGrid's form."""
    errors = [{"message": message, "field": field, "help": None}]
    return Said(status, json.dumps({"errors": errors}).encode())


CANDIDATES = [
    Candidate(
        name="sendgrid",
        channel=Channel.EMAIL,
        recipient=EmailAddress("ada.lovelace@example.com", "Ada"),
        content=Content(subject="Hi", text=BODY, html=f"<p>{BODY}</p>"),
        http=Http(
            url=lambda at, more: f"sendgrid://:{PASSWORD}@{at}?from=news@acme.example&{more}",
            accepts=Said(202, headers={"X-Message-Id": "14Y8kI2zQwGzVqTnE0-s_A"}),
            defers=problem(503, None),
            refuses=problem(400, "personalizations.0.to.0.email"),
            repeats=lambda text: problem(400, "personalizations.0.to.0.email", text),
            token=lambda heard: json.loads(heard.body)["custom_args"]["notification_id"],
            # Only 202 is SendGrid's word for a message that was taken.
            answers_by_status=False,
        ),
    ).over_http()
]
