"""What an HTTP provider's answer means where its own table has no row for it: pure.

Source: RFC 9110 (status codes, 10.2.3 Retry-After) and, for 410, 429, 502 and 504, the Standard Webhooks
specification. A provider's own code goes before this table; an unknown 4xx is for good, an unknown 5xx is not.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Outcome, Refused, Uncertain
from notifier.providers.http_client import NoAnswer, NotSent

#: Nobody is made to wait longer by a date that is years away, in seconds.
MAX_WAIT = 86_400.0

#: Our credentials, our credit or our permission: ours to mend.
_CONFIG = frozenset({401, 402, 403})
_THROTTLED = 429
#: Worth another try though they are 4xx: a request that came too slowly, or too early (RFC 8470).
_AGAIN = frozenset({408, 425})
_TOO_LARGE = 413


def unanswered(result: NotSent | NoAnswer) -> Deferred | Refused | Uncertain:
    """What a request without an answer means."""
    if isinstance(result, NotSent):
        if result.for_good:
            return Refused(result.reason, Answer(text=result.text))
        return Deferred(result.reason, answer=Answer(text=result.text))
    return Uncertain(answer=Answer(text=result.text))


def outcome_of_status(status: int, answer: Answer, not_before: float | None = None) -> Outcome:
    """What a status that is no success means; `not_before` is what `retry_after` found.

    502 and 504 are worth another try and hold back no one but the breaker: a whole account would wait for a fault of
    one request. 410 is a refusal of this request; only where the URL is the recipient's own does it say more.
    """
    if status in _CONFIG:
        return Deferred(Reason.AUTH_FAILED, not_before, answer)
    if status == _THROTTLED:
        return Deferred(Reason.THROTTLED, not_before, answer)
    if status in _AGAIN or 500 <= status < 600:  # noqa: PLR2004 - RFC 9110, 15
        return Deferred(Reason.PROVIDER_UNAVAILABLE, not_before, answer)
    if status == _TOO_LARGE:
        return Refused(Reason.CONTENT_REJECTED, answer)
    if 300 <= status < 500:  # noqa: PLR2004 - a redirect is never followed: it would take the secret along
        return Refused(Reason.PROVIDER_REJECTED, answer)
    return Uncertain(answer=answer)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait by Retry-After (seconds or a date), 0 to `MAX_WAIT`; None without a readable one."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), MAX_WAIT)
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(0.0, (until - now).total_seconds()), MAX_WAIT)
