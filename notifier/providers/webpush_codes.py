"""What a push service's answers mean beyond their status class: a pure table.

Source: RFC 8030 (7.3: a subscription that has ended is 404, or 410), RFC 8292 (4.2: 401 and 403), and the errors of
Mozilla's autopush.
"""

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Refused
from notifier.providers.answer_tables import Row, by_code

ROWS = (
    Row(("404", "410"), Refused(Reason.INVALID_RECIPIENT), "the subscription has ended"),
    Row(("403",), Deferred(Reason.AUTH_FAILED), "the subscription was made for another VAPID key"),
)

CODES = by_code(ROWS)
