"""The limits of a worker process, as the gate and the attempts ask for them; all answers come from memory.

Each provider account has a limit or none, and each lane may have one besides: a message needs a permit of
every limit on its way. An account without a limit is held too when its provider says to wait.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import structlog

from notifier.delivery.permit_stock import LOOK_AGAIN, Permit, PermitStock
from notifier.delivery.throttled import Throttled
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Outcome
from notifier.queueing.broker import Grant, NotBefore
from notifier.telemetry.metrics import PERMIT_WAIT
from notifier.telemetry.tally import CLOSED, Tally

log = structlog.get_logger("notifier.limits")

#: Seconds for which a throttle holds that does not say until when.
UNSAID = 1.0
_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


def account_limit(channel: Channel, provider: str) -> str:
    """The name of a provider account's limit: accounts are named within their channel."""
    return f"{channel}/{provider}"


def lane_limit(lane: Lane) -> str:
    """The name of a lane's own limit."""
    return f"lane/{lane.name}"


class Permits:
    """What the router asks (`take`) and the attempts (`renewed`, `give_back`, `charge`, `heard`); any thread.

    `wake` is called when an account without a limit was throttled and the others are to be told.
    """

    def __init__(
        self,
        stocks: Mapping[str, PermitStock] | None = None,
        accounts: Mapping[Channel, Iterable[str]] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], None] = lambda: None,
        tally: Tally = CLOSED,
    ) -> None:
        self._tally = tally
        #: Whose message waits for a permit: since when, and when it last asked.
        self._waits: dict[tuple[Lane, str], tuple[float, float]] = {}
        #: How long the wait that ended last was, for the spans of whoever was let through.
        self.waited: dict[tuple[Lane, str], float] = {}
        self.stocks = dict(stocks or {})
        self.throttled = Throttled()
        self._clock = clock
        self._wake = wake
        #: The limits on the way of a lane's message to a provider, and the account's name if it has none.
        self._ways: dict[tuple[Lane, str], tuple[tuple[PermitStock, ...], str]] = {}
        for lane in Lane.all(Channel):
            for provider in (accounts or {}).get(lane.channel, ()):
                self._ways[lane, provider] = self._way(lane, provider)

    def take(self, lane: Lane, provider: str) -> tuple[Permit, ...] | NotBefore:
        """A permit of each limit on the way, or when to ask again; nothing is kept of half a way."""
        stocks, free = self._ways.get((lane, provider)) or self._way(lane, provider)
        held = free and self.throttled.held(free)
        if not (stocks or held):
            return ()
        now = self._clock()
        if held and (until := self.throttled.until(free)) > now:
            self._waiting(lane, provider, now)
            return NotBefore(min(until - now, LOOK_AGAIN))
        taken: list[Permit] = []
        for stock in stocks:
            found = stock.take(_RANKS[lane.priority], now)
            if isinstance(found, NotBefore):
                for permit in taken:
                    permit.stock.give_back(permit, now)
                self._waiting(lane, provider, now)
                return found
            taken.append(found)
        if self._waits:
            self._waited(lane, provider, now)
        return tuple(taken)

    def renewed(self, lane: Lane, grant: Grant) -> Grant | NotBefore:
        """A grant that may be used now: the one that came, as long as its time lasts, else with new permits."""
        now = self._clock()
        if all(now <= permit.use_by for permit in grant.permits):
            return grant
        self.give_back(grant)
        found = self.take(lane, grant.provider)
        return found if isinstance(found, NotBefore) else replace(grant, permits=found)

    def give_back(self, grant: Grant | None) -> None:
        """It was not used. Safe to call for one without permits, and twice only for different grants."""
        if grant is None or not grant.permits:
            return
        now = self._clock()
        for permit in grant.permits:
            permit.stock.give_back(permit, now)

    def charge(self, grant: Grant, units: int) -> None:
        """The message costs so many units: what is more than its permit is owed."""
        if units > 1:
            for permit in grant.permits:
                permit.stock.owe(units - 1)

    def heard(self, channel: Channel, provider: str, outcome: Outcome) -> None:
        """How the call ended: a throttle holds the account, here at once and elsewhere soon."""
        if not isinstance(outcome, Deferred) or outcome.reason is not Reason.THROTTLED:
            return
        if outcome.one_connection:
            return
        name, seconds = account_limit(channel, provider), outcome.not_before or UNSAID
        log.warning("limit_throttled", limit=name, seconds=round(seconds, 3))
        now = self._clock()
        if name in self.stocks:
            self.stocks[name].block(seconds, now)
        else:
            self.throttled.hold(name, now + seconds)
            self._wake()

    def report(self) -> dict[str, dict[str, float]]:
        """``{"email/ses": {"limit": 14.0, "rate": 7.2, "held": 0.0}}``; without a limit only what is held is told."""
        now, found = self._clock(), {}
        for stocks, free in self._ways.values():
            for stock in stocks:
                found[stock.limit.name] = {name: round(value, 3) for name, value in stock.told(now).items()}
            if free and (held := self.throttled.until(free) - now) > 0:
                found[free] = {"held": round(held, 3)}
        return found

    def _waiting(self, lane: Lane, provider: str, now: float) -> None:
        since, asked = self._waits.get((lane, provider), (now, now))
        # Who waits asks again and again: after a pause it is another message.
        self._waits[lane, provider] = (now if now - asked > LOOK_AGAIN + 1 else since, now)

    def _waited(self, lane: Lane, provider: str, now: float) -> None:
        since, asked = self._waits.pop((lane, provider), (now, now))
        if since < now and now - asked <= LOOK_AGAIN + 1:
            self.waited[lane, provider] = now - since
            self._tally.add(PERMIT_WAIT, (str(lane.channel), provider), now - since)

    def _way(self, lane: Lane, provider: str) -> tuple[tuple[PermitStock, ...], str]:
        account = account_limit(lane.channel, provider)
        stocks = (self.stocks.get(name) for name in (lane_limit(lane), account))
        return tuple(one for one in stocks if one is not None), "" if account in self.stocks else account
