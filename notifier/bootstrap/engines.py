"""Which engine for which use."""

from sqlalchemy import Engine

from notifier.settings import Settings
from notifier.storage.engine import Use, make_engine

_DOOR_TIMEOUT = 5.0


def door_reads(settings: Settings) -> Engine:
    """For the door's reads: a caller waits."""
    use = Use(name="http", pool_size=settings.database_pool_size, statement_timeout=_DOOR_TIMEOUT, ping=True)
    return make_engine(settings.database_url, use)


def door_writes(settings: Settings) -> Engine:
    """For the intake's writer, whose one connection it is."""
    use = Use(name="intake", pool_size=1, statement_timeout=_DOOR_TIMEOUT, look=True)
    return make_engine(settings.database_url, use)


def clearing(settings: Settings) -> Engine:
    """For clearing the outbox: rows that a crash brings back only ring again."""
    use = Use(name="clearing", pool_size=1, statement_timeout=_DOOR_TIMEOUT, lasting=False)
    return make_engine(settings.database_url, use)


def claims(settings: Settings) -> Engine:
    """For claims, whose last commits a crash of the database may forget."""
    return make_engine(settings.database_url, Use(name="claims", pool_size=2, lasting=False))


def records(settings: Settings) -> Engine:
    """For outcomes and beats."""
    return make_engine(settings.database_url, Use(name="records", pool_size=4))


def relay(settings: Settings) -> Engine:
    """For the relay."""
    return make_engine(settings.database_url, Use(name="relay", pool_size=3))


def retention(settings: Settings) -> Engine:
    """For forgetting: one session keeps the turn, the other deletes."""
    return make_engine(settings.database_url, Use(name="retention", pool_size=2))


def receipts(settings: Settings) -> Engine:
    """For what providers report: each transaction is tried again by whoever sent it."""
    use = Use(name="receipts", pool_size=4, statement_timeout=_DOOR_TIMEOUT, ping=True)
    return make_engine(settings.database_url, use)


def metrics(settings: Settings) -> Engine:
    """For the gauges that only storage knows: a look now and then, worth nothing when it comes late."""
    return make_engine(settings.database_url, Use(name="metrics", pool_size=1, statement_timeout=5.0))


def quotas(settings: Settings) -> Engine:
    """For tenants' quotas at the door: a caller waits for one small statement."""
    use = Use(name="quotas", pool_size=4, statement_timeout=2.0, lasting=False)
    return make_engine(settings.database_url, use)


def limits(settings: Settings) -> Engine:
    """For the leases of rate limits: one small statement at a time, worth nothing a second later."""
    return make_engine(
        settings.database_url, Use(name="limits", pool_size=1, statement_timeout=2.0, lasting=False)
    )
