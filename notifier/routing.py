"""Which provider account sends next: the gate's grant, unless the request named one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from notifier.domain.lanes import Channel, Lane
from notifier.queueing.broker import Grant, NotBefore

#: How long, in seconds, a lane without any provider waits until it asks again.
_NO_PROVIDER_WAIT = 5.0


class Limits(Protocol):
    """Who knows whether a message of a lane may go to an account now, and from memory."""

    def take(self, lane: Lane, provider: str) -> tuple[Any, ...] | NotBefore:
        """The permits for one message, or when to ask again."""


class NoLimits:
    """Everything may."""

    def take(self, lane: Lane, provider: str) -> tuple[Any, ...] | NotBefore:
        """Nothing is needed."""
        return ()


class Router:
    """Each channel's account names in order of preference, and the limits that they have."""

    def __init__(self, names: Mapping[Channel, Sequence[str]], limits: Limits | None = None) -> None:
        self._names = {channel: tuple(names.get(channel, ())) for channel in Channel}
        self._limits = limits or NoLimits()

    def names(self, channel: Channel) -> tuple[str, ...]:
        """The accounts of a channel."""
        return self._names[channel]

    def grant(self, lane: Lane) -> Grant | NotBefore:
        """Leave to start one message of `lane` now, through the first account whose limit has a permit."""
        soonest = NotBefore(_NO_PROVIDER_WAIT)
        for name in self._names[lane.channel]:
            found = self._limits.take(lane, name)
            if not isinstance(found, NotBefore):
                return Grant(name, found)
            if found.asking:
                return found
            if found.seconds < soonest.seconds:
                soonest = found
        return soonest

    def choose(self, channel: Channel, wanted: str | None, granted: str | None) -> str | None:
        """The account for one attempt; None if the one that was asked for is no longer configured."""
        names = self._names[channel]
        if wanted is not None:
            return wanted if wanted in names else None
        if granted in names:
            return granted
        return names[0] if names else None
