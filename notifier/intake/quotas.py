"""A tenant's quota at the door: what is beyond it is refused before anything is kept.

One small statement a request of a tenant that has a quota, shared by all doors; the others cost nothing. A request is
let in while one of the tenant's permits is left and then pays for all of its notifications, so that a batch is never
too large for a quota: what follows waits until it is paid.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from notifier.domain.limits import Ask, Lease, Limit
from notifier.domain.quotas import Quota, quota_of
from notifier.storage.limit_stores import LimitStore, LocalLimits, take_one


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may come in; `left` of the quota, which is whole again in `whole_in` seconds.

    `wait`: seconds until the next may; 0 when this one may.
    """

    quota: Quota
    wait: float
    left: int
    whole_in: float


class TenantQuotas:
    """`lead` is the seconds before its moment that a permit may be used (a lease's worth)."""

    def __init__(self, quotas: Mapping[str, Quota], store: LimitStore, lead: float) -> None:
        self._quotas = dict(quotas)
        self._store = store
        self._lead = lead

    def limits(self, tenant: str) -> bool:
        """Whether the tenant has a quota; from memory."""
        return quota_of(self._quotas, tenant) is not None

    def take(self, tenant: str, number: int) -> Verdict | None:
        """Pay for `number` notifications, if any may come in; None without a quota. Raises what the store does."""
        quota = quota_of(self._quotas, tenant)
        if quota is None:
            return None
        limit = quota.limit(f"tenant/{tenant}/accept", self._lead)
        found = take_one(self._store, limit)
        if found.granted and number > 1:
            found = self._store.lease(limit, Ask(debt=number - 1))
            return _verdict(quota, limit, found, wait=0.0)
        return _verdict(quota, limit, found, wait=0.0 if found.granted else max(found.wait, 1e-3))


def no_quotas() -> TenantQuotas:
    """No tenant is limited."""
    return TenantQuotas({}, LocalLimits(), 0.25)


def _verdict(quota: Quota, limit: Limit, found: Lease, *, wait: float) -> Verdict:
    ahead = found.first + found.granted * found.interval
    left = math.floor((limit.horizon - ahead) / found.interval + 1e-6) + 1
    return Verdict(quota, wait, min(quota.number, max(0, left)), max(0.0, ahead))
