"""What a provider says later about a message that it took; the words only."""

from dataclasses import dataclass
from typing import Literal

from notifier.domain.lifecycle import Reason, Status


@dataclass(frozen=True, slots=True)
class Receipt:
    """One final word: `reference` is the provider's id of the message, `code` its own code for what went wrong.

    `reason` is None for what was delivered.
    """

    reference: str
    status: Literal[Status.DELIVERED, Status.UNDELIVERED]
    reason: Reason | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Forged:
    """The request is not the provider's, or was changed on its way; `why` is for the log, without its values."""

    why: Literal["no signature", "wrong signature", "another account", "no form"]
