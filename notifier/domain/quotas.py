"""What one tenant may send: a number of notifications in a span, as in ``acme=100/m other=5/s *=1000/m``.

A quota is a token bucket: all of it may be used at once, and it fills evenly over its span. So in any window W
no more than number x (1 + W / span) pass.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from notifier.domain.lifecycle import Mode
from notifier.domain.limits import Limit

#: Stands for every tenant that is not named.
ANY = "*"
_UNITS = {"s": 1, "m": 60, "h": 3600}
_QUOTA = re.compile(r"([1-9]\d{0,6})/([smh])", re.ASCII)
_TENANT = re.compile(r"\*|[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

ALLOWED = "must be a whole number and a unit, such as 5/s, 100/m or 10000/h: 1 to 9999999"


@dataclass(frozen=True, slots=True)
class Quota:
    """So many notifications in so many seconds."""

    number: int
    seconds: int

    @property
    def interval(self) -> float:
        """Seconds in which one more comes free."""
        return self.seconds / self.number

    def limit(self, name: str, lead: float) -> Limit:
        """Its limit, under the name that its bucket is kept by. A tenant that is new has all of it."""
        return Limit(name, self.interval, self.number, lead, starts_full=True)

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _UNITS.items() if seconds == self.seconds)
        return f"{self.number}/{unit}"


def parse_quota(text: str) -> Quota:
    """Raises `ValueError` with what is allowed.

    >>> parse_quota("100/m")
    Quota(number=100, seconds=60)
    """
    found = _QUOTA.fullmatch(text)
    if found is None:
        raise ValueError(ALLOWED)
    return Quota(int(found[1]), _UNITS[found[2]])


def parse_quotas(text: str) -> tuple[tuple[str, Quota], ...]:
    """The quota of each tenant named in `text`; raises `ValueError`."""
    found: dict[str, Quota] = {}
    for part in text.split():
        name, _, quota = part.partition("=")
        if _TENANT.fullmatch(name) is None or name in found:
            raise ValueError(part)
        found[name] = parse_quota(quota)
    return tuple(found.items())


def quota_of(quotas: Mapping[str, Quota], tenant: str) -> Quota | None:
    """A tenant's own, else that of any; None: it is not limited."""
    return quotas.get(tenant) or quotas.get(ANY)


def bucket_of(tenant: str, mode: Mode, side: str) -> str:
    """The name its bucket is kept by; what is sent with test keys uses up nothing of what is sent for real.

    >>> bucket_of("acme", Mode.LIVE, "send"), bucket_of("acme", Mode.TEST, "send")
    ('tenant/acme/send', 'tenant/acme/test/send')
    """
    return f"tenant/{tenant}/{side}" if mode is Mode.LIVE else f"tenant/{tenant}/{mode}/{side}"
