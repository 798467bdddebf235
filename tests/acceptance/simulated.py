"""What a test key may send, and how each of it ends: the same from every outer door."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from notifier.domain.lanes import Channel
from notifier.domain.simulator import Ending
from tests.nodes.waiting import wait_until

#: Each ending's last state and reason, and what its attempts were, where a call may take 2 seconds at the longest.
EXPECTED: dict[Ending, tuple[str, str | None, list[str]]] = {
    Ending.DELIVERED: ("delivered", None, ["accepted"]),
    Ending.BOUNCE: ("failed", "invalid_recipient", ["refused"]),
    Ending.SOFT_BOUNCE: ("delivered", None, ["deferred", "deferred", "accepted"]),
    Ending.COMPLAINT: ("delivered", None, ["accepted"]),
    Ending.TIMEOUT: ("failed", "uncertain", ["uncertain"] * 3),
    Ending.THROTTLED: ("delivered", None, ["deferred", "accepted"]),
    Ending.SLOW: ("failed", "uncertain", ["uncertain"] * 3),
    Ending.UNDELIVERED: ("undelivered", "unreachable_recipient", ["accepted"]),
}
_CONTENT = {"email": {"subject": "Hello", "text": "World"}}
_FINAL = {"sent", "failed", "expired", "suppressed", "cancelled", "delivered", "undelivered"}


def to_of(channel: Channel, ending: Ending) -> dict[str, str]:
    """The magic recipient of a channel."""
    match channel:
        case Channel.EMAIL:
            return {"email": f"{ending}@simulator.notifier"}
        case Channel.SMS:
            return {"phone": f"+44770090000{list(Ending).index(ending)}"}
        case Channel.PUSH:
            return {"push_token": f"simulator-{ending}", "platform": "apns"}
        case Channel.CHAT:
            return {"chat": f"simulator-{ending}"}


def request_of(channel: Channel, to: dict[str, str]) -> dict[str, object]:
    """A small request for the channel's high lane."""
    content = _CONTENT.get(str(channel), {"text": "World"})
    return {"channel": str(channel), "priority": "high", "to": to, "content": content}


class Client:
    """Someone with a key, at a door."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key

    def ask(self, path: str, body: object = None) -> Any:
        """What a route answers."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, headers=headers, data=data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def send(self, channel: Channel, to: dict[str, str], **more: object) -> str:
        """Post one; its id."""
        return str(self.ask("/v1/notifications", request_of(channel, to) | more)["id"])

    def status_of(self, channel: Channel, to: dict[str, str]) -> int:
        """What the door answers to one that may be refused."""
        try:
            self.send(channel, to)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        return 202

    def ended(self, made: str, timeout: float = 60) -> dict[str, Any]:
        """It, once it has come to its end; what a test key has sent, once its receipt is there."""
        show: Callable[[], dict[str, Any]] = lambda: self.ask(f"/v1/notifications/{made}")  # noqa: E731

        def is_ended() -> bool:
            shown = show()
            awaited = {"sent"} if shown["mode"] == "test" else set()
            return shown["status"] in _FINAL - awaited

        wait_until(is_ended, timeout, f"the end of {made}")
        return show()


def told(shown: dict[str, Any]) -> tuple[str, str | None, list[str]]:
    """A notification's end as `EXPECTED` has it; every attempt was the simulator's."""
    assert {one["provider"] for one in shown["attempts"]} == {"simulator"}
    return shown["status"], shown["reason"], [one["outcome"] for one in shown["attempts"]]
