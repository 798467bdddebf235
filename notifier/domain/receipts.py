"""What a provider says later about a message that it took; the words only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from notifier.domain.lifecycle import Reason, Status


@dataclass(frozen=True, slots=True)
class Receipt:
    """One final word: `reference` is the provider's id of the message, `code` its own code for what went wrong.

    `reason` is None for what was delivered, unless the recipient then wants no more: a complaint or an opt-out that
    follows a delivery is ``DELIVERED`` with `Reason.RECIPIENT_OPTED_OUT`. ``INVALID_RECIPIENT`` and
    ``RECIPIENT_OPTED_OUT`` suppress the recipient, so they are for what is true for good only.
    """

    reference: str
    status: Literal[Status.DELIVERED, Status.UNDELIVERED]
    reason: Reason | None = None
    code: str | None = None


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


Reading = Sequence[Receipt] | Forged | Handshake | NotNow
