"""One resource that several lanes share (a channel's providers): its bulkhead, and whether it hangs.

*Suspect*: a call is stalled, so no more than a quarter of the threads may be in it. *Stalled*: moreover
nothing has succeeded for twice the stall age, so only probes start. One success lifts it; what was stalled
then is *residue*: no evidence any more, and not counted against the resource while threads stand in for it.
"""

from typing import TYPE_CHECKING, Literal

from notifier.scheduling.averages import Latest
from notifier.scheduling.policy import Policy

if TYPE_CHECKING:
    from notifier.scheduling.lanes import Run

Health = Literal["well", "suspect", "stalled"]


class Resource:
    """`refusal` is asked for each pick, `look` on each tick; it never looks at a clock itself."""

    __slots__ = (
        "_policy",
        "bulkhead",
        "cap",
        "counted",
        "health",
        "last_active",
        "last_success",
        "name",
        "narrow",
        "overdue_age",
        "probed_at",
        "probes",
        "residue",
        "runs",
        "stall_age",
        "successes",
    )

    def __init__(self, name: str, policy: Policy) -> None:
        self.name = name
        self._policy = policy
        self.runs: set[Run] = set()
        self.residue = self.probes = 0
        #: Calls in flight, but for residue that other threads stand in for; at most `cap` may start.
        self.counted = 0
        self.bulkhead = self.cap = policy.threads
        #: Whether `refusal` may have something to say: the pick asks nobody else.
        self.narrow = False
        self.health: Health = "well"
        self.probed_at = self.last_success = self.last_active = float("-inf")
        self.successes = Latest(policy.successes_kept, 0.95)
        #: Seconds after which a call is overdue, and stalled.
        self.overdue_age, self.stall_age = policy.overdue, policy.stalled

    def refusal(self, now: float) -> str:
        """Why nothing of it may start now; empty if it may."""
        if self.health == "stalled":
            outstanding = self.probes >= self._policy.most_probes
            return "stalled" if outstanding or now - self.probed_at < self._policy.probe_every else ""
        if self.counted >= self.cap:
            return "bulkhead" if self.health == "well" else "suspect"
        return ""

    @property
    def next_probe(self) -> float | None:
        """When a probe may start; None while none may, or nothing keeps it."""
        if self.health != "stalled" or self.probes >= self._policy.most_probes:
            return None
        return self.probed_at + self._policy.probe_every

    def started(self, run: "Run", now: float) -> None:
        """A call began; while the resource is stalled it is a probe."""
        self.runs.add(run)
        self.last_active = now
        if self.health == "stalled":
            run.probe = True
            self.probes += 1
            self.probed_at = now
        self._count()

    def ended(self, run: "Run", now: float, ok: bool | None) -> None:
        """A call ended: well, badly, or (None) without having asked the resource."""
        self.runs.discard(run)
        self.last_active = now
        self.probes -= run.probe
        self.residue -= run.residue
        if ok:
            self.successes.add(now - run.started_at)
            self.last_success = now
            if self.health != "well":
                self._lift()
        self._count()

    def look(self, now: float) -> None:
        """Mark what is overdue or stalled among its calls, and judge its health."""
        slow = self._policy.patience * self.successes.read()
        self.overdue_age, self.stall_age = max(self._policy.overdue, slow), max(self._policy.stalled, slow)
        for run in self.runs:
            age = now - run.started_at
            if age > self.overdue_age and not run.overdue:
                run.overdue = True
                run.lane.fresh -= 1
            run.stalled = age > self.stall_age
        if self.health != "stalled":
            self._judge(now)

    def keep_to(self, bulkhead: int) -> None:
        """From now on so many of its calls may run while it is well."""
        self.bulkhead = bulkhead
        self._cap()

    def _judge(self, now: float) -> None:
        evidence = [run.started_at for run in self.runs if run.stalled and not run.residue]
        if not evidence:
            self.health = "well"
        elif now - max(self.last_success, min(evidence)) > 2 * self.stall_age:
            self.health, self.probed_at = "stalled", now
        else:
            self.health = "suspect"
        self._cap()

    def _lift(self) -> None:
        self.health = "well"
        for run in self.runs:
            if run.stalled and not run.residue:
                run.residue = True
                self.residue += 1
            if run.probe:
                run.probe = False
                self.probes -= 1
        self._cap()

    def _cap(self) -> None:
        suspect = self.health == "suspect"
        self.cap = min(self.bulkhead, self._policy.suspect_cap) if suspect else self.bulkhead

        self._narrow()

    def _count(self) -> None:
        self.counted = len(self.runs) - min(self.residue, self._policy.most_extra)
        self._narrow()

    def _narrow(self) -> None:
        self.narrow = self.counted >= self.cap or self.health == "stalled"
