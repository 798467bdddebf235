"""What the statuses of Vonage's SMS API mean: a pure table.

Source: Vonage, "Troubleshooting SMS", SMS API error codes, and "API Errors: SMS API" (developer.vonage.com). They
stand in the body of an answer with the HTTP status 200, one for each part of the message.
"""

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Refused
from notifier.providers.answer_tables import Row, by_code

_CONFIG = Deferred(Reason.AUTH_FAILED)
_INVALID = Refused(Reason.INVALID_RECIPIENT)
_REJECTED = Refused(Reason.PROVIDER_REJECTED)

SENT = "0"

ROWS = (
    Row(("1",), Deferred(Reason.THROTTLED), "faster than the account may send"),
    Row(("10",), Deferred(Reason.THROTTLED), "more connections at once than the account may have"),
    Row(("5",), Deferred(Reason.PROVIDER_UNAVAILABLE), "an error of the platform's"),
    Row(("2",), _CONFIG, "a parameter is missing: sender or credentials"),
    Row(("4", "14", "32"), _CONFIG, "wrong credentials, or an account that wants its requests signed"),
    Row(("8", "11"), _CONFIG, "the account is suspended, or not meant for this API"),
    Row(("9",), _CONFIG, "no credit is left"),
    Row(("15",), _CONFIG, "the sender is not allowed there"),
    Row(("23",), _CONFIG, "the URL for receipts is none"),
    Row(("3",), _REJECTED, "a parameter's value is wrong: of this message, not of the account"),
    Row(("6",), _INVALID, "the message can't be processed: mostly an unknown prefix"),
    Row(("33",), _INVALID, "the number is no longer in use"),
    Row(("7",), _REJECTED, "the number is barred"),
    Row(("22",), _REJECTED, "no such network"),
    Row(("29",), _REJECTED, "a trial account may send to its own list of numbers only"),
    Row(("12",), Refused(Reason.CONTENT_REJECTED), "the text is too long"),
)

CODES = by_code(ROWS)

#: They speak of the sender. Where the request chose it, the account is well.
SENDER_CODES = frozenset({"15"})
