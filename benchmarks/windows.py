"""Calls in a stretch of time: rates and shares by lane. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

#: (moment in monotonic ns, lane) of each call, in order.
Timeline = list[tuple[int, str]]

SECOND = 1_000_000_000


def timeline(calls: Mapping[str, int], lanes: Mapping[str, str]) -> Timeline:
    """Each call with its lane, the first call first."""
    return sorted((moment, lanes[name]) for name, moment in calls.items())


def rate(calls: Timeline, begin: int, seconds: float, lanes: Collection[str] | None = None) -> float:
    """Calls a second of some lanes (None: of all) in the `seconds` after `begin`."""
    end = begin + int(seconds * SECOND)
    return sum(begin <= moment < end and (lanes is None or lane in lanes) for moment, lane in calls) / seconds


def farthest(calls: Timeline, begin: int, seconds: float, weights: Mapping[str, float]) -> float:
    """How far the lane farthest from its weight's share is from it: 1 is exact, 1.05 is five percent off."""
    end = begin + int(seconds * SECOND)
    counts = Counter(lane for moment, lane in calls if begin <= moment < end)
    number, total = sum(counts.values()), sum(weights.values())
    if not number:
        raise ValueError("no calls in that time")
    off = (abs(counts[lane] / number * total / weight - 1) for lane, weight in weights.items())
    return 1 + max(off)


def fullest(moments: Sequence[int], *, rate: float, burst: float, lease: float) -> float:
    """The greatest part of what a limit allows in a window (burst + rate x (window + lease)) that was taken.

    Of all windows that begin and end with a call; `moments` in order.
    """
    worst = 0.0
    for number, first in enumerate(moments):
        for place in range(number, len(moments)):
            allowed = burst + rate * ((moments[place] - first) / SECOND + lease)
            worst = max(worst, (place - number + 1) / allowed)
    return worst


def last_of(calls: Timeline, lanes: Collection[str]) -> int:
    """The moment of the last call for any of these lanes."""
    return max(moment for moment, lane in calls if lane in lanes)
