"""Every row of the table of SMTP replies, and the rules of precedence between them."""

from datetime import UTC, datetime

import pytest

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Refused
from notifier.providers.smtp_codes import (
    FULL,
    GO_AWAY,
    GREYLISTED,
    RATE_LIMITED,
    TOO_MANY,
    Stage,
    outcome_of,
    reply_of,
)

NOW = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
ANSWER = Answer("550", "no")


def judged(stage: Stage, line: str):
    return outcome_of(stage, reply_of(int(line[:3]), line[4:]), ANSWER, NOW)


DEFERRED = [
    ("421 4.7.0 Too many concurrent SMTP connections", Reason.THROTTLED, GO_AWAY),
    ("421 closing", Reason.THROTTLED, GO_AWAY),
    ("450 4.7.1 Greylisted, please try again", Reason.PROVIDER_UNAVAILABLE, GREYLISTED),
    ("451 4.7.1 try again later", Reason.PROVIDER_UNAVAILABLE, GREYLISTED),
    ("451 graylisted for 5 minutes", Reason.PROVIDER_UNAVAILABLE, GREYLISTED),
    ("451 4.4.2 Timeout waiting for data from client", Reason.PROVIDER_UNAVAILABLE, None),
    ("451 local error", Reason.PROVIDER_UNAVAILABLE, None),
    ("450 4.2.0 mailbox busy", Reason.PROVIDER_UNAVAILABLE, None),
    ("452 4.2.2 mailbox full", Reason.PROVIDER_UNAVAILABLE, FULL),
    ("452 4.3.1 system full", Reason.PROVIDER_UNAVAILABLE, FULL),
    ("452 4.5.3 too many recipients", Reason.THROTTLED, TOO_MANY),
    ("454 Throttling failure: Maximum sending rate exceeded.", Reason.THROTTLED, RATE_LIMITED),
    ("454 Throttling failure: Daily message quota exceeded.", Reason.THROTTLED, 7200.0),
    ("454 4.7.0 Temporary authentication failure", Reason.PROVIDER_UNAVAILABLE, None),
    ("499 whatever", Reason.PROVIDER_UNAVAILABLE, None),
    ("530 5.7.0 Must issue a STARTTLS command first", Reason.AUTH_FAILED, None),
    ("534 5.7.9 mechanism too weak", Reason.AUTH_FAILED, None),
    ("535 5.7.8 bad credentials", Reason.AUTH_FAILED, None),
    ("538 5.7.11 encryption required", Reason.AUTH_FAILED, None),
    ("554 Message rejected: Email address is not verified. The following", Reason.AUTH_FAILED, None),
    ("550 5.1.7 bad sender address", Reason.AUTH_FAILED, None),
    ("553 5.1.8 sender's domain unknown", Reason.AUTH_FAILED, None),
    ("354 out of step", Reason.PROVIDER_UNAVAILABLE, None),
    ("799 no such class", Reason.PROVIDER_UNAVAILABLE, None),
]
REFUSED = [
    *[(f"{code} what", Reason.PROVIDER_REJECTED) for code in (500, 501, 502, 503, 504, 555, 550, 554, 599)],
    ("521 host takes no mail", Reason.INVALID_RECIPIENT),
    ("556 domain takes no mail", Reason.INVALID_RECIPIENT),
    ("550 5.1.10 null MX", Reason.INVALID_RECIPIENT),
    *[(f"550 5.1.{detail} no", Reason.INVALID_RECIPIENT) for detail in (1, 2, 3, 6)],
    ("551 user not local", Reason.INVALID_RECIPIENT),
    ("551 5.7.1 user not local", Reason.INVALID_RECIPIENT),
    ("553 5.1.4 ambiguous", Reason.INVALID_RECIPIENT),
    ("550 5.2.1 disabled", Reason.INVALID_RECIPIENT),
    ("554 5.2.1 disabled", Reason.INVALID_RECIPIENT),
    ("552 5.2.2 full", Reason.UNREACHABLE_RECIPIENT),
    ("554 5.2.2 full", Reason.UNREACHABLE_RECIPIENT),
    ("552 5.3.4 too big", Reason.CONTENT_REJECTED),
    ("554 5.2.3 too big", Reason.CONTENT_REJECTED),
    *[
        (f"550 5.7.{detail} policy", Reason.CONTENT_REJECTED)
        for detail in (1, 20, 21, 22, 23, 24, 25, 26, 27, 509)
    ],
    ("554 5.7.1 spam", Reason.CONTENT_REJECTED),
    ("550 4.1.1 the class does not fit, so the enhanced code is not believed", Reason.PROVIDER_REJECTED),
]


@pytest.mark.parametrize(("line", "reason", "wait"), DEFERRED)
def test_worth_another_try(line, reason, wait):
    """Temporary replies, throttles and what our operator must mend never end a notification."""
    assert judged(Stage.CONTENT, line) == Deferred(
        reason, wait, ANSWER, one_connection=line.startswith("421")
    )


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_never(line, reason):
    """Permanent replies end it, and tell the recipient's fault from the content's and the provider's."""
    assert judged(Stage.CONTENT, line) == Refused(reason, ANSWER)


@pytest.mark.parametrize("line", [line for line, _ in REFUSED])
def test_before_the_message_a_refusal_is_ours_to_mend(line):
    """A 5yz to the greeting, EHLO or AUTH condemns no notification and suppresses nobody."""
    assert judged(Stage.SESSION, line) == Deferred(Reason.AUTH_FAILED, None, ANSWER)


@pytest.mark.parametrize("line", ["550 5.1.1 no", "553 5.1.3 syntax", "521 no", "550 5.2.1 disabled"])
def test_an_address_refused_at_mail_is_our_sender(line):
    """MAIL names only the sender: the recipient is not to blame."""
    assert judged(Stage.SENDER, line) == Deferred(Reason.AUTH_FAILED, None, ANSWER)


def test_a_policy_refusal_before_the_content_does_not_blame_the_content():
    """5.7.x at RCPT comes before the server has read anything."""
    assert judged(Stage.RECIPIENT, "554 5.7.1 relay access denied") == Refused(
        Reason.PROVIDER_REJECTED, ANSWER
    )


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("code", [*range(200, 700, 7), -1, 0])
def test_every_code_has_an_outcome(stage, code):
    """Whatever number comes, there is an outcome."""
    assert isinstance(outcome_of(stage, reply_of(code, ""), ANSWER, NOW), Deferred | Refused)


def test_the_kept_code_holds_the_enhanced_one():
    """`552 5.2.2` tells a full mailbox from a disabled one, for whoever counts before suppressing."""
    assert reply_of(552, "5.2.2 full").shown == "552 5.2.2"
    assert reply_of(550, "5.1.1").shown == "550 5.1.1"
    assert reply_of(550, "no such user").shown == "550"
