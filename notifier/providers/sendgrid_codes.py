"""What SendGrid's answers to Mail Send mean: a pure table.

Sources: Twilio SendGrid, "Mail Send: Errors" (each field and its messages, HTTP 400), "v3 API: Errors" (the statuses),
"Sender Identity" (403 for a sender that is not verified), "Rate Limits". SendGrid has no codes of its own: a code here is the HTTP
status, with the request's field behind it where the answer names one, without the numbers in it (of
``personalizations.0.to.0.email`` remains ``personalizations.to.email``). A row for a field speaks of all below it.
"""

from collections.abc import Mapping, Sequence

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Refused
from notifier.providers.answer_tables import Row, by_code
from notifier.providers.http_answers import code_of
from notifier.providers.http_outcomes import MAX_WAIT

_CONFIG = Deferred(Reason.AUTH_FAILED)
_CONTENT = Refused(Reason.CONTENT_REJECTED)

ROWS = (
    Row(("401",), _CONFIG, "no valid API key, or no credits left"),
    Row(("403",), _CONFIG, "the key may not send, the sender is not verified, or too many bad requests"),
    Row(("451",), _CONFIG, "not to be had in this region, by the account's data residency"),
    Row(("429",), Deferred(Reason.THROTTLED), "more requests than the account may make"),
    Row(("400 from",), _CONFIG, "the sender is no address that SendGrid takes"),
    Row(
        ("400 personalizations.to",),
        Refused(Reason.INVALID_RECIPIENT),
        "the recipient is no address that SendGrid takes",
    ),
    Row(
        ("400 subject", "400 content", "400 attachments"), _CONTENT, "a part of the content it does not take"
    ),
    Row(("413", "415"), _CONTENT, "more than 30 MB, or no valid UTF-8"),
)

CODES = by_code(ROWS)

THROTTLED = 429
#: 2001-09-09, the first moment of ten digits.
_MOMENTS = 1e9


def judged(status: int, fields: Sequence[str]) -> tuple[str, Row | None]:
    """The code that counts and its row, if it has one. `fields` are those of all errors in the answer.

    What is ours to mend goes before what speaks of this message: once mended, the rest is said again.
    """
    codes = [code for field in fields if (code := _code(status, field))] or [str(status)]
    found = [(code, _row(code)) for code in codes]
    mine = [one for one in found if one[1] is not None and isinstance(one[1].outcome, Deferred)]
    known = [one for one in found if one[1] is not None]
    return (mine or known or found)[0]


def until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until a limit that is used up begins anew, 0 to `MAX_WAIT`; None where nothing is said.

    X-RateLimit-Reset is a moment in seconds since 1970; what can't be one is taken for the seconds to wait.
    """
    said = headers.get("x-ratelimit-reset", "").strip()
    if not (said.isascii() and said.isdigit()):
        return None
    number = float(said[:12])
    return min(max(0.0, number - now if number >= _MOMENTS else number), MAX_WAIT)


def _code(status: int, field: str) -> str | None:
    named = ".".join(part for part in field.split(".") if not part.isdigit())
    word = code_of(named)
    return f"{status} {word}" if word else None


def _row(code: str) -> Row | None:
    """The row of the code itself, of what its field is part of, or of its bare status."""
    while code:
        if code in CODES:
            return CODES[code]
        field = code.rpartition(".")[0]
        code = field or code.rpartition(" ")[0]
    return None
