"""The last messages the console provider was given, for whoever develops against the service.

Only `notifier dev` hands one out (``GET /v1/dev/messages``): it holds content and addresses in memory.
"""

import threading
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifier.domain.attachments import decoded_size
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.notification import Outgoing


@dataclass(frozen=True, slots=True)
class CapturedMessage:
    """One message as the recipient would have got it."""

    at: datetime
    provider: str
    channel: Channel
    reference: str
    outgoing: Outgoing
    #: Its files without their bytes: a thousand messages must not fill the memory.
    files: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(
        cls, at: datetime, provider: str, channel: Channel, reference: str, outgoing: Outgoing
    ) -> "CapturedMessage":
        """What is kept of `outgoing`."""
        files = tuple(
            {
                "filename": one.filename,
                "content_type": one.content_type,
                "bytes": decoded_size(one.data),
            }
            for one in outgoing.content.attachments
        )
        without = replace(outgoing, content=replace(outgoing.content, attachments=()))
        return cls(at, provider, channel, reference, without, files)

    def to_json(self) -> dict[str, Any]:
        """``{"at", "id", "channel", "provider", "reference", "attempt", "to", "content"}``."""
        return {
            "at": self.at.isoformat(),
            "id": notification_id(self.outgoing.id),
            "channel": self.channel.value,
            "provider": self.provider,
            "reference": self.reference,
            "attempt": self.outgoing.attempt,
            "to": self.outgoing.recipient.to_json(),
            "content": {
                **self.outgoing.content.texts,
                **({"attachments": list(self.files)} if self.files else {}),
            },
        }


class Captured:
    """A ring of the last `limit` messages; any thread may add and read."""

    def __init__(self, limit: int = 1000) -> None:
        self._ring: deque[CapturedMessage] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def add(self, message: CapturedMessage) -> None:
        """Keep `message`, forgetting the oldest when full."""
        with self._lock:
            self._ring.append(message)

    def messages(self) -> list[CapturedMessage]:
        """What is kept, newest first."""
        with self._lock:
            return list(reversed(self._ring))

    def __len__(self) -> int:
        with self._lock:
            return len(self._ring)
