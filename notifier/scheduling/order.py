"""Which lane a free thread takes from: eligibility and the four phases. Pure, and O(lanes) for each pick.

Stride scheduling (Waldspurger 1995) over thread-seconds, with classes for bursts: (0) a lane below its
minimum for too long, longest overdue first; (1) lanes that have not run ahead of their weight by more than
their credit, by class; (2) lanes within their budget; (3) whoever borrows. In each, the least account first.
"""

from collections.abc import Callable, Sequence

from notifier.scheduling.lanes import LaneState

#: Asked of the lane that would start: 0 for yes, the seconds to wait for no, None when nothing is there after all.
Ask = Callable[[LaneState], float | None]

#: Seconds until a closed gate is asked again, at the least: a wait of nothing is a busy loop.
SHORTEST_WAIT = 0.001

AGED, IN_CREDIT, WITHIN_BUDGET, BORROWING = range(4)
PHASES = ("aged", "in_credit", "within_budget", "borrowing")


class Order:
    """The virtual time and the pick; `lanes` are the scheduler's."""

    def __init__(self, lanes: Sequence[LaneState]) -> None:
        self._lanes = lanes
        #: The least account of the lanes that could run but for headroom; never falls.
        self.virtual = 0.0

    def pick(self, now: float, headroom: Sequence[bool], ask: Ask) -> tuple[LaneState, int] | None:
        """The lane to start from and the phase it won in; None when nothing may start.

        `headroom` says for each class whether a thread may be taken by it. Each lane's `reason` tells why
        it was passed over.
        """
        able = self._able(now)
        while able:
            best, phase = self._best(now, able, headroom)
            if best is None:
                return None
            wait = ask(best)
            if wait == 0:
                best.reason = ""
                return best, phase
            if wait is not None:
                best.closed_until = now + max(wait, SHORTEST_WAIT)
                best.gated_at = best.closed_until
                best.reason = "gate"
            best.runnable = False
            able.remove(best)
        return None

    def next_moment(self, now: float) -> float | None:
        """Seconds until a gate may open or a probe is due for a lane that waits; None if only an event helps."""
        moments = []
        for lane in self._lanes:
            if not lane.waiting or lane.paused:
                continue
            if lane.closed_until > now:
                moments.append(lane.closed_until)
            elif (probe := lane.resource.next_probe) is not None and probe > now:
                # One that is due and may not start waits for a thread, not for a moment: no busy loop.
                moments.append(probe)
        return max(0.0, min(moments) - now) if moments else None

    def _able(self, now: float) -> list[LaneState]:
        """Lanes that could run but for headroom; those that could not before start where the others are."""
        able = []
        virtual = self.virtual
        least = float("inf")
        for lane in self._lanes:
            if not lane.waiting:
                lane.reason = ""
                continue
            if lane.paused:
                lane.reason = "paused"
            elif lane.closed_until > now:
                lane.reason = "gate"
            else:
                resource = lane.resource
                lane.reason = resource.refusal(now) if resource.narrow else ""
                if not lane.reason:
                    if not lane.runnable:
                        lane.runnable = True
                        lane.account = max(lane.account, virtual)
                    account = lane.account
                    if account < least:  # noqa: PLR1730 - a call of min() takes three times as long
                        least = account
                    able.append(lane)
                    continue
            lane.runnable = False
        if able and least > virtual:
            self.virtual = least
        return able

    def _best(
        self, now: float, able: list[LaneState], headroom: Sequence[bool]
    ) -> tuple[LaneState | None, int]:
        virtual = self.virtual
        best, phase, first, second = None, len(PHASES), 0.0, 0.0
        for lane in able:
            rank = lane.rank
            if not headroom[rank]:
                lane.reason = "reserve"
                continue
            account = lane.account
            if lane.running < lane.minimum and now - lane.since >= lane.age:
                mine, key, tie = AGED, lane.since + lane.age, account
            elif account <= virtual + lane.credit:
                mine, key, tie = IN_CREDIT, float(rank), account
            else:
                mine, key, tie = WITHIN_BUDGET if lane.running < lane.budget else BORROWING, account, 0.0
            # No tuples: this is the hottest line there is.
            if mine < phase or (mine == phase and (key < first or (key == first and tie < second))):
                best, phase, first, second = lane, mine, key, tie
        return best, phase
