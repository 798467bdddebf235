"""How many threads each lane is due: weighted max-min shares of what there is, and budgets that do not flap.

A backlog of ten million earns no more than one of a thousand: demand only limits a share, the weights give
it. Shares are real numbers that sum to at most the threads; a budget is a share rounded up.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from notifier.scheduling.lanes import LaneState
from notifier.scheduling.policy import Policy

_LITTLE = 1e-9


def water_fill(amount: float, weights: Sequence[float], limits: Sequence[float]) -> list[float]:
    """Divide `amount` by weight, nobody above its limit: the max-min fair division; O(n log n).

    >>> water_fill(8, [4, 2, 1], [10, 1, 10])
    [5.6, 1.0, 1.4]
    """
    shares = [0.0] * len(weights)
    left, weight = amount, sum(weights)
    for one in sorted(range(len(weights)), key=lambda one: limits[one] / weights[one]):
        fair = left * weights[one] / weight if weight > _LITTLE else 0.0
        shares[one] = max(0.0, min(limits[one], fair))
        left -= shares[one]
        weight -= weights[one]
    return shares


def capped(demands: Sequence[float], lanes: Sequence[LaneState], caps: Mapping[str, float]) -> list[float]:
    """Each lane's demand, and of one resource together no more than may run."""
    found = list(demands)
    together: dict[str, list[int]] = defaultdict(list)
    for number, lane in enumerate(lanes):
        together[lane.resource.name].append(number)
    for name, members in together.items():
        if sum(found[one] for one in members) > caps[name]:
            parts = water_fill(
                caps[name], [lanes[one].weight for one in members], [found[one] for one in members]
            )
            for one, part in zip(members, parts, strict=True):
                found[one] = part
    return found


def shares_of(amount: float, lanes: Sequence[LaneState], caps: Mapping[str, float]) -> list[float]:
    """Threads for each lane: up to its demand by weight, then the rest by weight among those that ask."""
    weights = [lane.weight for lane in lanes]
    first = water_fill(amount, weights, capped([lane.demand for lane in lanes], lanes, caps))
    rest = amount - sum(first)
    if rest <= _LITTLE:
        return first
    room = {name: cap - sum(_of(name, lanes, first)) for name, cap in caps.items()}
    asking = [rest if lane.demand > _LITTLE else 0.0 for lane in lanes]
    more = water_fill(rest, weights, capped(asking, lanes, room))
    return [one + other for one, other in zip(first, more, strict=True)]


def _of(name: str, lanes: Sequence[LaneState], shares: Sequence[float]) -> list[float]:
    return [share for lane, share in zip(lanes, shares, strict=True) if lane.resource.name == name]


def set_budget(lane: LaneState, now: float, policy: Policy) -> bool:
    """Up at once; down to the highest of the last half minute when the share was lower all that time.

    Answers whether it moved.
    """
    due = max(math.ceil(lane.share - _LITTLE), 1 if lane.demand > _LITTLE else 0)
    before = lane.budget
    if due >= before:
        lane.budget, lane.low_from, lane.highest_lately = due, None, 0
        return due > before
    if lane.low_from is None:
        lane.low_from, lane.highest_lately = now, due
    lane.highest_lately = max(lane.highest_lately, due)
    if now - lane.low_from < policy.lower_after:
        return False
    lane.budget, lane.low_from = lane.highest_lately, None
    return True
