"""A tenant's quota behind the door: who is beyond it waits as a due time, and holds neither thread nor lane.

Asked after the claim, for only then the tenant is known. Each that has to wait gets a moment of its own, a permit's
interval after the one before, so that they come back one by one and not all at once; whoever comes back asks anew, for
another process may have sent meanwhile. The permits alone decide how many are sent.
"""

import time
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from notifier.delivery.moments import Moments
from notifier.domain.quotas import Quota, quota_of
from notifier.storage.limit_stores import LimitStore, take_one

log = structlog.get_logger("notifier.delivery")

#: Nobody is put off for longer, in seconds: the quota may be raised meanwhile.
LONGEST = 3600.0
#: Without storage nothing could be recorded either: in so many seconds it is asked again.
_AWAY = 1.0


class TenantTurns:
    """Thread-safe. `lead` as for every limit: the seconds before its moment that a permit may be used."""

    def __init__(
        self,
        quotas: Mapping[str, Quota],
        store: LimitStore,
        lead: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quotas = dict(quotas)
        self._store = store
        self._lead = lead
        self._moments = Moments(LONGEST, clock)

    def wait(self, tenant: str) -> float:
        """0: one notification of the tenant may be sent now; else the seconds until it should ask again."""
        quota = quota_of(self._quotas, tenant)
        if quota is None:
            return 0.0
        limit = quota.limit(f"tenant/{tenant}/send", self._lead)
        try:
            found = take_one(self._store, limit)
        except SQLAlchemyError as error:
            log.warning("tenant_quota_unread", error=type(error).__name__)
            return _AWAY
        return (
            0.0
            if found.granted
            else self._moments.after(tenant, max(found.wait, quota.interval), quota.interval)
        )
