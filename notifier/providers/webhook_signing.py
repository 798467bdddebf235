"""How a webhook is signed, and its body: the Standard Webhooks specification, "Signature scheme". Pure.

The signed content is ``id.timestamp.body`` with the very bytes that are sent; HMAC-SHA256; a secret has 24 to 64 random
bytes and is written ``whsec_`` and base64. While a secret is changed there are two, and a signature by each.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence

from notifier.domain.ids import notification_id, time_of
from notifier.domain.notification import Outgoing
from notifier.providers.chat import format_of


def body_of(outgoing: Outgoing) -> bytes:
    """The same bytes in every attempt: ``{"type", "timestamp", "data": {"id", "title"?, "text", "format", "priority"}}``.

    `timestamp` is when the notification was accepted.
    """
    content = outgoing.content
    data = {
        "id": notification_id(outgoing.id),
        **({"title": content.title} if content.title is not None else {}),
        "text": content.text or "",
        "format": format_of(outgoing),
        "priority": str(outgoing.priority),
    }
    made = {"type": "notification.chat", "timestamp": time_of(outgoing.id).isoformat(), "data": data}
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secret: bytes, name: str, now: int, body: bytes) -> str:
    """One signature as it stands in the header: ``v1,`` and base64."""
    digest = hmac.digest(secret, f"{name}.{now}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode("ascii")


def headers_of(outgoing: Outgoing, body: bytes, secrets: Sequence[bytes], now: int) -> dict[str, str]:
    """`now` in seconds since 1970 is the attempt's; the id is the notification's, by which a receiver knows a copy."""
    name = notification_id(outgoing.id)
    signatures = [signature(secret, name, now, body) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signatures),
    }
