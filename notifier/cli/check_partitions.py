"""Doctor's look at growth: for how long there is a partition for what comes, and what should be gone and is not."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Engine

from notifier.cli.checks import Finding, ok, warning
from notifier.domain.partitions import reaches
from notifier.settings import Settings
from notifier.storage import partitions
from notifier.storage.accepting import database_time

_SOON = timedelta(days=1)


def check_partitions(engine: Engine, settings: Settings) -> Iterator[Finding]:
    """Nothing of it stops anything: what has no partition stands in the default one, and leaves it row by row."""
    days = settings.retention_days
    if not days:
        yield ok("retention", "off: every notification is kept")
    elif engine.dialect.name != "postgresql":
        yield ok("retention", f"{days} days")
    else:
        yield _partitions(engine, days)


def _partitions(engine: Engine, days: int) -> Finding:
    with engine.connect() as connection:
        there, now = partitions.look(connection), database_time(connection)
    detail = f"{days} days, {len(there.made)} partitions"
    late = [one for one in there.stretches if one.has_gone(now - _SOON, timedelta(days=days))]
    if not there.made:
        return warning("retention", f"{detail}: relays make them", _ADVICE)
    if there.stretches[-1].end - now < _SOON:
        return warning("retention", f"{detail}, none for what comes after a day", _ADVICE)
    if late:
        detail = (
            f"{detail}, {len(late)} older than that: too much in them is not final or can still be replayed"
        )
        return warning(
            "retention", detail, "replay or discard failures, or wait: what may go is deleted meanwhile"
        )
    reach = reaches(there.stretches, now)
    return ok("retention", f"{detail}{f', for {reach.days} days ahead' if reach else ''}")


_ADVICE = "let a relay run, as the user that owns the tables; until then rows are deleted one by one"
