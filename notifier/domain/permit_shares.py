"""How the permits of one limit are shared between its priorities: by weight, high first, low never at zero.

Whole permits can't follow the weights at once, so each priority's remainder is carried over: with one permit at a
time and all three waiting, 4:2:1 comes out as high high medium high medium high low.
"""

from collections.abc import Sequence

#: Remainders are sums of fractions.
_HAIR = 1e-9


def share(
    permits: int, needs: Sequence[int], weights: Sequence[float], carried: Sequence[float]
) -> tuple[list[int], list[float]]:
    """Each priority's permits (the sequences go by priority, high first) and the remainders to carry over.

    Nobody gets more than it needs, all is given that somebody needs, and who needs nothing carries nothing.
    """
    due = _water_filled(permits, needs, weights)
    wanted = [part + kept if need else 0.0 for part, kept, need in zip(due, carried, needs, strict=True)]
    given = [max(0, min(need, int(one + _HAIR))) for one, need in zip(wanted, needs, strict=True)]
    left = min(permits, sum(needs)) - sum(given)
    for step in (_owed, _any):
        # Who has a fraction coming goes first, and then whoever can take one.
        while left and (found := step(wanted, given, needs)) is not None:
            given[found] += 1
            left -= 1
    for rank in range(len(given) - 1, -1, -1):
        # Remainders carried over may add up to a permit too many: the least important waits.
        over = min(given[rank], max(0, -left))
        given[rank] -= over
        left += over
    return given, [
        max(-1.0, min(1.0, one - got)) if need > got else 0.0
        for one, got, need in zip(wanted, given, needs, strict=True)
    ]


def _water_filled(permits: int, needs: Sequence[int], weights: Sequence[float]) -> list[float]:
    """By weight, nobody more than it needs; what it leaves goes to the others (weighted max-min)."""
    due = [0.0] * len(needs)
    open_ranks = {rank for rank, need in enumerate(needs) if need}
    left = float(permits)
    while open_ranks and left > _HAIR:
        unit = left / sum(weights[rank] for rank in open_ranks)
        full = {rank for rank in open_ranks if needs[rank] - due[rank] <= unit * weights[rank] + _HAIR}
        for rank in full or open_ranks:
            part = min(needs[rank] - due[rank], unit * weights[rank])
            due[rank] += part
            left -= part
        if not full:
            break
        open_ranks -= full
    return due


def _owed(wanted: Sequence[float], given: Sequence[int], needs: Sequence[int]) -> int | None:
    found = (rank for rank, got in enumerate(given) if got < needs[rank] and wanted[rank] - got > _HAIR)
    return next(found, None)


def _any(wanted: Sequence[float], given: Sequence[int], needs: Sequence[int]) -> int | None:
    return next((rank for rank, got in enumerate(given) if got < needs[rank]), None)
