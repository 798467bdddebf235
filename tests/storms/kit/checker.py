"""The checker, in the words of Jepsen's total queue (github.com/jepsen-io/jepsen, checker/total-queue).

attempted: requests the client made · ok: those that heard 202 · lost: ok, and neither handed to a provider
nor ended with a reason · unexpected: handed over though nobody asked · duplicated: handed over again ·
recovered: handed over though the client saw an error.
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world looks like after a case: the client's, the sink's and the storage's side.

    `ok` and `erred` are the client's; `ids` every kept notification of this run by its number (more than one
    only if idempotency broke); `delivered` the sink's ledger; `ended` the ids that ended with a reason
    instead of `sent`; `waiting` those that have not ended; `marked` those with a possible duplicate;
    `timed_out` how many calls were given up after the request was written: each may be a duplicate, too.
    """

    attempted: int
    ok: Mapping[int, str]
    erred: AbstractSet[int]
    ids: Mapping[int, AbstractSet[str]]
    delivered: Counter[str]
    known: AbstractSet[str]
    ended: AbstractSet[str]
    waiting: AbstractSet[str]
    marked: AbstractSet[str]
    timed_out: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The counts of one case, and what is wrong with them."""

    attempted: int
    ok: int
    lost: int
    unexpected: int
    duplicated: int
    marked: int
    recovered: int
    wrong: tuple[str, ...] = field(default=())


def judge(seen: Seen, bound: int) -> Verdict:
    """The counts, and each invariant (I1-I4) that does not hold; `bound` is how many duplicates may be."""
    bound += seen.timed_out
    kept = {one for ids in seen.ids.values() for one in ids}
    accounted = set(seen.delivered) | seen.ended
    lost = {one for one in seen.ok.values() if one not in accounted}
    unexpected = set(seen.delivered) - kept - seen.known
    again = {one: times - 1 for one, times in seen.delivered.items() if one in kept and times > 1}
    duplicated = sum(again.values())
    recovered = sum(1 for number in seen.erred if seen.ids.get(number, frozenset()) & set(seen.delivered))
    twice = [number for number, ids in seen.ids.items() if len(ids) > 1]
    foreign = [number for number, one in seen.ok.items() if one not in seen.ids.get(number, frozenset())]
    problems = {
        "I1 lost": len(lost),
        "I2 unexpected": len(unexpected),
        f"I3 duplicates above the bound of {bound}": duplicated if duplicated > bound else 0,
        "I3 duplicates that are not marked": len(set(again) - seen.marked),
        "I4 not ended in time": len(seen.waiting),
        "promise 4: keys with two notifications": len(twice),
        "promise 1: accepted and not kept": len(foreign),
    }
    return Verdict(
        attempted=seen.attempted,
        ok=len(seen.ok),
        lost=len(lost),
        unexpected=len(unexpected),
        duplicated=duplicated,
        marked=len(seen.marked),
        recovered=recovered,
        wrong=tuple(f"{what}: {number}" for what, number in problems.items() if number),
    )
