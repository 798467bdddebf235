"""Which provider account may send next: the gate's grant.

A push account serves one platform, and the gate knows only the lane: whoever has read the recipient asks again for
its platform where the grant is of another. A chat's recipient is an account: there the gate only says whether a
message may be looked at, and whoever has read it asks for that one (`grant_of`).
"""

import threading
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from notifier.domain.lanes import Channel, Lane
from notifier.domain.push_tokens import Platform
from notifier.queueing.broker import Grant, NotBefore

#: Seconds until a lane asks again that has no provider, or none that is well: whoever learns better wakes it.
_NO_PROVIDER_WAIT = 5.0

#: Channels whose recipients name the account that is to send to them.
_NAMED = frozenset({Channel.CHAT})

#: The names of each channel's accounts in their order; the weight of one, None where its URL gives none.
Accounts = Mapping[Channel, Mapping[str, int | None]]
#: Whose tokens each push account can send to, by its name; None, or no entry: those of every platform.
Served = Mapping[str, frozenset[Platform] | None]


class Leave(Enum):
    """Whether an account may be called: not now, as usual, or once, to find out whether it is well again."""

    NO = "no"
    USUAL = "usual"
    PROBE = "probe"


class Limits(Protocol):
    """Who knows whether a message of a lane may go to an account now, and from memory."""

    def take(self, lane: Lane, provider: str) -> tuple[Any, ...] | NotBefore:
        """The permits for one message, or when to ask again."""


class Breakers(Protocol):
    """Who knows which accounts are well, and from memory."""

    def leave(self, channel: Channel, name: str) -> Leave:
        """For one call; a probe that is not made is handed back by `unused`."""

    def unused(self, channel: Channel, name: str) -> None:
        """The probe was not made."""


class NoLimits:
    """Everything may."""

    def take(self, lane: Lane, provider: str) -> tuple[Any, ...] | NotBefore:
        """Nothing is needed."""
        return ()


class NoBreakers:
    """Every account is well."""

    def leave(self, channel: Channel, name: str) -> Leave:
        """Always."""
        return Leave.USUAL

    def unused(self, channel: Channel, name: str) -> None:
        """Nothing was taken."""


class Turns:
    """The order in which a channel's accounts are asked: by weight in turn, then those without one as listed.

    Smooth weighted round robin (nginx's): of every sum of weights each gets its part, as evenly spread as can be.
    """

    def __init__(self, weights: Mapping[str, int | None]) -> None:
        self._weights = {name: weight for name, weight in weights.items() if weight is not None}
        self._others = tuple(name for name in weights if name not in self._weights)
        self._total = sum(self._weights.values())
        self._current = dict.fromkeys(self._weights, 0)
        self.names = tuple(weights)

    def order(self) -> Sequence[str]:
        """Whom to ask first, second and so on."""
        if not self._weights:
            return self.names
        ahead = {name: self._current[name] + weight for name, weight in self._weights.items()}
        return (*sorted(ahead, key=lambda name: -ahead[name]), *self._others)

    def took(self, name: str) -> None:
        """The message goes to this one; who was passed over is not owed more than one round."""
        if name not in self._weights:
            return
        for one, weight in self._weights.items():
            self._current[one] = min(self._current[one] + weight, self._total)
        self._current[name] -= self._total


class Router:
    """Each channel's accounts in order of preference, whether they are well, and the limits that they have.

    `grant` is asked by one thread at a time, `grant_for` by any.
    """

    def __init__(
        self,
        accounts: Accounts,
        limits: Limits | None = None,
        breakers: Breakers | None = None,
        served: Served | None = None,
    ) -> None:
        self._turns = {channel: Turns(accounts.get(channel, {})) for channel in Channel}
        self._served = served or {}
        push = accounts.get(Channel.PUSH, {})
        self._platforms = {
            platform: Turns({name: weight for name, weight in push.items() if self._serves(name, platform)})
            for platform in Platform
        }
        self._lock = threading.Lock()
        self._limits = limits or NoLimits()
        self._breakers = breakers or NoBreakers()

    def names(self, channel: Channel, platform: Platform | None = None) -> tuple[str, ...]:
        """The accounts of a channel; with `platform` those that can send to its tokens."""
        return self._turns[channel].names if platform is None else self._platforms[platform].names

    def grant(self, lane: Lane) -> Grant | NotBefore:
        """Leave to start one message of `lane` now, through the first account that is well and has a permit."""
        turns = self._turns[lane.channel]
        if lane.channel in _NAMED:
            return self._unnamed(lane, turns.names)
        found = self._first(lane, turns.order())
        if isinstance(found, Grant):
            turns.took(found.provider)
        return found

    def grant_for(self, lane: Lane, platform: Platform) -> Grant | NotBefore:
        """The same among the accounts that serve `platform`."""
        turns = self._platforms[platform]
        with self._lock:
            order = turns.order()
        found = self._first(lane, order)
        if isinstance(found, Grant):
            with self._lock:
                turns.took(found.provider)
        return found

    def grant_of(self, lane: Lane, name: str) -> Grant | NotBefore:
        """Leave to send one message of `lane` through this account now."""
        leave = self._breakers.leave(lane.channel, name)
        if leave is Leave.NO:
            return NotBefore(_NO_PROVIDER_WAIT)
        found = self._limits.take(lane, name)
        if isinstance(found, NotBefore):
            if leave is Leave.PROBE:
                self._breakers.unused(lane.channel, name)
            return found
        return Grant(name, found, probe=leave is Leave.PROBE)

    def _unnamed(self, lane: Lane, names: Sequence[str]) -> Grant | NotBefore:
        """Leave to look at one message as long as any account is well; the permits are the lane's own alone.

        Each account is asked, so that each that is out is probed in its turn.
        """
        leaves = {name: self._breakers.leave(lane.channel, name) for name in names}
        for name, leave in leaves.items():
            if leave is Leave.PROBE:
                self._breakers.unused(lane.channel, name)
        if all(leave is Leave.NO for leave in leaves.values()):
            return NotBefore(_NO_PROVIDER_WAIT)
        found = self._limits.take(lane, "")
        return found if isinstance(found, NotBefore) else Grant("", found)

    def _first(self, lane: Lane, order: Sequence[str]) -> Grant | NotBefore:
        soonest = NotBefore(_NO_PROVIDER_WAIT)
        for name in order:
            found = self.grant_of(lane, name)
            if isinstance(found, Grant) or found.asking:
                return found
            if found.seconds < soonest.seconds:
                soonest = found
        return soonest

    def _serves(self, name: str, platform: Platform) -> bool:
        platforms = self._served.get(name)
        return platforms is None or platform in platforms
