"""What a request asks of its e-mail besides the content (``options.email``), as every e-mail provider reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.domain.errors import RenderError
from notifier.providers.senders import Sender, parse_sender

_CHANNELS = frozenset({"email", "sms", "push", "chat"})


@dataclass(frozen=True, slots=True)
class EmailOptions:
    """Who answers go to, and the caller's own headers: their names and values are not checked yet."""

    reply_to: Sender | None = None
    headers: Mapping[str, object] = field(default_factory=dict)


def email_options(options: Mapping[str, Any]) -> EmailOptions:
    """What ``{"email": {"reply_to", "headers"}}`` asks for; raises `RenderError`, for nothing in it is ignored."""
    if not options.keys() <= _CHANNELS:
        raise RenderError("the options are by channel: email, sms, push, chat")
    mine = options.get("email") or {}
    if not mine.keys() <= {"reply_to", "headers"}:
        raise RenderError("the options of e-mail are reply_to and headers")
    reply_to = mine.get("reply_to")
    try:
        reply = parse_sender(reply_to) if reply_to else None
    except ValueError:
        raise RenderError("reply_to is no e-mail address") from None
    return EmailOptions(reply, mine.get("headers") or {})
