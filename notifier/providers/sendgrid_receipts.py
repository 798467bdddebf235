"""Receipts of SendGrid's Event Webhook: verified, then read. Pure.

Sources: Twilio SendGrid, "Getting Started with the Event Webhook Security Features" (the signature), "Event Webhook
Reference" (events and their fields), "Bounces API" (the classifications), "X-Message-ID" (an event's
``sg_message_id`` begins with it), "Event Webhook: Troubleshooting" (retries). Only what can't change any more is a
receipt: ``processed``, ``deferred``, ``open``, ``click``, what a reader says to one group of mails, and whatever
SendGrid adds one day are none.
"""

import json
import re
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from notifier.domain.lifecycle import Reason, Status
from notifier.domain.outcomes import Answer
from notifier.domain.receipts import Forged, Receipt, ReceiptRequest, given_back
from notifier.providers import smtp_codes
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.http_answers import reference_of
from notifier.providers.receipt_tables import ReceiptRow, by_word, header, within
from notifier.providers.schemes import ProviderUrl
from notifier.providers.sendgrid_message import NOTIFICATION

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
#: "All events are retried at increasing intervals for up to 24 hours after the event occurs"; an hour more, in seconds.
WINDOW = 25 * 3_600.0
#: SendGrid posts what 30 s or 768 KB hold, some 4,000 of the shortest events.
MAX_EVENTS = 10_000

#: Why a bounce did not arrive, by `bounce_classification`; what is not here is judged by the server's own code.
CLASSIFICATIONS = (
    ReceiptRow(("Invalid Address",), Reason.INVALID_RECIPIENT, "no such mailbox or domain"),
    ReceiptRow(
        ("Mailbox Unavailable",), Reason.UNREACHABLE_RECIPIENT, "full, disabled or not to be used now"
    ),
    ReceiptRow(("Content",), Reason.CONTENT_REJECTED, "taken for unwanted by what stands in it"),
    ReceiptRow(
        ("Reputation", "Frequency or Volume Too High", "Technical Failure"),
        Reason.PROVIDER_REJECTED,
        "refused for who sends it or how much, or a fault on the way",
    ),
)
#: Why SendGrid itself dropped a message, by `reason`. A list of bounces is the account's, and its owner may edit it.
DROPS = (
    ReceiptRow(("Invalid",), Reason.INVALID_RECIPIENT, "no address"),
    ReceiptRow(
        ("Unsubscribed Address", "Spam Reporting Address"),
        Reason.RECIPIENT_OPTED_OUT,
        "the recipient has left all mail of the account, or reported it",
    ),
    ReceiptRow(("Bounced Address",), Reason.PROVIDER_REJECTED, "on the account's list of bounces"),
    ReceiptRow(("Spam Content",), Reason.CONTENT_REJECTED, "the account's own spam check"),
    ReceiptRow(
        ("Invalid SMTPAPI header", "Recipient List over Package Quota"),
        Reason.PROVIDER_REJECTED,
        "refused by SendGrid",
    ),
)
_BY_CLASSIFICATION, _BY_DROP = by_word(CLASSIFICATIONS), by_word(DROPS)
#: The recipient wants no more: of everything the account sends, not of one group.
_COMPLAINTS = frozenset({"spamreport", "unsubscribe"})

_BLOCKED, _EXPIRED = "blocked", "expired"

_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_ENHANCED = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
#: What follows the X-Message-Id in an ``sg_message_id``: the server that took the message.
_SERVER = re.compile(r"\.(?:st)?(?:filter|recvd)")


def build_receipts(url: ProviderUrl, _defaults: ProviderDefaults) -> "SendGridReceipts":
    """What reads the receipts of the account that `url` describes; raises `SetupError` for a key that is none."""
    return SendGridReceipts(public_key(cast("str", url.options["verification_key"])))


