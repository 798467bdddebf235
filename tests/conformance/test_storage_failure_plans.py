"""Failures stay quick to look through however many were kept, replayed or put aside: each by an index."""

from uuid import UUID

import pytest
from sqlalchemy import text

from notifier.domain.replays import FailureState
from notifier.storage import dead_letters, replaying
from notifier.storage.dead_letters import FailureFilter
from notifier.storage.engine import reading, writing
from tests.conformance.storage_kit import engine_at, migrate
from tests.conformance.test_storage_plans import caught, plans

_OPERATION = UUID("01900000-0000-7000-9000-000000000001")
_FILL = """
insert into dead_letters (notification_id, tenant, channel, priority, status, reason, attempts, created_at,
  finished_at, state, operation_id)
select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 't' || n % 3, 'email', 'low', 'failed',
  'throttled', 1, now(), now() - n * interval '1 second',
  case when n % 1000 = 0 then 'open' when n % 1000 = 1 then 'replaying' else 'replayed' end,
  case when n % 1000 = 1 then cast(:operation as uuid) end
from generate_series(1, 60000) n
"""
_RUNNING = """
insert into operations (id, tenant, kind, state, filter, at_most, rate, matched, created_at)
select cast(:operation as uuid), 't1', 'replay', 'running', '{}', 1, 1, 1, now()
"""


@pytest.fixture(scope="module")
def full(module_postgres_url, tmp_path_factory):
    migrate(module_postgres_url, tmp_path_factory.getbasetemp() / "storage-template")
    with engine_at(module_postgres_url) as engine:
        with writing(engine) as connection:
            for statement in (_FILL, _RUNNING):
                connection.execute(text(statement), {"operation": str(_OPERATION)})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum analyze"))
        yield engine


def open_ones(engine):
    found = dead_letters.walk(engine, "t1", FailureFilter(state=FailureState.OPEN), 50, None)
    assert len(found.rows) == 20


def release(engine):
    with reading(engine) as connection:
        _, (seen,) = replaying.running(connection, 10)
    with writing(engine) as connection:
        replaying.release(connection, seen, _OPERATION, 500)


def sweep(engine):
    with writing(engine) as connection:
        assert 50 <= dead_letters.sweep(connection, 59_950, 500) < 500


@pytest.mark.parametrize("act", [open_ones, release, sweep], ids=lambda act: act.__name__)
def test_no_look_at_failures_reads_them_all(full, act):
    with caught(full) as sent:
        act(full)
    assert sent
    for statement, plan in plans(full, sent):
        assert "Seq Scan on dead_letters" not in plan, f"{statement}\n{plan}"
