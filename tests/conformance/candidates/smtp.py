"""SMTP."""

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import EmailAddress
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Network
from tests.nodes.peers import speaks_smtp

CANDIDATES = [
    Candidate(
        name="smtp",
        channel=Channel.EMAIL,
        recipient=EmailAddress("ada.lovelace@example.com", "Ada"),
        content=Content(subject="Hi", text=BODY, html=f"<p>{BODY}</p>"),
        network=Network(
            url=lambda port: f"smtp://{USER}:{PASSWORD}@127.0.0.1:{port}",
            good=speaks_smtp(),
            goes_after_the_request=speaks_smtp({"DOT": None}),
            hangs_after_the_request=speaks_smtp({"DOT": "HANG"}),
            repeats_everything=speaks_smtp(
                {"RCPT": "550 5.1.1 {line} unknown, ada.lovelace too " + "x" * 600}
            ),
            peer_speaks_first=True,
        ),
    )
]
