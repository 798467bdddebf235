"""What a webhook receiver's answers mean beyond their status class: a pure table.

Source: the Standard Webhooks specification, "Operational considerations" (410: the endpoint is gone, send there no
more). The URL is ours to correct, so a receiver that is gone is taken out as wrong credentials are, and its
messages wait for a better URL until they expire. A 404 may be a deployment; when it lasts the breaker takes it out.
"""

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred
from notifier.providers.answer_tables import Row, by_code

ROWS = (
    Row(
        ("410",),
        Deferred(Reason.AUTH_FAILED),
        "the receiver is gone: taken out at once until its URL is corrected",
    ),
    Row(("404",), Deferred(Reason.PROVIDER_UNAVAILABLE), "nobody is there now; taken out when it lasts"),
)

CODES = by_code(ROWS)
