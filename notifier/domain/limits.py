"""Rate limits as arithmetic: GCRA (ITU-T I.371, the "virtual scheduling" form), taken in leases.

A limit numbers its permits on a line of time, one each `interval`. Whoever takes some moves the line's end
(`Bucket.end`), so no permit is given twice. A permit of moment m may be used from m - `tolerance` (that is
the burst) until m + `lead`; nothing is given that may be used more than `lead` from now. Hence the bound:
used in any window W <= burst + rate x (W + lead), whoever holds the permits and however many they are.

No clock here: `now` is handed in, in seconds of the clock that the bucket is kept by.
"""

import math
from dataclasses import dataclass, replace

#: A bucket's end is never believed to be further ahead than the lead and so many permits: the database's
#: clock may have been set back. No message costs more units.
MOST_DEBT = 1000
#: A limit is slowed to this part of its rate at the least.
LEAST_PACE = 1 / 16
#: Decimals are not exact in binary: a permit that is due in so small a part of its interval is due.
_HAIR = 1e-6


@dataclass(frozen=True, slots=True)
class Limit:
    """What is allowed: a permit each `interval` seconds, `burst` of them at once; `lead` is a lease's worth.

    After a throttle a limit is slowed (`Bucket.pace`); it takes `recovery` seconds from standstill to full.
    """

    name: str
    interval: float
    burst: int = 1
    lead: float = 0.25
    recovery: float = 300.0
    #: Whether a bucket that is missing begins with its burst, and not with that spent: nobody else may have used it.
    starts_full: bool = False

    def __post_init__(self) -> None:
        if not (self.interval > 0 and self.burst >= 1 and self.lead > 0 and self.recovery > 0):
            raise ValueError(
                f"limit {self.name} needs an interval, a lead and a recovery above 0 and a burst of 1"
            )

    @property
    def rate(self) -> float:
        """Permits a second."""
        return 1 / self.interval

    @property
    def tolerance(self) -> float:
        """Seconds by which a permit may be used before its moment."""
        return (self.burst - 1) * self.interval

    @property
    def horizon(self) -> float:
        """Permits of moments up to so many seconds from now may be taken."""
        return self.tolerance + self.lead

    @property
    def beginning(self) -> float:
        """Seconds from now to the end of a bucket that is made anew."""
        return 0.0 if self.starts_full else self.spent

    @property
    def spent(self) -> float:
        """Seconds from now to the end of a bucket of which everything has just been taken."""
        return self.horizon + self.interval


def usual_burst(rate: float) -> int:
    """What a limit of `rate` permits a second may do at once: 0.2 s worth, at least one.

    >>> usual_burst(50.0), usual_burst(0.5)
    (10, 1)
    """
    return max(1, math.floor(0.2 * rate + _HAIR))


@dataclass(frozen=True, slots=True)
class Bucket:
    """The state of one limit: the next permit's moment, who blocked it until when, and how it is slowed."""

    end: float
    blocked_until: float = float("-inf")
    pace: float = 1.0
    paced_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a process asks of a limit at once.

    `wanted` permits; `debt` units that were used beyond their permits; `block` seconds for which the provider
    said to wait, `slow` whether that slows the limit; `empty` after a time in which nobody counted: start with
    the burst spent. `back` permits, the last that were taken up to `back_end`, return unused.
    """

    wanted: int = 0
    debt: int = 0
    block: float = 0.0
    slow: bool = False
    empty: bool = False
    back: int = 0
    back_end: float = 0.0
    back_interval: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The answer: `granted` permits, the first of a moment `first` seconds from now, `interval` apart.

    `wait` is in how many seconds another can be taken, `blocked` for how many the limit is blocked; `end`
    names the lease, so that what remains of it can be given back.
    """

    granted: int
    first: float
    interval: float
    wait: float
    blocked: float = 0.0
    end: float = 0.0


def lease(limit: Limit, bucket: Bucket | None, ask: Ask, now: float) -> tuple[Bucket, Lease]:
    """Take permits; a bucket that is missing is made anew, as a rule with its burst spent."""
    bucket = _blocked(limit, bucket or Bucket(now + limit.beginning, paced_at=now), ask, now)
    interval = limit.interval / pace_of(limit, bucket, now)
    end = min(bucket.end, now + limit.spent + MOST_DEBT * interval)
    if ask.back and ask.back_end == bucket.end:
        # Only the last lease can return: before it others may stand, whose moments are used.
        end -= ask.back * ask.back_interval
    blocked = max(0.0, bucket.blocked_until - now)
    # When a block ends, so does the burst: who was told to slow down does not begin with a rush.
    end = max(end, now, bucket.blocked_until + limit.tolerance if blocked else now)
    end = max(end, now + limit.spent) if ask.empty else end
    end += ask.debt * interval
    room = math.floor((now + limit.horizon - end) / interval + _HAIR) + 1
    granted = max(0, min(ask.wanted, room))
    after = end + granted * interval
    answer = Lease(
        granted=granted,
        first=end - now,
        interval=interval,
        wait=max(0.0, after - limit.horizon - now),
        blocked=blocked,
        end=after,
    )
    return replace(bucket, end=after), answer


def pace_of(limit: Limit, bucket: Bucket, now: float) -> float:
    """The part of its rate that the limit has now; it grows with time."""
    return min(1.0, max(LEAST_PACE, bucket.pace + max(0.0, now - bucket.paced_at) / limit.recovery))


def _blocked(limit: Limit, bucket: Bucket, ask: Ask, now: float) -> Bucket:
    """As the provider wants it; calls that were under way when it said so say it once more, and slow it once."""
    if not ask.block:
        return bucket
    blocked_until = max(bucket.blocked_until, now + ask.block)
    if not ask.slow or bucket.blocked_until > now:
        return replace(bucket, blocked_until=blocked_until)
    return replace(
        bucket,
        blocked_until=blocked_until,
        pace=max(LEAST_PACE, pace_of(limit, bucket, now) / 2),
        paced_at=blocked_until,
    )
