"""SMTP, with commands one by one and, where the server offers it, in a group (RFC 2920)."""

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import EmailAddress
from tests.conformance.provider_kit import BODY, PASSWORD, USER, Candidate, Network
from tests.nodes.peers import speaks_smtp


def _candidate(name: str, offers: str) -> Candidate:
    ehlo = {"EHLO": f"250-peer\r\n{offers}250 AUTH PLAIN LOGIN"}
    return Candidate(
        name=name,
        channel=Channel.EMAIL,
        recipient=EmailAddress("ada.lovelace@example.com", "Ada"),
        content=Content(subject="Hi", text=BODY, html=f"<p>{BODY}</p>"),
        network=Network(
            url=lambda port: f"smtp://{USER}:{PASSWORD}@127.0.0.1:{port}",
            good=speaks_smtp(ehlo),
            goes_after_the_request=speaks_smtp(ehlo | {"DOT": None}),
            hangs_after_the_request=speaks_smtp(ehlo | {"DOT": "HANG"}),
            repeats_everything=speaks_smtp(
                ehlo | {"RCPT": "550 5.1.1 {line} unknown, ada.lovelace too " + "x" * 600}
            ),
            peer_speaks_first=True,
        ),
    )


CANDIDATES = [_candidate("smtp", ""), _candidate("smtp-pipelining", "250-PIPELINING\r\n")]
