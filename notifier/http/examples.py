"""Request bodies that a reader of the document can send as they are; the tests do."""

from typing import Any

_EMAIL: dict[str, Any] = {
    "channel": "email",
    "priority": "high",
    "to": {"email": "ada@example.com", "name": "Ada"},
    "content": {"subject": "Your code", "text": "123456", "html": "<b>123456</b>"},
    "ttl": 300,
    "reference": "order-42",
    "tags": ["checkout"],
    "metadata": {"shop": "acme"},
}
_SMS: dict[str, Any] = {
    "channel": "sms",
    "to": {"phone": "+14155552671"},
    "content": {"text": "Your code: 123456"},
}
_PUSH: dict[str, Any] = {
    "channel": "push",
    "priority": "low",
    "to": {"push_token": "ab" * 32, "platform": "apns"},
    "content": {"title": "Shipped", "text": "Your order is on its way"},
    "options": {"push": {"collapse_key": "order-42", "data": {"order": "42"}}},
}

#: By the type that an operation takes, then by name.
EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "SendRequest": {"email": _EMAIL, "sms": _SMS, "push": _PUSH},
    "BatchRequest": {
        "mixed": {"items": [_EMAIL, _SMS]},
        "defaults": {
            "defaults": {"channel": "sms", "content": _SMS["content"]},
            "items": [{"to": {"phone": "+14155552671"}}, {"to": {"phone": "+447911123456"}}],
        },
    },
    "SearchRequest": {
        "email": {"to": {"email": "ada@example.com"}},
        "sms": {"to": {"phone": "+14155552671"}},
    },
    "ResolveRequest": {"sent": {"as": "sent"}, "resend": {"as": "resend"}},
}
