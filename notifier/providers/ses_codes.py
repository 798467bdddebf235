"""What the error codes of Amazon SES mean: a pure table. A code stands without the "Exception" at its end.

Sources: Amazon SES API v2 Reference, "SendEmail" (its errors) and "Common Errors"; Amazon SES Developer Guide,
"Amazon SES email sending errors" and "Errors related to the sending quotas" (the texts). One code has many causes,
so some texts go before the code alone; what SES says of an address are the words of the library that reads it.
"""

import re
from collections.abc import Mapping

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Refused
from notifier.providers.answer_tables import Row, by_code

_CONFIG = Deferred(Reason.AUTH_FAILED)
_AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)
_CONTENT = Refused(Reason.CONTENT_REJECTED)
_REJECTED = Refused(Reason.PROVIDER_REJECTED)

#: The quota is one of 24 hours that roll on; SES's own advice is to try again after up to ten minutes.
QUOTA_USED_UP = 600.0

#: SES says what it has to say in a sentence or two.
_LOOKED_AT = 2_000

_WRONG = ("BadRequest", "InvalidParameterValue", "Validation", "ValidationError")
_THROTTLES = ("TooManyRequests", "Throttling", "Throttled", "RequestThrottled", "RequestLimitExceeded")

_BARE = (
    Row(_THROTTLES, Deferred(Reason.THROTTLED), "faster than the account may send"),
    Row(
        ("LimitExceeded",),
        Deferred(Reason.THROTTLED, QUOTA_USED_UP),
        "the quota of 24 hours is used up",
    ),
    Row(
        ("AccountSuspended", "SendingPaused"), _CONFIG, "the account, or its configuration set, may not send"
    ),
    Row(("MailFromDomainNotVerified",), _CONFIG, "the sender's domain is not verified"),
    Row(("NotFound",), _CONFIG, "no such configuration set"),
    Row(
        ("InvalidClientTokenId", "UnrecognizedClient", "MissingAuthenticationToken", "OptInRequired"),
        _CONFIG,
        "an unknown access key, or one that may not use SES",
    ),
    Row(
        ("InvalidSignature", "SignatureDoesNotMatch", "IncompleteSignature"),
        _CONFIG,
        "a wrong secret key or region",
    ),
    Row(
        ("RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"),
        _CONFIG,
        "signed by a clock that is wrong, and SES did not say the time",
    ),
    Row(("ExpiredToken", "InvalidToken"), _CONFIG, "the session token is over or is none"),
    Row(("AccessDenied", "NotAuthorized"), _CONFIG, "the access key may not send"),
    Row(("UnknownOperation", "InvalidAction"), _CONFIG, "the endpoint is not that of SES"),
    Row(
        ("InternalFailure", "InternalServiceError", "InternalServerError", "InternalServer"),
        _AGAIN,
        "an error of SES's",
    ),
    Row(("ServiceUnavailable", "RequestTimeout"), _AGAIN, "SES is away for a moment"),
    Row(("MessageRejected",), _CONTENT, "SES does not send such content"),
    Row(("RequestEntityTooLarge",), _CONTENT, "the message is too large"),
    Row(
        (*_WRONG, "MalformedHttpRequest", "Serialization"),
        _REJECTED,
        "a value in the request is wrong: of this message, not of the account",
    ),
)

#: A text goes before its codes alone.
_SAID = (
    (
        re.compile(r"address(?:es)? (?:is|are) not verified", re.IGNORECASE),
        Row(
            ("MessageRejected", *_WRONG),
            _CONFIG,
            '"address is not verified": the sender is not verified in this region, or the account is in the sandbox',
        ),
    ),
    (
        re.compile(r"sending (?:paused|suspended)|account is (?:paused|suspended|shut down)", re.IGNORECASE),
        Row(("MessageRejected", *_WRONG), _CONFIG, '"sending paused": the account may not send'),
    ),
    (
        re.compile(r"daily (?:message|sending) quota", re.IGNORECASE),
        Row(
            (*_THROTTLES, "MessageRejected"),
            Deferred(Reason.THROTTLED, QUOTA_USED_UP),
            '"daily quota": the quota of 24 hours is used up',
        ),
    ),
    (
        re.compile(r"configuration set\b.{0,200}\bdoes not exist", re.IGNORECASE),
        Row(_WRONG, _CONFIG, '"configuration set does not exist"'),
    ),
    (
        re.compile(r"message length|message size|maximum size", re.IGNORECASE),
        Row(("MessageRejected", *_WRONG), _CONTENT, '"message length": the message is too large'),
    ),
    (
        # Our own senders were checked when they were configured: where one of them is meant, it is not the recipient.
        re.compile(
            r"^(?!.*\b(?:from|source|sender|reply|return)\b).*(?:missing final '@domain'|missing domain"
            r"|missing local name|local address (?:contains|starts|ends)|domain (?:contains|starts|ends)"
            r"|illegal (?:address|character|whitespace|semicolon)|invalid (?:to|recipient|destination|email) address"
            r"|invalid domain name|address blacklisted)",
            re.IGNORECASE | re.DOTALL,
        ),
        Row(
            ("MessageRejected", *_WRONG),
            Refused(Reason.INVALID_RECIPIENT),
            "a text that says what is wrong with the recipient's address",
        ),
    ),
)

#: Everything, as the documentation shows it.
ROWS = (*(row for _, row in _SAID), *_BARE)

CODES: Mapping[str, Row] = by_code(_BARE)


def row_of(code: str, text: str) -> Row | None:
    """The row of a code with its text, None for a code that nobody knows."""
    looked_at = text[:_LOOKED_AT]
    for pattern, row in _SAID:
        if code in row.codes and pattern.search(looked_at):
            return row
    return CODES.get(code)
