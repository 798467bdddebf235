"""What `notifier bench` sends and when: fixed before the first request, so a slow door can't thin it out. Pure.

An open loop: the n-th request has its moment whatever became of those before it, as independent callers are.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from notifier.domain import simulator
from notifier.domain.lanes import STANDING, Channel, Lane
from notifier.domain.simulator import Ending

#: The most that one run sends, and the most with a live key: a slip must not cost a fortune.
MOST, MOST_LIVE = 200_000, 1_000
_PART = re.compile(r"([a-z]+\.[a-z]+)(?:=([1-9][0-9]{0,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` notifications a second for `seconds`, `batch` of them a request, over the lanes by whole weights."""

    rate: float
    seconds: float
    batch: int
    mix: tuple[tuple[Lane, int], ...]

    @property
    def count(self) -> int:
        """Notifications in all, at least one."""
        return max(1, round(self.rate * self.seconds))

    def requests(self) -> Iterator[tuple[float, tuple[Lane, ...]]]:
        """Each request's moment (seconds from the start) and the lanes of its notifications."""
        lanes = interleaved(self.mix)
        for first in range(0, self.count, self.batch):
            size = min(self.batch, self.count - first)
            yield first / self.rate, tuple(next(lanes) for _ in range(size))


def interleaved(mix: tuple[tuple[Lane, int], ...]) -> Iterator[Lane]:
    """The lanes for ever, each as often as its weight says and as evenly as can be (smooth weighted round robin)."""
    total = sum(weight for _, weight in mix)
    credit = dict.fromkeys((lane for lane, _ in mix), 0)
    while True:
        for lane, weight in mix:
            credit[lane] += weight
        chosen = max(credit, key=credit.__getitem__)
        credit[chosen] -= total
        yield chosen


def parse_mix(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[tuple[Lane, int], ...]:
    """``email.low=6,sms.high`` as lanes with weights; every standing lane alike for None. Raises `BadParameter`."""
    if text is None:
        return tuple((lane, 1) for lane in Lane.all(STANDING))
    known = {lane.name: lane for lane in Lane.all(Channel)}
    found: dict[Lane, int] = {}
    for part in text.split(","):
        matched = _PART.fullmatch(part.strip())
        if matched is None or matched[1] not in known:
            raise click.BadParameter(
                f"{part.strip()!r} must be LANE or LANE=WEIGHT (1 to 9999); lanes: {', '.join(known)}"
            )
        if known[matched[1]] in found:
            raise click.BadParameter(f"{matched[1]} is given twice")
        found[known[matched[1]]] = int(matched[2] or 1)
    return tuple(found.items())


def magic_recipients() -> dict[Channel, dict[str, str]]:
    """By channel, who takes everything and is nobody: what only a test key may send to."""
    token = f"{simulator.TOKEN_PREFIX}{Ending.DELIVERED}"
    phone = next(number for number, ending in simulator.ENDING_OF_PHONE.items() if ending is Ending.DELIVERED)
    return {
        Channel.EMAIL: {"email": f"{Ending.DELIVERED}@{simulator.DOMAIN}"},
        Channel.SMS: {"phone": phone},
        Channel.PUSH: {"push_token": token, "platform": "fcm"},
        Channel.CHAT: {"chat": token},
    }


def body_of(
    number: int, lane: Lane, recipients: Mapping[Channel, Mapping[str, str]], run: str, ttl: int
) -> dict[str, Any]:
    """The request for the run's `number`-th notification; `ttl` ends what a full system could not send."""
    content = {"text": f"notifier bench {number}"}
    if lane.channel is Channel.EMAIL:
        content["subject"] = "notifier bench"
    return {
        "channel": str(lane.channel),
        "priority": str(lane.priority),
        "to": recipients[lane.channel],
        "content": content,
        "reference": run,
        "ttl": ttl,
    }
