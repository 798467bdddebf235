"""Receipts of Amazon SES, which come over Amazon SNS: both forms of its events, and the subscription's confirmation.

Sources: Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS" (`eventType`, of a
configuration set) and "Amazon SNS notification contents for Amazon SES" (`notificationType`, of an identity). Only what
can't change any more is a receipt: a delay, a click and whatever SES adds one day are none.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Forged, Handshake, NotNow, Reading, Receipt, ReceiptRequest, given_back
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_answers import code_of, reference_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.ses import TAG
from notifier.providers.sns_messages import (
    NOTIFICATION,
    SUBSCRIPTION,
    SnsMessage,
    confirms,
    is_signed,
    is_timely,
    read_message,
)
from notifier.providers.sns_visits import SnsVisits

_SUPPRESSED_BY_ACCOUNT = "OnAccountSuppressionList"
#: Why a bounce of this type and subtype did not arrive; "" stands for any other subtype.
BOUNCES: Mapping[str, Mapping[str, Reason]] = {
    "Permanent": {
        # Nobody has asked the recipient's server: the address is on a list that the account's owner may edit.
        _SUPPRESSED_BY_ACCOUNT: Reason.PROVIDER_REJECTED,
        # The recipient has left the account's mail.
        "UnsubscribedRecipient": Reason.RECIPIENT_OPTED_OUT,
        "": Reason.INVALID_RECIPIENT,
    },
    "Transient": {
        "MailboxFull": Reason.UNREACHABLE_RECIPIENT,
        "MessageTooLarge": Reason.CONTENT_REJECTED,
        "ContentRejected": Reason.CONTENT_REJECTED,
        "AttachmentRejected": Reason.CONTENT_REJECTED,
        "CustomTimeoutExceeded": Reason.EXPIRED,
        # Absence notes are among these, of addresses that are well.
        "": Reason.PROVIDER_UNAVAILABLE,
    },
    "Undetermined": {"": Reason.PROVIDER_REJECTED},
}
#: A reader took a message out of the junk folder.
_NO_COMPLAINT = "not-spam"


def build_receipts(url: ProviderUrl, defaults: ProviderDefaults) -> "SesReceipts":
    """What reads the receipts of the account that `url` describes."""
    said = cast("dict[str, Any]", url.options)
    visits = SnsVisits(said.get("ca_file"), defaults.connect_timeout)
    return SesReceipts(frozenset(said["topic"].split(",")), visits)


@dataclass(frozen=True, slots=True)
class SesReceipts:
    """A `ReceiptReader`; `topics` are the ARNs whose messages are believed."""

    topics: frozenset[str]
    visits: SnsVisits = field(repr=False)

    def read(self, request: ReceiptRequest, deadline: Deadline) -> Reading:
        """What SNS posted: an event of SES's, or the question whether we want its messages."""
        message = read_message(request.body, self.topics)
        if isinstance(message, Forged):
            return message
        certificate = self.visits.certificate(message, deadline)
        if isinstance(certificate, Forged | NotNow):
            return certificate
        if not is_signed(message, certificate.key):
            return Forged("wrong signature")
        # By either clock: ours may be hours off (promise 12), and theirs is what a header of one answer said.
        if not any(is_timely(message, now) for now in (certificate.now, datetime.now(UTC))):
            return Forged("too old")
        if message.type == SUBSCRIPTION:
            return self._confirmed(message, deadline)
        return receipts_of(message.message) if message.type == NOTIFICATION else []

    def _confirmed(self, message: SnsMessage, deadline: Deadline) -> Handshake | Forged | NotNow:
        if not confirms(message):
            return Forged("no form")
        return self.visits.confirm(message, deadline) or Handshake()


def receipts_of(text: str) -> list[Receipt]:
    """The receipt in an event of SES's, if it is final. SES also posts plain words, to try the topic out.

    Our id is in the message's tags, which only a configuration set's events have.
    """
    event = _event(text)
    mail = _object(event, "mail")
    reference, values = reference_of(mail.get("messageId")), _object(mail, "tags").get(TAG)
    notification = given_back(values[0] if isinstance(values, list) and len(values) == 1 else None)
    found = _final(event, reference) if reference else []
    return [replace(receipt, notification=notification) for receipt in found]


def _final(event: Mapping[str, Any], reference: str) -> list[Receipt]:
    match event.get("eventType") or event.get("notificationType"):
        case "Delivery":
            return [Receipt(reference, Status.DELIVERED)]
        case "Bounce":
            return [_bounce(reference, _object(event, "bounce"))]
        case "Complaint":
            return _complaint(reference, _object(event, "complaint"))
        case "Reject":
            return [Receipt(reference, Status.UNDELIVERED, Reason.CONTENT_REJECTED, "Reject")]
        case _:
            return []


def _event(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _bounce(reference: str, bounce: Mapping[str, Any]) -> Receipt:
    kind, subtype = (code_of(bounce.get(name)) or "" for name in ("bounceType", "bounceSubType"))
    reasons = BOUNCES.get(kind, BOUNCES["Undetermined"])
    code = f"{kind} {subtype}".strip() or "Bounce"
    return Receipt(reference, Status.UNDELIVERED, reasons.get(subtype, reasons[""]), code)


def _complaint(reference: str, complaint: Mapping[str, Any]) -> list[Receipt]:
    if complaint.get("complaintSubType") == _SUPPRESSED_BY_ACCOUNT:
        code = f"Complaint {_SUPPRESSED_BY_ACCOUNT}"
        return [Receipt(reference, Status.UNDELIVERED, Reason.RECIPIENT_OPTED_OUT, code)]
    kind = code_of(complaint.get("complaintFeedbackType")) or ""
    if kind == _NO_COMPLAINT:
        return []
    return [Receipt(reference, Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT, f"Complaint {kind}".strip())]


def _object(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}
