"""Which provider account sends next: the gate's grant, unless the request named one."""

from collections.abc import Mapping, Sequence

from notifier.domain.lanes import Channel, Lane
from notifier.queueing.broker import Grant, NotBefore

#: How long, in seconds, a lane without any provider waits until it asks again.
_NO_PROVIDER_WAIT = 5.0


class Router:
    """Each channel's account names in order of preference."""

    def __init__(self, names: Mapping[Channel, Sequence[str]]) -> None:
        self._names = {channel: tuple(names.get(channel, ())) for channel in Channel}

    def names(self, channel: Channel) -> tuple[str, ...]:
        """The accounts of a channel."""
        return self._names[channel]

    def grant(self, lane: Lane) -> Grant | NotBefore:
        """Leave to start one message of `lane` now, through its first account."""
        names = self._names[lane.channel]
        return Grant(names[0]) if names else NotBefore(_NO_PROVIDER_WAIT)

    def choose(self, channel: Channel, wanted: str | None, granted: str | None) -> str | None:
        """The account for one attempt; None if the one that was asked for is no longer configured."""
        names = self._names[channel]
        if wanted is not None:
            return wanted if wanted in names else None
        if granted in names:
            return granted
        return names[0] if names else None
