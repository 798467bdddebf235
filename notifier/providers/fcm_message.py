"""A message as FCM wants it ("REST Resource: projects.messages"): pure."""

from datetime import datetime
from typing import Any

from notifier.domain.lanes import Priority
from notifier.domain.notification import Outgoing
from notifier.providers.push import alert_of, collapse_key, data_of, fold_key

#: Seconds for which FCM keeps a message that can't be delivered yet: four weeks at most.
_LONGEST_TTL = 2_419_200


def message_of(outgoing: Outgoing, token: str, now: datetime) -> dict[str, Any]:
    """The ``message``: what is shown, the data, and for each platform behind the token how long it may wait.

    Shown at once unless its priority is low: a device that sleeps is woken for it.
    """
    ttl = max(0, min(_LONGEST_TTL, int(outgoing.seconds_left)))
    low = outgoing.priority is Priority.LOW
    fold = fold_key(outgoing)
    # Not the collapse_key for each message: a device that is off is kept four of those only.
    android: dict[str, Any] = {
        "priority": "NORMAL" if low else "HIGH",
        "ttl": f"{ttl}s",
        "notification": {"tag": fold},
    }
    apns = {
        "apns-priority": "5" if low else "10",
        "apns-expiration": str(int(now.timestamp()) + ttl),
        "apns-collapse-id": fold,
    }
    key = collapse_key(outgoing)
    if key is not None:
        android["collapse_key"] = key
    message: dict[str, Any] = {
        "token": token,
        "notification": alert_of(outgoing),
        "android": android,
        "apns": {"headers": apns},
        "webpush": {"headers": {"TTL": str(ttl), "Urgency": "low" if low else "high"}},
    }
    data = data_of(outgoing)
    return {**message, "data": data} if data else message
