"""`?strict=true`: what would be accepted and then not sent is refused at the door.

It looks once, before anything is kept. Who is suppressed between that and the send is still not sent to: the claim
looks again.
"""

from aiohttp import web

from notifier.domain.errors import FieldError, InvalidFields
from notifier.domain.notification import NewNotification
from notifier.domain.recipients import address_key
from notifier.http.parts import CALLER, read
from notifier.storage import suppression_list
from notifier.storage.notifications import search_hash
from notifier.storage.suppression_list import Whom


async def refuse_suppressed(request: web.Request, notification: NewNotification) -> None:
    """Raises `InvalidFields` if nothing is sent to its recipient any more, `Unavailable` if that can't be known."""
    tenant, recipient = request[CALLER].tenant, notification.recipient
    whom = Whom(tenant, recipient.channel, search_hash(tenant, address_key(recipient)))
    reason = await read(request, suppression_list.reason_for, whom, notification.topic)
    if reason is not None:
        raise InvalidFields([FieldError("/to", "suppressed", f"nothing is sent to this recipient: {reason}")])
