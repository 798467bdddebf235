"""The states of a notification, its reasons, and the moves between them.

::

    scheduled ─► queued ─► sending ─► sent ─► delivered | undelivered
                    ▲          │
                    └─ retry ──┘              held = uncertain, waits for a person or a receipt

A receipt may also end what is held, or queued for another attempt: it proves that a call whose answer got lost was
heard.
"""

from enum import StrEnum


class Status(StrEnum):
    """Where a notification stands."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    HELD = "held"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPPRESSED = "suppressed"


class Reason(StrEnum):
    """Why an attempt or a notification ended as it did; a closed set, stable for callers."""

    INVALID_RECIPIENT = "invalid_recipient"
    UNREACHABLE_RECIPIENT = "unreachable_recipient"
    RECIPIENT_OPTED_OUT = "recipient_opted_out"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    RENDER_ERROR = "render_error"
    CONTENT_REJECTED = "content_rejected"
    PROVIDER_REJECTED = "provider_rejected"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_TIMEOUT = "provider_timeout"
    THROTTLED = "throttled"
    AUTH_FAILED = "auth_failed"
    RETRIES_EXHAUSTED = "retries_exhausted"
    CANCELLED = "cancelled"
    UNCERTAIN = "uncertain"
    POISON = "poison"


class OnUncertain(StrEnum):
    """What to do when nobody knows whether a call reached the recipient."""

    RESEND = "resend"
    HOLD = "hold"


class Mode(StrEnum):
    """Whether a key sends for real."""

    LIVE = "live"
    TEST = "test"


#: States in which the service itself has nothing left to do.
FINAL = frozenset(
    {
        Status.SENT,
        Status.DELIVERED,
        Status.UNDELIVERED,
        Status.FAILED,
        Status.EXPIRED,
        Status.CANCELLED,
        Status.SUPPRESSED,
    }
)

#: States in which work is still owed; promise 2's "pending". `held` is counted by itself.
PENDING = frozenset({Status.SCHEDULED, Status.QUEUED, Status.SENDING})

#: Every move the service makes. A state that is not a key here is never left.
MOVES: dict[Status, frozenset[Status]] = {
    Status.SCHEDULED: frozenset({Status.QUEUED, Status.EXPIRED, Status.CANCELLED}),
    Status.QUEUED: frozenset({Status.SENDING, Status.EXPIRED, Status.CANCELLED, *FINAL, Status.HELD}),
    Status.SENDING: frozenset({Status.QUEUED, Status.HELD, *FINAL}),
    Status.HELD: frozenset({Status.SENT, Status.QUEUED, Status.FAILED, Status.DELIVERED, Status.UNDELIVERED}),
    Status.SENT: frozenset({Status.DELIVERED, Status.UNDELIVERED}),
}
