"""A notification as it is asked for, and as the worker holds it while it sends."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from notifier.domain.attachments import Attachment
from notifier.domain.lanes import Lane, Priority
from notifier.domain.lifecycle import Mode, OnUncertain
from notifier.domain.recipients import Recipient

#: The version of the queue message this code writes; it reads this one and the one before.
MESSAGE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What the recipient reads.

    E-mail: `subject` with `text`, `html` or both, and files. SMS: `text`. Push: `text` and, mostly, a `title`.
    Chat: `text` and maybe a `title`.
    """

    subject: str | None = None
    title: str | None = None
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()

    @property
    def texts(self) -> dict[str, str]:
        """The texts that are set."""
        fields = {"subject": self.subject, "title": self.title, "text": self.text, "html": self.html}
        return {name: value for name, value in fields.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """The fields that are set, as they are stored."""
        files = [one.to_json() for one in self.attachments]
        return {**self.texts, "attachments": files} if files else dict(self.texts)


class NewNotification(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request for one notification: everything in it is already true.

    `send_at` is None for now; `ttl` is in seconds and None for the priority's default; `units` is
    what a limit is charged (SMS segments, else 1). A struct: a frozen dataclass of so many fields takes five times as
    long to make, and every request makes one.
    """

    tenant: str
    api_key: str
    lane: Lane
    recipient: Recipient
    content: Content
    mode: Mode = Mode.LIVE
    units: int = 1
    send_at: datetime | None = None
    ttl: int | None = None
    topic: str | None = None
    reference: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    on_uncertain: OnUncertain = OnUncertain.RESEND
    provider: str | None = None
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    batch_id: UUID | None = None
    traceparent: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One rendered message for one recipient: all a provider is ever given.

    `id` is stable over all attempts: use it as idempotency token, Message-ID, collapse id.
    `seconds_left` is what remains until the notification expires. `unsubscribe_url` is where the reader of an
    e-mail leaves its topic with one click (RFC 8058), None where it has none.
    """

    id: UUID
    recipient: Recipient
    content: Content
    options: dict[str, Any] = field(default_factory=dict)
    seconds_left: float = 3600.0
    unsubscribe_url: str | None = None
    attempt: int = 1
    priority: Priority = Priority.MEDIUM
