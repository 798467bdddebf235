"""Where Twilio is to report what became of a message: the account's own URL with our id, which it then gives back.

Source: Twilio, "Track outbound message status" (parameters of one's own in the callback's URL). Twilio signs the whole
URL, so nobody else can name an id; behind a proxy it is put together again from the id that came.
"""

from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from notifier.domain.ids import notification_id
from notifier.domain.receipts import given_back

NOTIFICATION = "notification"
#: A URL that was told to Twilio has one or two.
_MAX_FIELDS = 100


def callback_of(receipts_url: str, notification: UUID) -> str:
    """The URL that Twilio is told for this notification."""
    parts = urlsplit(receipts_url)
    own = f"{NOTIFICATION}={notification_id(notification)}"
    return parts._replace(query=f"{parts.query}&{own}" if parts.query else own).geturl()


def notification_in(query: str) -> UUID | None:
    """The id in the query that a request came with; None without one, as of what was sent by an older version."""
    try:
        fields = dict(parse_qsl(query, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return None
    return given_back(fields.get(NOTIFICATION))
