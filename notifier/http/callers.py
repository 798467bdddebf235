"""Who is calling: what an API key says about its owner."""

from dataclasses import dataclass

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode
from notifier.http.problems import Problem

_RANK = {priority: rank for rank, priority in enumerate(Priority)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The tenant behind a key and what the key may do; None means no limit.

    A test key's `tenant` is that of its test data (`notifier.domain.keys.tenant_of`).
    """

    key_id: str
    tenant: str
    mode: Mode = Mode.LIVE
    scopes: frozenset[str] = frozenset()
    channels: frozenset[Channel] | None = None
    highest_priority: Priority | None = None

    def may(self, scope: str) -> bool:
        """Whether the key has the scope; `admin` has them all."""
        return scope in self.scopes or "admin" in self.scopes

    def must_have(self, scope: str) -> None:
        """Raise `Problem` ``forbidden`` unless the key has the scope; `admin` has them all."""
        if not self.may(scope):
            raise Problem("forbidden", f"the key does not have the scope {scope}")

    def must_be_live(self) -> None:
        """Raise `Problem` ``forbidden`` for a test key: what it asks for touches what live keys send."""
        if self.mode is not Mode.LIVE:
            raise Problem("forbidden", "a test key may not change what live notifications go through")

    def must_reach(self, lane: Lane) -> None:
        """Raise `Problem` ``forbidden`` unless the key may send down this lane."""
        if self.channels is not None and lane.channel not in self.channels:
            raise Problem("forbidden", f"the key may not send to channel {lane.channel}")
        highest = self.highest_priority
        if highest is not None and _RANK[lane.priority] < _RANK[highest]:
            raise Problem("forbidden", f"the key may send at most at priority {highest}")
