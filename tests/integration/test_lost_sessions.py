"""Sessions that PostgreSQL ends at any moment: each costs an error at most, never a place in the pool."""

from contextlib import closing, suppress
from types import SimpleNamespace

import pytest
from sqlalchemy import Integer, Text, bindparam, column, select, text
from sqlalchemy.exc import DBAPIError

from notifier.storage import faults
from notifier.storage.engine import Use, make_engine, one_statement, reading, writing
from notifier.storage.kept import Kept, Statement

#: What may use a connection.
WAYS = [writing, one_statement, reading]


@pytest.fixture
def engine(postgres_url):
    made = make_engine(postgres_url, Use(name="lost", pool_size=2, pool_wait=0.5))
    yield made
    made.dispose()


@pytest.fixture
def end_session(postgres_url):
    """Ends the session of a connection, from outside."""
    other = make_engine(postgres_url, Use(name="ending", pool_size=1))

    def end(connection):
        pid = connection.connection.driver_connection.info.backend_pid
        with writing(other) as ending:
            # Waits up to 10 s for its end.
            assert ending.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid}).scalar_one()

    yield end
    other.dispose()


def error_of(use):
    """What it raised, if anything."""
    try:
        use()
    except DBAPIError as error:
        return error
    return None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_session_is_noticed_and_replaced(engine, end_session, way, moment):
    """Before or after the statement, as often as one likes: an error at most, and its place is free again."""

    def use(and_lose=False):
        with way(engine) as connection:
            if and_lose and moment == "before":
                end_session(connection)
            connection.execute(text("SELECT 1"))
            if and_lose and moment == "after":
                end_session(connection)

    for _ in range(5):
        # What died after its only round trip is noticed at the next.
        errors = [error for error in (error_of(lambda: use(and_lose=True)), error_of(use)) if error]
        assert all(faults.is_away(error) for error in errors)
        assert len(errors) <= 1
        assert engine.pool.checkedout() == 0
        assert error_of(use) is None


def test_one_statement_is_committed_by_itself_and_leaves_no_trace(engine):
    """It stands at once; the same connection serves transactions afterwards."""
    kept = text("SELECT count(*) FROM kept")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE kept (number int)"))
    with one_statement(engine) as connection, reading(engine) as other:
        connection.execute(text("INSERT INTO kept VALUES (1)"))
        assert other.execute(kept).scalar_one() == 1
    with suppress(ZeroDivisionError), writing(engine) as connection:
        connection.execute(text("INSERT INTO kept VALUES (2)"))
        raise ZeroDivisionError
    with reading(engine) as connection:
        assert connection.execute(kept).scalar_one() == 1


SAY = Statement(lambda _dialect: select(bindparam("said", type_=Text()).label("said")), ["said"])


def test_a_kept_connection_that_is_lost_costs_one_error_and_is_made_anew(engine, end_session):
    """As often as one likes; what it had planned is planned again, and the pool's places are its own."""
    with closing(Kept(engine)) as kept:
        for number in range(5):
            assert kept.rows(SAY, {"said": f"hello {number} 100 %s"}) == [(f"hello {number} 100 %s",)]
            end_session(SimpleNamespace(connection=SimpleNamespace(driver_connection=kept._connection)))
            error = error_of(lambda: kept.rows(SAY, {"said": "lost"}))
            assert error is not None
            assert faults.is_disconnect(error)
            assert "lost" not in str(error)
            assert engine.pool.checkedout() == 0
        assert kept.rows(SAY, {"said": "again"}) == [("again",)]


def test_a_plan_that_no_longer_fits_its_table_is_an_error_once(engine):
    """A migration that runs beside a worker: whoever tries again is served."""
    number = bindparam("number", type_=Integer())
    every = select(text("*")).select_from(text("fitting")).where(column("number") == number)
    count = Statement(lambda _dialect: every, ["number"])
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE fitting (number int)"))
        connection.execute(text("INSERT INTO fitting VALUES (1)"))
    with closing(Kept(engine)) as kept:
        assert kept.rows(count, {"number": 1}) == [(1,)]
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE fitting ADD COLUMN word text"))
        error = error_of(lambda: kept.rows(count, {"number": 1}))
        assert error is not None
        assert faults.is_disconnect(error)
        assert kept.rows(count, {"number": 1}) == [(1, None)]


def test_what_the_database_refuses_leaves_the_kept_connection_as_it_was(engine):
    """The data's fault is told as such, without the data, and the next statement goes the same way."""
    ratio = Statement(lambda _dialect: select(1 / bindparam("by", type_=Integer())), ["by"])
    with closing(Kept(engine)) as kept:
        assert len(kept.rows(ratio, {"by": 1})) == 1
        before = kept._connection
        error = error_of(lambda: kept.rows(ratio, {"by": 0}))
        assert error is not None
        assert faults.is_data_fault(error)
        assert kept._connection is before
        assert len(kept.rows(ratio, {"by": 1})) == 1
