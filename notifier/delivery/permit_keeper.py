"""The thread that fetches permits from the store, ahead of the gate and only for messages that are here."""

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping

import structlog

from notifier.delivery.permit_stock import PermitStock
from notifier.delivery.permits import Permits, account_limit, lane_limit
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.limits import Ask, Limit
from notifier.storage.limit_stores import LimitStore

log = structlog.get_logger("notifier.limits")

#: Seconds between two looks at who else was throttled, for accounts without a limit that are in use.
_LOOK_EVERY = 1.0


class PermitKeeper:
    """`waiting()` says how many messages of each lane are here and may start; `reopen(lanes)` has them asked for.

    Nobody is waited for while the store is silent but this thread: the gate goes on from memory.
    """

    def __init__(
        self,
        permits: Permits,
        store: LimitStore,
        *,
        waiting: Callable[[], Mapping[Lane, int]],
        reopen: Callable[[Collection[Lane]], None],
        woken: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._permits = permits
        self._store = store
        self._waiting = waiting
        self._reopen = reopen
        self._woken = woken
        self._clock = clock
        self._dice = dice
        self._looked_at = float("-inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="permits", daemon=True)
        self._lanes = {name: _lanes_of(name) for name in permits.stocks}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is left of the permits lapses."""
        self._stop.set()
        self._woken.set()
        self._thread.join(5.0)

    def turn(self) -> float:
        """Look after every limit once; in how many seconds to do so again, unless woken."""
        waiting = self._waiting() if self._permits.stocks else {}
        opened: set[Lane] = set()
        for name, stock in self._permits.stocks.items():
            lanes = self._lanes[name]
            if self._fetch(stock, [waiting.get(lane, 0) for lane in lanes]) or stock.take_returned():
                opened.update(lanes)
        if opened:
            self._reopen(opened)
        self._look_at_throttled()
        now = self._clock()
        looks = [one for stock in self._permits.stocks.values() if (one := stock.next_look(now)) is not None]
        return min([_LOOK_EVERY, *looks])

    def _run(self) -> None:
        while not self._stop.is_set():
            wait = 1.0
            try:
                self._woken.clear()
                wait = self.turn()
            except Exception:
                # Without it the gate would fall back for ever; say so and go on.
                log.exception("permits_failed")
            self._woken.wait(wait)

    def _fetch(self, stock: PermitStock, waiting: list[int]) -> bool:
        """Ask the store for one limit's permits, if it is time to; whether there are any."""
        sent_at = self._clock()
        ask = stock.ask(waiting, sent_at, self._dice())
        if ask is None:
            return False
        was_away = stock.fallback.active
        try:
            lease = self._store.lease(stock.limit, ask)
        except Exception as error:  # noqa: BLE001 - whatever it is, there was no answer
            if stock.failed(ask, self._clock()):
                log.warning("limit_store_away", limit=stock.limit.name, error=type(error).__name__)
            return True
        found = stock.answer(ask, lease, sent_at, self._clock())
        if was_away and not stock.fallback.active:
            log.info("limit_store_back", limit=stock.limit.name)
        return found

    def _look_at_throttled(self) -> None:
        """Tell of accounts without a limit that were throttled here, and learn of those that were elsewhere."""
        throttled, now = self._permits.throttled, self._clock()
        for name, until in throttled.untold().items():
            if self._tell(name, until - now):
                throttled.told(name, until)
        if now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        used = throttled.used()
        if not used:
            return
        try:
            found = self._store.blocked(used)
        except Exception as error:  # noqa: BLE001 - their own provider tells them too
            log.debug("throttles_unread", error=type(error).__name__)
            return
        throttled.learn(used, found, now)

    def _tell(self, name: str, seconds: float) -> bool:
        if seconds <= 0:
            return True
        try:
            # Without a limit there is nothing to take: only the word is kept.
            self._store.lease(Limit(name, 1.0), Ask(block=seconds))
        except Exception as error:  # noqa: BLE001 - told on the next turn
            log.debug("throttle_untold", limit=name, error=type(error).__name__)
            return False
        return True


def _lanes_of(limit: str) -> tuple[Lane, ...]:
    """The lanes that take from a limit, high first: all of a channel, or one at its own place."""
    for lane in Lane.all(Channel):
        if limit == lane_limit(lane):
            return tuple(Lane(lane.channel, priority) for priority in Priority)
    return tuple(lane for lane in Lane.all(Channel) if limit.startswith(account_limit(lane.channel, "")))