def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The key that SendGrid shows: base64 of a SubjectPublicKeyInfo (RFC 5480) on P-256; raises `SetupError`."""
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SetupError("the option verification_key is no key on the curve P-256")
    return key


@dataclass(frozen=True, slots=True)
class SendGridReceipts:
    """A `ReceiptReader`; `key` is the webhook's own, so no other account's events are believed."""

    key: ec.EllipticCurvePublicKey = field(repr=False)

    def read(self, request: ReceiptRequest, _deadline: Deadline) -> Sequence[Receipt] | Forged:
        """Nothing is asked of anybody: the signature says it all."""
        return parse(self.key, request.headers, request.body, time.time())


def parse(
    key: ec.EllipticCurvePublicKey, headers: Mapping[str, str], body: bytes, now: float
) -> Sequence[Receipt] | Forged:
    """The receipts in a request, in the order of its events; `now` in seconds since 1970."""
    signature, moment = header(headers, SIGNATURE), header(headers, TIMESTAMP)
    if not signature or not moment:
        return Forged("no signature")
    if not _SECONDS.fullmatch(moment) or not _signed(key, signature, moment.encode() + body):
        return Forged("wrong signature")
    if not within(float(moment), now, WINDOW):
        return Forged("too old")
    try:
        events = json.loads(body)
    except (ValueError, RecursionError):
        return Forged("no form")
    if not isinstance(events, list) or len(events) > MAX_EVENTS:
        return Forged("no form")
    return [receipt for event in events if isinstance(event, dict) for receipt in _named(event)]


def _signed(key: ec.EllipticCurvePublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(b64decode(signature, validate=True), signed, ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def _named(event: Mapping[str, Any]) -> Iterator[Receipt]:
    """Its receipts with our id, which stands beside SendGrid's own fields."""
    notification = given_back(event.get(NOTIFICATION))
    for receipt in _receipts(event):
        yield replace(receipt, notification=notification)


def _receipts(event: Mapping[str, Any]) -> Iterator[Receipt]:
    reference, word = reference_in(_word(event, "sg_message_id")), _word(event, "event")
    if not reference:
        return
    if word == "delivered":
        yield Receipt(reference, Status.DELIVERED)
    elif word == "bounce":
        yield _bounced(reference, event)
    elif word == "dropped":
        said = _word(event, "reason")
        reason = _BY_DROP.get(said)
        yield Receipt(
            reference,
            Status.UNDELIVERED,
            reason or Reason.PROVIDER_REJECTED,
            # Words nobody knows may hold an address.
            said if reason else word,
        )
    elif word in _COMPLAINTS:
        yield Receipt(reference, Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT, word)


def reference_in(message_id: str) -> str:
    """The X-Message-Id that an event's `message_id` begins with; "" for what is none."""
    found = _SERVER.search(message_id)
    return reference_of(message_id[: found.start()] if found else message_id.partition(".")[0])


def _bounced(reference: str, event: Mapping[str, Any]) -> Receipt:
    """A bounce, of the type ``bounce``, or ``blocked``: then the refusal was not meant for good."""
    status, kind = _word(event, "status"), _word(event, "type")
    kind = kind if kind in {_BLOCKED, _EXPIRED} else "bounce"
    enhanced = status if _ENHANCED.fullmatch(status) else ""
    reason = _why(kind, _word(event, "bounce_classification"), enhanced)
    return Receipt(reference, Status.UNDELIVERED, reason, f"{kind} {enhanced}".rstrip())


def _why(kind: str, classification: str, enhanced: str) -> Reason:
    if kind == _EXPIRED:
        return Reason.EXPIRED
    reason = _BY_CLASSIFICATION.get(classification) or _by_code(enhanced)
    if kind != _BLOCKED:
        return reason or Reason.UNREACHABLE_RECIPIENT
    if reason is Reason.INVALID_RECIPIENT:
        return Reason.UNREACHABLE_RECIPIENT
    return reason or Reason.PROVIDER_REJECTED


def _by_code(enhanced: str) -> Reason | None:
    """What the recipient's server said (RFC 3463). 5.0.0 is SendGrid's word where it has no better one."""
    if enhanced in {"", "5.0.0"}:
        return None
    reply = smtp_codes.Reply(int(enhanced[0]) * 100 + 50, enhanced, "")
    return smtp_codes.outcome_of(smtp_codes.Stage.RECIPIENT, reply, Answer(), datetime.now(UTC)).reason


def _word(event: Mapping[str, Any], name: str) -> str:
    found = event.get(name)
    return found if isinstance(found, str) else ""
