"""A message as a push service wants it (RFC 8030): what is encrypted, and the headers in the clear."""

import base64
import hashlib
import json
from typing import Any

from pywebpush import WebPusher  # type: ignore[import-untyped]

from notifier.domain.notification import Outgoing
from notifier.providers.push import alert_of, collapse_key, data_of

#: What one record of 4096 bytes holds: less its header, the padding's mark and the tag (RFC 8291, 4).
MAX_PLAIN = 3_993
#: Seconds for which push services keep a message at most: 30 days.
_LONGEST_TTL = 2_592_000
#: ``high`` wakes a device that is low on battery; ours are high, medium, low (RFC 8030, 5.3).
_URGENCY = {"high": "high", "medium": "normal", "low": "low"}
_TOPIC = 32


def payload_of(outgoing: Outgoing) -> bytes:
    """What the page's service worker gets: ``{"notification": {"title"?, "body"?}, "data"?: {…}}`` in UTF-8."""
    data = data_of(outgoing)
    payload: dict[str, Any] = {"notification": alert_of(outgoing), **({"data": data} if data else {})}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def encrypted(subscription: dict[str, Any], plain: bytes) -> bytes:
    """`plain` for this subscription's browser alone (RFC 8291, ``aes128gcm``)."""
    return bytes(WebPusher(subscription).encode(plain, "aes128gcm")["body"])


def topic_of(outgoing: Outgoing) -> str:
    """What a later message takes the place of while it waits: 32 characters of base64url (RFC 8030, 5.4).

    By the collapse key, else by the notification: another attempt takes the place of the one before.
    """
    key = collapse_key(outgoing)
    if key is None:
        return outgoing.id.hex[:_TOPIC]
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode("ascii")[:_TOPIC]


def headers_of(outgoing: Outgoing, authorization: str) -> dict[str, str]:
    """TTL is what is left: 0 means now or never."""
    return {
        "Authorization": authorization,
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(max(0, min(_LONGEST_TTL, int(outgoing.seconds_left)))),
        "Topic": topic_of(outgoing),
        "Urgency": _URGENCY[outgoing.priority],
    }
