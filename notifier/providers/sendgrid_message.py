"""A request to SendGrid's Mail Send as JSON. Pure.

Sources: Twilio SendGrid, "Mail Send" (v3 API reference, POST /v3/mail/send) and its "Errors" (what is reserved, what
may not be empty, text/plain before text/html).
"""

import json
from collections.abc import Mapping
from typing import Any

from notifier.domain.attachments import Attachment
from notifier.domain.errors import RenderError
from notifier.domain.ids import notification_id
from notifier.domain.notification import Content, Outgoing
from notifier.domain.recipients import EmailAddress
from notifier.providers.email_headers import header_value, plain_address, safe
from notifier.providers.email_options import email_options
from notifier.providers.mime import message_id
from notifier.providers.senders import Sender

#: Every event of the message carries it; SendGrid wants no personal data there, and this is none.
NOTIFICATION = "notification_id"
#: Of the headers that SendGrid keeps to itself those that a request may name at all: it refuses the others at the door.
_RESERVED = frozenset({"x-sg-id", "x-sg-eid"})


def message_of(outgoing: Outgoing, sender: Sender, *, sandbox: bool = False) -> bytes:
    """The request's body; raises `RenderError` for what can't become an e-mail."""
    recipient = outgoing.recipient
    if not isinstance(recipient, EmailAddress):
        raise RenderError("the recipient has no e-mail address")
    subject = safe(outgoing.content.subject or "")
    if not subject.strip():
        raise RenderError("SendGrid takes no e-mail without a subject")
    asked = email_options(outgoing.options)
    message: dict[str, Any] = {
        "personalizations": [{"to": [_mailbox(recipient.address, recipient.name)]}],
        "from": _mailbox(sender.address, sender.name),
        "subject": subject,
        "content": _content(outgoing.content),
        "headers": {
            **_own_headers(asked.headers),
            "Message-ID": message_id(outgoing, sender),
            **_unsubscribe(outgoing.unsubscribe_url),
        },
        "custom_args": {NOTIFICATION: notification_id(outgoing.id)},
    }
    if asked.reply_to:
        message["reply_to"] = _mailbox(asked.reply_to.address, asked.reply_to.name)
    if outgoing.content.attachments:
        message["attachments"] = [_file(one) for one in outgoing.content.attachments]
    if outgoing.unsubscribe_url is not None:
        # SendGrid's own link, where the account has it switched on, would lead past our list.
        message["tracking_settings"] = {"subscription_tracking": {"enable": False}}
    if sandbox:
        message["mail_settings"] = {"sandbox_mode": {"enable": True}}
    try:
        return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise RenderError("the content holds a lone surrogate") from None


def _mailbox(address: str, name: str | None) -> dict[str, str]:
    found = {"email": plain_address(address)}
    if name and safe(name).strip():
        found["name"] = name
    return found


def _content(content: Content) -> list[dict[str, str]]:
    wanted = (("text/plain", content.text), ("text/html", content.html))
    found = [{"type": kind, "value": value} for kind, value in wanted if value]
    if not found:
        raise RenderError("an e-mail needs text or html")
    return found


def _own_headers(headers: Mapping[str, object]) -> dict[str, str]:
    reserved = sorted(name for name in headers if name.lower() in _RESERVED)
    if reserved:
        raise RenderError(f"SendGrid keeps the header {reserved[0]} to itself")
    return {name: header_value(name, value) for name, value in headers.items()}


def _unsubscribe(url: str | None) -> dict[str, str]:
    """Both headers of RFC 8058, 3.1."""
    if url is None:
        return {}
    return {"List-Unsubscribe": f"<{safe(url)}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _file(attachment: Attachment) -> dict[str, str]:
    return {
        "content": attachment.data,
        "type": safe(attachment.content_type),
        "filename": safe(attachment.filename),
        "disposition": "attachment",
    }
