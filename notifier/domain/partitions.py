"""Which stretches of time the table of notifications is divided into, by the time in their ids. Pure.

A stretch is some whole days (UTC). Few and long ones: what a statement that knows no id costs grows with their
number (docs/decisions/0021). A retention of 30 days gives stretches of 5 days, nine at a time.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from notifier.domain.ids import first_id_at, time_of

#: Stretches that a retention is divided into, and how far ahead they are made.
PARTS = 6
AHEAD = timedelta(days=3)
#: How far ahead a stretch must begin where rows may stand that have to be looked through first.
APART = timedelta(days=1)

_NAME = re.compile(r"notifications_(\d{8})_(\d{8})", re.ASCII)
_DAY = "%Y%m%d"


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """From `begin` up to, and without, `end`."""

    begin: datetime
    end: datetime

    @property
    def name(self) -> str:
        """Its partition's name."""
        return f"notifications_{self.begin:{_DAY}}_{self.end:{_DAY}}"

    @property
    def ids(self) -> tuple[str, str]:
        """The least id in it, and the least one after it."""
        return str(first_id_at(self.begin)), str(first_id_at(self.end))

    def has_gone(self, now: datetime, kept: timedelta) -> bool:
        """Whether whatever was made in it was made longer than `kept` ago."""
        return self.end <= now - kept


def stretch_named(name: str) -> Stretch | None:
    """The stretch of a partition with such a name; None for any other table."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        begin, end = (datetime.strptime(day, _DAY).replace(tzinfo=UTC) for day in found.groups())
    except ValueError:
        return None
    return Stretch(begin, end) if begin < end else None


def days(retention_days: int) -> int:
    """How many days a stretch has."""
    return max(1, math.ceil(retention_days / PARTS))


def missing(now: datetime, retention_days: int, made: Sequence[Stretch], *, apart: bool) -> list[Stretch]:
    """The stretches to make so that they reach `AHEAD` of now.

    `apart`: there are rows outside of them, so that the first one begins at midnight, a day from now or later;
    else at the midnight before now.
    """
    begin = datetime.combine((now + APART + timedelta(days=1)) if apart else now, time(), UTC)
    begin = max([begin, *(one.end for one in made)])
    wanted = []
    while begin < now + AHEAD:
        wanted.append(Stretch(begin, begin + timedelta(days=days(retention_days))))
        begin = wanted[-1].end
    return wanted


def reaches(made: Sequence[Stretch], now: datetime) -> timedelta:
    """For how long from now on there is a stretch for whatever comes; zero where there is none for now."""
    until = now
    for one in sorted(made):
        if one.begin <= until < one.end:
            until = one.end
    return until - now


def bounds_of(text: str) -> Stretch | None:
    """The stretch between the two ids of ``FOR VALUES FROM ('…') TO ('…')``, as PostgreSQL shows a partition's bounds."""
    from uuid import UUID

    found = re.fullmatch(r"FOR VALUES FROM \('([0-9a-f-]{36})'\) TO \('([0-9a-f-]{36})'\)", text)
    return Stretch(*(time_of(UUID(one)) for one in found.groups())) if found else None
