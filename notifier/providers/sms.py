"""What every SMS provider reads of a message besides its text and its number."""

from notifier.domain.notification import Outgoing


def own_sender(outgoing: Outgoing) -> str | None:
    """The sender that the request itself asks for (`options.sms.sender_id`), or None."""
    found = outgoing.options.get("sms", {}).get("sender_id")
    return found if isinstance(found, str) and found else None
