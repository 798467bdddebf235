"""Moments as callers write them (RFC 3339) and as they are shown."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from notifier.domain.errors import InvalidInput

#: A send_at this far in the past still means "now": clocks differ and requests take time.
PAST_LEEWAY = timedelta(minutes=5)
FARTHEST = timedelta(days=366)

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def parse_moment(text: str) -> datetime:
    """The moment in `text`, in UTC; raises `InvalidInput` (``invalid_time``)."""
    if not _FORM.fullmatch(text):
        raise InvalidInput("invalid_time", "must be like 2027-01-01T09:00:00Z, with a time zone")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput("invalid_time", "must be a day and time that exist (no leap second)") from None


def parse_send_at(text: str, now: datetime) -> datetime | None:
    """When to send: None for now; raises `InvalidInput` (``invalid_time``, ``out_of_range``)."""
    moment = parse_moment(text)
    if moment > now + FARTHEST:
        raise InvalidInput("out_of_range", f"must be at most {FARTHEST.days} days ahead")
    if moment < now - PAST_LEEWAY:
        raise InvalidInput("out_of_range", "must not be in the past")
    return moment if moment > now else None


def shown(moment: datetime | None) -> str | None:
    """A moment as RFC 3339 in UTC with milliseconds."""
    return None if moment is None else _text(moment)


@lru_cache(maxsize=256)
def _text(moment: datetime) -> str:
    """Asked for the same moments by all that were kept together."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
