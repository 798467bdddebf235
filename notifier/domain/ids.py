"""Time-ordered ids: UUIDv7 (RFC 9562, 5.7) made from the database's time, shown as ``ntf_…`` or ``opn_…``.

A suppression's ``sup_…`` is a random UUID: it tells neither time nor recipient.
"""

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The 74 bits of a UUIDv7 that are random.
_RANDOM = (1 << 80) - 1 & ~(0xF << 76) & ~(0b11 << 62)
_NOTIFICATION, _OPERATION, _SUPPRESSION = "ntf_", "opn_", "sup_"


def uuid7(at: datetime, random: bytes | None = None) -> UUID:
    """A UUIDv7 for the moment `at` (millisecond precision) with 74 random bits."""
    millis = (at - _EPOCH) // timedelta(milliseconds=1)
    tail = int.from_bytes(random or os.urandom(10), "big")
    value = (millis & (1 << 48) - 1) << 80 | tail & (1 << 80) - 1
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return UUID(int=value)


def uuid7s(at: datetime, number: int) -> list[UUID]:
    """So many UUIDv7 of one moment, in no order, for one call to the system's randomness."""
    first = (at - _EPOCH) // timedelta(milliseconds=1) << 80 | 7 << 76 | 0b10 << 62
    random = os.urandom(10 * number)
    tails = (int.from_bytes(random[start : start + 10], "big") for start in range(0, len(random), 10))
    return [UUID(int=first | tail & _RANDOM) for tail in tails]


def first_id_at(at: datetime) -> UUID:
    """The least UUIDv7 of the moment `at`: the bound of a walk over ids by time."""
    millis = (at - _EPOCH) // timedelta(milliseconds=1)
    return UUID(int=max(millis, 0) << 80 | 7 << 76 | 0b10 << 62)


def time_of(value: UUID) -> datetime:
    """The moment a UUIDv7 was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=value.int >> 80)


def notification_id(value: UUID) -> str:
    """The public form of an id."""
    return f"{_NOTIFICATION}{value}"


def parse_notification_id(text: str) -> UUID | None:
    """The id in `text`, or None unless it is exactly ``ntf_`` and a UUID in its usual lower-case form."""
    return _parse(_NOTIFICATION, text)


def operation_id(value: UUID) -> str:
    """The public form of an operation's id."""
    return f"{_OPERATION}{value}"


def parse_operation_id(text: str) -> UUID | None:
    """The same for ``opn_`` and a UUID."""
    return _parse(_OPERATION, text)


def suppression_id(value: UUID) -> str:
    """The public form of a suppression's id."""
    return f"{_SUPPRESSION}{value}"


def parse_suppression_id(text: str) -> UUID | None:
    """The same for ``sup_`` and a UUID."""
    return _parse(_SUPPRESSION, text)


def _parse(prefix: str, text: str) -> UUID | None:
    if len(text) != len(prefix) + 36 or not text.startswith(prefix):
        return None
    try:
        value = UUID(text[len(prefix) :])
    except ValueError:
        return None
    return value if f"{prefix}{value}" == text else None
