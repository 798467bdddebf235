"""The requests that are sent: the same for ours and for the peer, the same in every run."""

import json
import random
from collections.abc import Sequence
from typing import Any

from notifier.domain.lanes import Channel, Lane

SEED = 20_241_122
_WORDS = "invoice order parcel ticket meeting table flight room code payment letter reminder".split()


def notification(dice: random.Random, lane: Lane) -> dict[str, Any]:
    """A request such as an application would make, for one lane."""
    number = dice.randrange(10**6)
    words = " ".join(dice.choices(_WORDS, k=12))
    common = {
        "channel": str(lane.channel),
        "priority": str(lane.priority),
        "reference": f"order-{number}",
    }
    if lane.channel is Channel.EMAIL:
        to = {"email": f"reader{number}@example.com", "name": f"Reader {number}"}
        return common | {"to": to, "content": {"subject": f"Your {words[:20]}", "text": f"Hello, {words}."}}
    if lane.channel is Channel.SMS:
        return common | {"to": {"phone": f"+1415555{100 + number % 100:04}"}, "content": {"text": words}}
    token = f"{dice.getrandbits(256):064x}"
    to = {"push_token": token, "platform": "apns"}
    return common | {"to": to, "content": {"title": f"Your {words[:20]}", "text": words}}


def lanes_named(names: str) -> tuple[Lane, ...]:
    """The lanes of a command line (``email.low,sms.high``); all of them for an empty one."""
    return tuple(Lane.parse(name) for name in names.split(",")) if names else Lane.all()


def singles(count: int, seed: int = SEED, lanes: Sequence[Lane] = Lane.all()) -> list[bytes]:
    """`count` requests, over the lanes in turn."""
    dice = random.Random(seed)
    return [_encoded(notification(dice, lanes[number % len(lanes)])) for number in range(count)]


def batches(count: int, size: int, seed: int = SEED, lanes: Sequence[Lane] = Lane.all()) -> list[bytes]:
    """`count` batches of `size` requests each, over the lanes in turn."""
    dice = random.Random(seed)
    return [
        _encoded({"items": [notification(dice, lanes[number % len(lanes)]) for number in range(size)]})
        for _ in range(count)
    ]


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
