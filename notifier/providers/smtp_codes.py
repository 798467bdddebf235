"""What an SMTP server's reply means: a pure table from (stage, code, enhanced code, text) to an outcome.

Sources: RFC 5321 (codes), RFC 3463 and the IANA registry of RFC 5248 (enhanced codes), RFC 7504 (521, 556),
RFC 7505 (null MX, 5.1.10), RFC 6531 (SMTPUTF8), Amazon SES's "SMTP response codes". A specific text goes before an
enhanced code, that before the bare code, that before its class: 4yz is worth another try, 5yz is not.

The stage matters, because the same code speaks of different parties: only a reply to RCPT or to the content can
condemn the recipient. What a server says before it has heard of the message (greeting, EHLO, AUTH) concerns our
account, and an address refused at MAIL is our own sender: both are ours to mend, so the notification waits.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Refused


class Stage(Enum):
    """What the reply answers."""

    SESSION = "session"
    SENDER = "MAIL"
    RECIPIENT = "RCPT"
    CONTENT = "DATA"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; `enhanced` is "" where the server gives none (RFC 2034)."""

    code: int
    enhanced: str
    text: str

    @property
    def good(self) -> bool:
        """Whether it is a 2yz."""
        return 200 <= self.code < 300  # noqa: PLR2004 - RFC 5321, 4.2.1

    @property
    def shown(self) -> str:
        """``550 5.1.1``, as kept with the attempt."""
        return f"{self.code} {self.enhanced}".rstrip()


_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")


def reply_of(code: int, text: str) -> Reply:
    """The reply with its enhanced code taken out of the first line, if it is of the same class."""
    found = _ENHANCED.match(text)
    if found is None or found[1][0] != str(code)[:1]:
        return Reply(code, "", text)
    return Reply(code, found[1], text)


#: Greylisting lets a message in after minutes: 5 is the usual least wait, in seconds.
GREYLISTED = 300.0
#: A full mailbox or disk is not emptied in seconds.
FULL = 900.0
#: 421 asks to go away; SES sends it for too many connections.
GO_AWAY = 30.0
#: SES's rate is per second: its own advice is to back off for up to 10 minutes, which retrying does.
RATE_LIMITED = 10.0
TOO_MANY = 60.0

_QUOTA = re.compile(r"daily (?:message |sending )?quota|daily user sending", re.IGNORECASE)
_RATE = re.compile(
    r"throttling failure|maximum sending rate|rate limit|too many (?:messages|connections)", re.IGNORECASE
)
_UNVERIFIED = re.compile(r"address(?:es)? (?:is|are) not verified", re.IGNORECASE)
_GREYLIST = re.compile(r"gr[ae]y-?list", re.IGNORECASE)

_CONFIG_CODES = frozenset({530, 534, 535, 538})
#: 551 user not local; 521 and 556 a host or domain that takes no mail at all.
_INVALID_CODES = frozenset({521, 551, 556})
#: Bad mailbox, host, syntax; moved; null MX; a mailbox that is disabled.
_INVALID_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
#: The registry's X.1.7 and X.1.8 speak of the sender's address.
_BAD_SENDER = frozenset({"5.1.7", "5.1.8"})
#: Full: suppressed only by the third within seven days.
_UNREACHABLE = frozenset({"5.2.2"})
_TOO_LARGE = frozenset({"5.2.3", "5.3.4"})


def outcome_of(stage: Stage, reply: Reply, answer: Answer, now: datetime) -> Deferred | Refused:
    """What a reply that is no success means at `stage`; `now` serves only for "until tomorrow"."""
    if reply.code == 421:  # noqa: PLR2004
        return Deferred(Reason.THROTTLED, GO_AWAY, answer, one_connection=True)
    if 400 <= reply.code < 500:  # noqa: PLR2004
        return _temporary(reply, answer, now)
    if 500 <= reply.code < 600:  # noqa: PLR2004
        return _permanent(stage, reply, answer)
    # Not a reply of RFC 5321 at this point (a 354 to MAIL, a 7xx): whoever speaks there is not well.
    return Deferred(Reason.PROVIDER_UNAVAILABLE, answer=answer)


def _temporary(reply: Reply, answer: Answer, now: datetime) -> Deferred:
    if _QUOTA.search(reply.text):
        return Deferred(Reason.THROTTLED, _until_tomorrow(now), answer)
    if _RATE.search(reply.text):
        return Deferred(Reason.THROTTLED, RATE_LIMITED, answer)
    if (reply.code, reply.enhanced) == (452, "4.5.3"):
        return Deferred(Reason.THROTTLED, TOO_MANY, answer)
    if reply.code in {450, 451} and (reply.enhanced.startswith("4.7.") or _GREYLIST.search(reply.text)):
        return Deferred(Reason.PROVIDER_UNAVAILABLE, GREYLISTED, answer)
    if reply.enhanced in {"4.2.2", "4.3.1"}:
        return Deferred(Reason.PROVIDER_UNAVAILABLE, FULL, answer)
    return Deferred(Reason.PROVIDER_UNAVAILABLE, answer=answer)


def _permanent(stage: Stage, reply: Reply, answer: Answer) -> Deferred | Refused:
    if stage is Stage.SESSION or reply.code in _CONFIG_CODES or reply.enhanced in _BAD_SENDER:
        return Deferred(Reason.AUTH_FAILED, answer=answer)
    if _UNVERIFIED.search(reply.text):
        return Deferred(Reason.AUTH_FAILED, answer=answer)
    condemned = _condemned(reply)
    if condemned is not None:
        return (
            Deferred(Reason.AUTH_FAILED, answer=answer)
            if stage is Stage.SENDER
            else Refused(condemned, answer)
        )
    if reply.enhanced in _TOO_LARGE:
        return Refused(Reason.CONTENT_REJECTED, answer)
    if reply.enhanced.startswith("5.7.") and stage is Stage.CONTENT:
        return Refused(Reason.CONTENT_REJECTED, answer)
    return Refused(Reason.PROVIDER_REJECTED, answer)


def _condemned(reply: Reply) -> Reason | None:
    """Why this recipient can't be reached, or None when the reply is not about the recipient."""
    if reply.enhanced in _UNREACHABLE:
        return Reason.UNREACHABLE_RECIPIENT
    if reply.code in _INVALID_CODES or reply.enhanced in _INVALID_ADDRESS:
        return Reason.INVALID_RECIPIENT
    if reply.code == 553 and reply.enhanced.startswith("5.1."):  # noqa: PLR2004
        return Reason.INVALID_RECIPIENT
    return None


def _until_tomorrow(now: datetime) -> float:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - now).total_seconds()
