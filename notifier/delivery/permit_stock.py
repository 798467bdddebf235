"""The permits of one limit that this process holds: the gate decides from them, the keeper fetches more.

Pure but for its lock: the moments are handed in, in seconds of one monotonic clock. A permit that is not used in
its time lapses; what nobody asks for any more returns to the store. While the store is silent the stock
gives from a bucket of its own, this process's part of the limit and a little less.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notifier.delivery.fallback import Fallback
from notifier.delivery.permit_sharing import Sharing
from notifier.domain.limits import Ask, Lease, Limit
from notifier.queueing.broker import NotBefore

#: Between two asks of the store, in leases: less than one, so that permits are there before they are needed.
ASK_EVERY = 0.8
#: A priority that was not asked for within so many leases needs nothing.
_ASKED_WITHIN = 2.0
#: A store that has not answered for so many leases is taken for away.
_SILENT = 4.0
#: Seconds by which a priority asks later than the one above when the store has said when there is a permit: who has a
#: more important message asks first, in whichever process it is. Now and then it is the other way round, or low would
#: starve where high never ends elsewhere.
HEAD_START, _YIELDS = 0.02, 0.75
#: Seconds after which the store is asked again though it said that nothing is due for longer: a person may have
#: changed that.
LOOK_AGAIN = 5.0


@dataclass(eq=False, slots=True)
class Permit:
    """Leave for one unit, usable from `start` to `use_by`."""

    stock: "PermitStock"
    rank: int
    start: float
    use_by: float
    used: bool = False


class PermitStock:
    """One limit in this process. `wake` is called (from any thread) when the keeper has something to do."""

    def __init__(
        self,
        limit: Limit,
        fallback: Fallback,
        *,
        weights: Sequence[float],
        reach: int,
        wake: Callable[[], None],
        slows: bool = True,
    ) -> None:
        self.limit = limit
        #: The bucket for as long as the store is silent.
        self.fallback = fallback
        self._wake = wake
        self._slows = slows
        self._lock = threading.Lock()
        self._permits: deque[Permit] = deque()
        self._sharing = Sharing(weights)
        self._asked_at = [float("-inf")] * len(weights)
        # What is to be told to the store: units used beyond their permits, and what the provider said.
        self._debt = 0
        self._block: float | None = None
        self._blocked_until = self._closed_until = float("-inf")
        # The last lease and its permits: those at its end that were not used can return.
        self._last: Lease | None = None
        self._fresh: list[Permit] = []
        self._sent_at: float | None = None
        self._next_at = float("-inf")
        self._dice = 0.0
        # What this process can use in a lease's time, and how that is learnt.
        self._reach = self._most = reach
        self._used = self._lapsed = 0
        self._dry = self._returned = False

    # What the gate and the attempts ask; each takes about a microsecond.

    def take(self, rank: int, now: float) -> Permit | NotBefore:
        """A permit to start now for a message of this priority (0 is high), or when to ask again."""
        with self._lock:
            self._asked_at[rank] = now
            if now < self._blocked_until:
                return self._held(now)
            self._tidy(now)
            if not self._permits:
                return self._none(rank, now)
            head = self._permits[0]
            if head.start > now:
                return NotBefore(head.start - now)
            if not self._sharing.may(rank, len(self._permits)):
                # The others' share; its own comes with the next lease, and then it is asked again.
                return NotBefore(self.limit.lead)
            self._sharing.took(rank)
            self._used += 1
            head.rank, head.used = rank, True
            return self._permits.popleft()

    def give_back(self, permit: Permit, now: float) -> None:
        """It was not used: another message may have it, as long as its time lasts."""
        with self._lock:
            if now < permit.use_by and now >= self._blocked_until:
                self._permits.appendleft(permit)
                self._sharing.came_back(permit.rank)
                self._used -= 1
                permit.used = False
                self._returned = True
        self._wake()

    def owe(self, units: int) -> None:
        """A message cost so many units more than its permit: paid before anything else starts."""
        with self._lock:
            self._debt += units
        self._wake()

    def block(self, seconds: float, now: float) -> None:
        """The provider said to wait: nothing starts here from now on, and soon nowhere."""
        with self._lock:
            self._block = max(self._block or 0.0, now + seconds)
            self._hold(now + seconds)
        self._wake()

    # What the keeper asks.

    def ask(self, waiting: Sequence[int], now: float, dice: float) -> Ask | None:
        """What to ask of the store now; `waiting` messages are here by priority; None: nothing, or not yet."""
        with self._lock:
            self._tidy(now)
            recent = now - _ASKED_WITHIN * self.limit.lead
            self._sharing.needs = [
                number if at >= recent else 0 for number, at in zip(waiting, self._asked_at, strict=True)
            ]
            if now < self._next_at or self._sent_at is not None:
                return None
            ask = self._what(now, idle=max(self._asked_at) < now - self.limit.lead)
            if ask is not None:
                self._sent_at = now
                # Not all at the same moments: each is to find something now and then.
                self._next_at = now + self.limit.lead * (ASK_EVERY + 0.2 * dice)
                self._dice = dice
            return ask

    def next_look(self, now: float) -> float | None:
        """Seconds until `ask` may have something; None as long as nobody wakes it."""
        with self._lock:
            used = max(self._asked_at) >= now - _ASKED_WITHIN * self.limit.lead
            if not (used or self._fresh or self._debt or self._block or self.fallback.active):
                return None
            closed = 0.0 if self._permits or self._debt or self._block else self._closed_until - now
            return max(self._next_at - now, closed, (1 - ASK_EVERY) * self.limit.lead)

    def answer(self, ask: Ask, lease: Lease, sent_at: float, now: float) -> bool:
        """The store answered what was sent at that moment; whether somebody may start who could not before."""
        with self._lock:
            self._sent_at = None
            self._debt, self._block = self._debt - ask.debt, None if ask.block else self._block
            self.fallback.store_answered(ask, lease, now)
            lifted = False
            if lease.blocked:
                self._hold(now + lease.blocked)
            elif self._block is None:
                lifted = self._blocked_until > now
                self._blocked_until = float("-inf")
            if lease.granted:
                self._last, self._fresh = lease, self._made(lease, sent_at, now)
                self._permits.extend(self._fresh)
            short = lease.granted < ask.wanted
            self._closed_until = now + min(lease.wait, LOOK_AGAIN) if short else float("-inf")
            self._learn()
            self._sharing.share(len(self._permits))
            return lifted or lease.granted > 0

    def failed(self, ask: Ask, now: float) -> bool:
        """The store did not answer; whether that is new."""
        with self._lock:
            self._sent_at = None
            return self.fallback.store_silent(now)

    def take_returned(self) -> bool:
        """Whether a permit came back since the last call: somebody may start."""
        with self._lock:
            returned, self._returned = self._returned, False
            return returned

    def told(self, now: float) -> dict[str, float]:
        """For operators: what is allowed a second, what at the last lease (less after a throttle), seconds held yet."""
        with self._lock:
            rate = 1 / self._last.interval if self._last is not None else self.limit.rate
            return {"limit": self.limit.rate, "rate": rate, "held": max(0.0, self._blocked_until - now)}

    # All below is called with the lock held.

    def _held(self, now: float) -> NotBefore:
        """Blocked. It is looked up now and then, for a person may have lifted it."""
        look = self._closed_until - now
        if look <= 0:
            self._wake()
            look = LOOK_AGAIN
        return NotBefore(min(self._blocked_until - now, look))

    def _none(self, rank: int, now: float) -> NotBefore | Permit:
        self._dry = True
        if self._sent_at is not None and now - self._sent_at > _SILENT * self.limit.lead:
            self.fallback.store_silent(now)
        if self.fallback.active:
            start = self.fallback.take(now)
            if start > now:
                return NotBefore(start - now)
            return Permit(self, rank, now, now + self.limit.lead)
        if now < self._closed_until:
            # It is asked for until then, so that it has its share of what comes.
            self._asked_at[rank] = self._closed_until
            return NotBefore(self._turn(rank) - now)
        self._wake()
        return NotBefore(self.limit.lead, asking=True)

    def _made(self, lease: Lease, sent_at: float, now: float) -> list[Permit]:
        """What the trip took may be before or after the store's moment: the later start, the earlier end."""
        moments = [lease.first + number * lease.interval for number in range(lease.granted)]
        start, end = now - self.limit.tolerance, sent_at + self.limit.lead
        return [Permit(self, 0, start + moment, end + moment) for moment in moments]

    def _turn(self, rank: int) -> float:
        """When the store is asked for this priority, once it has said when there is a permit."""
        place = rank if self._dice < _YIELDS else len(self._asked_at) - 1 - rank
        return self._closed_until + (place + self._dice) * HEAD_START

    def _tidy(self, now: float) -> None:
        """Drop what has lapsed, and pay what is owed."""
        before = len(self._permits)
        while self._permits and self._permits[0].use_by <= now:
            self._permits.popleft()
            self._lapsed += 1
        while self._permits and self._debt:
            self._permits.popleft().used = True
            self._debt -= 1
            self._used += 1
        if self._debt and self.fallback.active:
            self.fallback.owe(self._debt, now)
            self._debt = 0
        if len(self._permits) < before:
            self._sharing.keep_to(len(self._permits))

    def _what(self, now: float, *, idle: bool) -> Ask | None:
        block = self._block - now if self._block is not None else 0.0
        if block <= 0:
            self._block, block = None, 0.0
        if self.fallback.active:
            return Ask(empty=True, debt=self._debt, block=block, slow=self._slows)
        turns = [self._turn(rank) for rank, need in enumerate(self._sharing.needs) if need]
        wanted = self._wanted(now) if turns and now >= min(turns) else 0
        back, last = (self._unused(), self._last) if idle else (0, None)
        if not (wanted or back or self._debt or block):
            return None
        return Ask(
            wanted=wanted,
            debt=self._debt,
            block=block,
            slow=self._slows,
            back=back,
            back_end=last.end if last else 0.0,
            back_interval=last.interval if last else 0.0,
        )

    def _wanted(self, now: float) -> int:
        """For what is here, and what will have come when these are used; no more than can be used."""
        wanted = min(self._reach, sum(self._sharing.needs) + self._used) - len(self._permits)
        return max(0, min(wanted, self.fallback.allowance(now)))

    def _unused(self) -> int:
        """Nobody asks any more: take all permits off; how many at the end of the last lease were never used."""
        unused = 0
        for permit in reversed(self._fresh):
            if permit.used:
                break
            unused += 1
        self._permits.clear()
        self._fresh = []
        self._sharing.share(len(self._permits))
        return unused

    def _learn(self) -> None:
        """Ask for more where all was used and more was wanted, for less where some lapsed."""
        if self._lapsed:
            self._reach = max(1, self._used + self._used // 4 + 1)
        elif self._dry:
            self._reach = min(2 * self._reach, 4 * self._used + self._most)
        self._used = self._lapsed = 0
        self._dry = False

    def _hold(self, until: float) -> None:
        self._blocked_until = max(self._blocked_until, until)
        self._permits.clear()
        self._fresh = []
        self._sharing.share(len(self._permits))
