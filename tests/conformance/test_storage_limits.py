"""Rate limits in PostgreSQL: the same arithmetic as the domain's, and one bound for any number of processes."""

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from notifier.domain import limits
from notifier.domain.limits import Ask, Limit
from notifier.storage import migrations, rate_limits
from notifier.storage.engine import writing
from notifier.storage.tables import rate_limits as table
from tests.conformance.storage_kit import engine_at
from tests.nodes import programs
from tests.nodes.postgres import PostgresNode

ROOT = Path(__file__).parents[2]
LIMIT = Limit("email/ses", 0.05, burst=5)

asks = st.lists(
    st.builds(
        Ask,
        wanted=st.integers(0, 20),
        debt=st.sampled_from([0, 0, 0, 3, 40]),
        block=st.sampled_from([0.0, 0.0, 0.0, 0.01, 5.0]),
        slow=st.booleans(),
        empty=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=12,
)


def kept(engine, name=LIMIT.name):
    """The row's bucket and the moment, both in seconds of the database's clock."""
    columns = "extract(epoch from {})::float8"
    found = ", ".join(columns.format(one) for one in ("end_at", "blocked_until", "paced_at", "now()"))
    statement = text(f"select pace, {found} from rate_limits where name = :name")
    with engine.connect() as connection:
        row = connection.execute(statement, {"name": name}).one_or_none()
    if row is None:
        return None
    pace, end, until, paced_at, now = row
    return limits.Bucket(end, float("-inf") if until is None else until, pace, paced_at), now


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asks=asks)
def test_the_statement_says_what_the_arithmetic_says(postgres_engine, asks):
    """Whatever is asked in whatever order: the row is the bucket, the answer the lease."""
    with writing(postgres_engine) as connection:
        connection.execute(table.delete())
    before, last = None, None
    for one in asks:
        ask = one
        if last is not None and last.granted and one.wanted % 3 == 0:
            ask = Ask(wanted=one.wanted, back=1, back_end=last.end, back_interval=last.interval)
        told = rate_limits.lease(postgres_engine, LIMIT, ask)
        after, _ = kept(postgres_engine)
        # The moment of the statement follows from its answer: the end, and how far ahead that was.
        now = told.end - (told.first + told.granted * told.interval)
        bucket, said = limits.lease(LIMIT, before, ask, now)
        assert told.granted == said.granted
        for name in ("first", "interval", "wait", "blocked", "end"):
            assert getattr(told, name) == pytest.approx(getattr(said, name), abs=2e-5), name
        for name in ("end", "pace", "paced_at"):
            assert getattr(after, name) == pytest.approx(getattr(bucket, name), abs=2e-5), name
        assert max(after.blocked_until, now) == pytest.approx(max(bucket.blocked_until, now), abs=2e-5)
        before, last = after, told


def test_a_limit_that_starts_full_gives_its_burst_to_whoever_comes_first(postgres_engine):
    """A tenant that is new has used nothing; a provider's account may have been used by anybody."""
    full = Limit("tenant/new/accept", 10.0, burst=5, lead=0.1, starts_full=True)
    made = rate_limits.lease(postgres_engine, full, Ask(wanted=1))
    assert (made.granted, made.wait) == (0, 0.0)
    taken = [rate_limits.lease(postgres_engine, full, Ask(wanted=1)).granted for _ in range(6)]
    assert taken == [1, 1, 1, 1, 1, 0]


def test_a_lease_is_one_statement_and_its_own_transaction(postgres_engine):
    said = []
    event.listen(postgres_engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    rate_limits.lease(postgres_engine, LIMIT, Ask(wanted=1))
    rate_limits.lease(postgres_engine, LIMIT, Ask(wanted=1, debt=1, block=1.0))
    assert len(said) == 2


def test_a_block_is_seen_by_those_who_ask_for_it(postgres_engine):
    rate_limits.lease(postgres_engine, LIMIT, Ask(block=30.0))
    rate_limits.lease(postgres_engine, Limit("sms/x", 1.0), Ask())
    found = rate_limits.blocked(postgres_engine, ["email/ses", "sms/x", "none"])
    assert found == {"email/ses": pytest.approx(30, abs=5)}


def test_a_crash_of_the_database_empties_the_table_and_gives_nothing_twice(tmp_path):
    """Unlogged: no log is written for it. The row that is made anew has its burst spent."""
    node = PostgresNode()
    node.start()
    try:
        with node.fresh_database() as url:
            migrations.upgrade(url)
            with engine_at(url) as engine:
                for _ in range(3):
                    given_ = rate_limits.lease(engine, LIMIT, Ask(wanted=99))
                bucket, _ = kept(engine)
                engine.dispose()
                node.crash()
                node.start()
                assert kept(engine) is None
                anew = rate_limits.lease(engine, LIMIT, Ask(wanted=99))
                assert (anew.granted, anew.end > bucket.end) == (0, True)
                assert given_.end == pytest.approx(bucket.end, abs=1e-5)
    finally:
        node.stop()


def test_sixteen_processes_never_over_grant(postgres_engine, migrated_postgres_url, tmp_path):
    """All lease one limit as fast as they can: no two permits have one moment, and in no window are too many."""
    go = tmp_path / "go"
    asking = ("tests.conformance.asking", migrated_postgres_url, str(go))
    pipe = {"stdout": subprocess.PIPE, "text": True}
    started = [programs.start(*asking, cwd=ROOT, env=os.environ, **pipe) for _ in range(16)]
    for one in started:
        assert one.stdout.readline() == "ready\n"
    go.touch()
    given_ = sorted(moment for one in started for moment in json.loads(one.communicate(timeout=120)[0]))
    assert all(one.returncode == 0 for one in started)
    assert len(given_) > 100
    gaps = [after - before for before, after in pairwise(given_)]
    assert min(gaps) > 0.005 - 1e-5, "each permit has its moment to itself, so every window keeps the bound"
