"""What a provider says later about a message that it took; the words only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from notifier.domain.ids import parse_notification_id
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.texts import storable


@dataclass(frozen=True, slots=True)
class Receipt:
    """One final word: `reference` is the provider's id of the message, `code` its own code for what went wrong.

    `notification` is our own id, where the provider was given it and gives it back: all there is to go by after a call
    whose answer got lost.
    `reason` is None for what was delivered, unless the recipient then wants no more: a complaint or an opt-out that
    follows a delivery is ``DELIVERED`` with `Reason.RECIPIENT_OPTED_OUT`. ``INVALID_RECIPIENT`` and
    ``RECIPIENT_OPTED_OUT`` suppress the recipient, so they are for what is true for good only.
    """

    reference: str
    status: Literal[Status.DELIVERED, Status.UNDELIVERED]
    reason: Reason | None = None
    code: str | None = None
    notification: UUID | None = None


def given_back(value: object) -> UUID | None:
    """Our own id in what a provider gives back; None for what is none, which is left out and not complained of."""
    return parse_notification_id(value) if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Forged:
    """The request is not the provider's, or was changed on its way; `why` is for the log, without its values."""

    why: Literal["no signature", "wrong signature", "another account", "no form", "too old"]


@dataclass(frozen=True, slots=True)
class Handshake:
    """The provider introduced itself, and was answered: there is no receipt in it. `answer` is what it wants to read."""

    answer: str = ""


@dataclass(frozen=True, slots=True)
class NotNow:
    """It can't be judged at the moment, so the provider is to send it again; `why` is for the log."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRequest:
    """What came in: `query` is the part of the request's own URL behind the ``?``, as it was written.

    Of a header that came twice the first counts; names are in any case.
    """

    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    query: str = field(default="", repr=False)


_MAX_REFERENCE, _MAX_CODE = 200, 40


def kept_reference(reference: str) -> str | None:
    """A provider's id of a message as a row holds it; None for none."""
    return storable(reference)[:_MAX_REFERENCE] or None


def kept(receipt: Receipt) -> Receipt | None:
    """`receipt` as storage can hold it; None without a reference."""
    reference = kept_reference(receipt.reference)
    if reference is None:
        return None
    code = None if receipt.code is None else storable(receipt.code)[:_MAX_CODE] or None
    return replace(receipt, reference=reference, code=code)


#: What is kept of one notification's receipts: a provider that goes on for ever fills no row.
MAX_KEPT = 10


class Verdict(StrEnum):
    """What a receipt means for the notification that it is about."""

    #: It ends `sent`, or what was held or queued because an answer got lost.
    MOVES = "moves"
    #: The state stays, as it only goes forward; the timeline tells of it, and it may suppress.
    NOTED = "noted"
    #: It was told before, or so much was told that nobody listens any more.
    KNOWN = "known"


def judge(
    status: Status, told: Sequence[Mapping[str, Any]], receipt: Receipt, own: str | None = None
) -> Verdict:
    """What `receipt` means for a notification in this state, of which the receipts `told` came before.

    `own` is the reference of the message that it was sent as, where that is known: another one is of an attempt before
    it. That one's arrival is good news for all, its loss only for itself, as the last one has a receipt of its own.
    """
    if any(word_of(receipt) == {name: one.get(name) for name in _WORD} for one in told):
        return Verdict.KNOWN
    is_anothers = own not in {None, receipt.reference}
    if status in _MOVED and not (is_anothers and receipt.status is Status.UNDELIVERED):
        return Verdict.MOVES
    return Verdict.NOTED if len(told) < MAX_KEPT else Verdict.KNOWN


#: What a receipt ends. The last two only when it names the notification: it says how an unheard call ended.
_MOVED = frozenset({Status.SENT, Status.HELD, Status.QUEUED})
_WORD = ("status", "reason", "code")


def word_of(receipt: Receipt) -> dict[str, str | None]:
    """What it says, as a row keeps it."""
    return {
        "status": str(receipt.status),
        "reason": None if receipt.reason is None else str(receipt.reason),
        "code": receipt.code,
    }


Reading = Sequence[Receipt] | Forged | Handshake | NotNow
