"""What every push provider reads of a message besides its title and text."""

from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Answer, Refused
from notifier.domain.recipients import Platform, PushToken


def token_of(outgoing: Outgoing, platform: Platform) -> PushToken | Refused:
    """The recipient, or why it must not be sent to: a token says nothing to another platform, and is a secret."""
    recipient = outgoing.recipient
    if isinstance(recipient, PushToken) and recipient.platform is platform:
        return recipient
    return Refused(Reason.PROVIDER_REJECTED, Answer(text=f"the recipient is no token of {platform}"))


def collapse_key(outgoing: Outgoing) -> str | None:
    """What a later message of the same key takes the place of (`options.push.collapse_key`)."""
    found = outgoing.options.get("push", {}).get("collapse_key")
    return found if isinstance(found, str) else None


def fold_key(outgoing: Outgoing) -> str:
    """By what a device shows the later of two messages only: the collapse key, else the notification's id.

    So another attempt takes the place of one that had come after all.
    """
    return collapse_key(outgoing) or str(outgoing.id)


def data_of(outgoing: Outgoing) -> dict[str, str]:
    """What goes to the application beside what is shown (`options.push.data`)."""
    found = outgoing.options.get("push", {}).get("data")
    return found if isinstance(found, dict) else {}


def alert_of(outgoing: Outgoing) -> dict[str, str]:
    """What is shown: ``{"title"?, "body"?}``."""
    shown = {"title": outgoing.content.title, "body": outgoing.content.text}
    return {name: text for name, text in shown.items() if text is not None}
