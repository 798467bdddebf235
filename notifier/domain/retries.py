"""When to try again, and when to give up: a pure policy over values.

Waits grow as ``base * 2^(attempt-1)`` up to a cap with full jitter (each wait is drawn from zero to
that bound: Brooker, "Exponential Backoff And Jitter", 2015), by priority. A provider's Retry-After is
never undercut. The notification's expiry is the only general end; a reason's row may cap its tries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason

#: Seconds between two tries at the least, whatever the dice say: a wait of nothing is a busy loop.
MIN_WAIT = 0.1

#: Seconds that a notification lives unless its request says otherwise.
DEFAULT_TTL: Mapping[Priority, int] = MappingProxyType(
    {Priority.HIGH: 3_600, Priority.MEDIUM: 86_400, Priority.LOW: 259_200}
)

#: Reasons another try may cure. Every other one ends the notification at once.
TRANSIENT = frozenset(
    {
        Reason.PROVIDER_UNAVAILABLE,
        Reason.PROVIDER_TIMEOUT,
        Reason.THROTTLED,
        Reason.AUTH_FAILED,
        Reason.UNCERTAIN,
    }
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Waits of `base` * 2^n seconds up to `cap`; at most `max_tries` attempts (None: until expiry)."""

    base: float
    cap: float
    max_tries: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.cap:
            raise ValueError("a schedule needs 0 < base <= cap")
        if self.max_tries is not None and self.max_tries < 1:
            raise ValueError("a schedule needs at least one try")

    def bound(self, attempt: int) -> float:
        """The longest wait after the attempt of this number (1 is the first), in seconds."""
        # 2^64 base units are past every cap, and an exponent without end overflows a float.
        return min(self.cap, self.base * 2.0 ** min(max(attempt, 1) - 1, 64))


@dataclass(frozen=True, slots=True)
class RuleKey:
    """What a rule is for: a reason, of one channel and one priority or of all (None)."""

    reason: Reason
    channel: Channel | None = None
    priority: Priority | None = None

    def __str__(self) -> str:
        """As Settings name it: ``email.high.throttled``."""
        return ".".join(str(part) for part in (self.channel, self.priority, self.reason) if part is not None)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of ``[channel.][priority.]reason``; raises `ValueError` for anything else."""
        *before, reason = text.split(".")
        channel = Channel(before.pop(0)) if before and before[0] in set(Channel) else None
        priority = Priority(before.pop(0)) if before else None
        if before or Reason(reason) not in TRANSIENT:
            raise ValueError(text)
        return cls(Reason(reason), channel, priority)


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further try. `EXPIRED` makes the notification expired, any other reason failed."""

    reason: Reason


Decision = Wait | GiveUp


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What follows an attempt that did not succeed.

    A row of `by_reason` goes before `by_priority`, and the one that says most goes before the others: for the
    lane, for the channel, for the priority, for the reason alone. What a row does not name it holds for all of.
    `max_resends` bounds how often what may have been sent is sent again.
    """

    by_priority: Mapping[Priority, Schedule]
    by_reason: Mapping[RuleKey, Schedule] = field(default_factory=dict)
    max_resends: int = 2

    def schedule(self, channel: Channel, priority: Priority, reason: Reason) -> Schedule:
        """The row that holds for such an ending."""
        for key in (
            RuleKey(reason, channel, priority),
            RuleKey(reason, channel),
            RuleKey(reason, priority=priority),
            RuleKey(reason),
        ):
            row = self.by_reason.get(key)
            if row is not None:
                return row
        return self.by_priority[priority]

    def decide(
        self,
        channel: Channel,
        priority: Priority,
        reason: Reason,
        attempt: int,
        *,
        jitter: float,
        not_before: float | None = None,
        seconds_left: float,
        uncertain: int | None = None,
    ) -> Decision:
        """Wait or give up after attempt `attempt` (1 is the first) ended for `reason`.

        `jitter` is in [0, 1); `not_before` and `seconds_left` (until expiry) are in seconds from now;
        `uncertain` is how many attempts, this one among them, ended uncertain (None: all of them).
        """
        if reason not in TRANSIENT:
            return GiveUp(reason)
        if reason is Reason.UNCERTAIN and (attempt if uncertain is None else uncertain) > self.max_resends:
            return GiveUp(Reason.UNCERTAIN)
        row = self.schedule(channel, priority, reason)
        if row.max_tries is not None and attempt >= row.max_tries:
            return GiveUp(Reason.RETRIES_EXHAUSTED)
        wait = max(MIN_WAIT, jitter * row.bound(attempt), not_before or 0.0)
        return Wait(wait) if wait < seconds_left else GiveUp(Reason.EXPIRED)


#: Wrong credentials are mended by a person, and the attempt's number does not grow with them: each
#: priority waits as long, so that nobody knocks every second at a door that stays shut.
BY_REASON: Mapping[RuleKey, Schedule] = MappingProxyType(
    {RuleKey(Reason.AUTH_FAILED): Schedule(base=60, cap=60)}
)

DEFAULT_POLICY = RetryPolicy(
    by_priority=MappingProxyType(
        {
            Priority.HIGH: Schedule(base=1, cap=60),
            Priority.MEDIUM: Schedule(base=10, cap=600),
            Priority.LOW: Schedule(base=60, cap=3_600),
        }
    ),
    by_reason=BY_REASON,
)


def spends_attempt(reason: Reason) -> bool:
    """Whether an attempt that ended for `reason` counts.

    Wrong credentials are nobody's attempt. A provider's 429 is one that was made; a wait for a permit
    never comes here, because nothing was sent.
    """
    return reason is not Reason.AUTH_FAILED
