"""PostgreSQL crashed, gone, and its sessions ended under load (F13-F15; promises 2, 3 and 9)."""

import psycopg2
import pytest

from tests.nodes.postgres import PostgresNode
from tests.storms.kit import form
from tests.storms.kit.outages import (
    PACE,
    SETTLE,
    check_refusals,
    last,
    messages_in,
    wait_for_full_speed,
    wait_for_refusals,
)

#: A crash forgets the claims of the last moments: each of two workers may have twice its 8 threads in flight.
BOUND = 2 * 16


@pytest.fixture(scope="module")
def postgres():
    """A server that these cases may end."""
    node = PostgresNode()
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="module")
def storage_url(postgres):
    """A database on it."""
    with postgres.fresh_database() as url:
        yield url


def test_postgresql_crashes(case, postgres):
    """F13. Immediate stop and start: refusals are 503 in two seconds, all flows again ten seconds later.

    Every second time it stays away for longer than a lease and any time-out on the way to it.
    """
    with case("F13", "PostgreSQL crash") as storm:
        for turn in storm.repeats(short=1, full=10):
            postgres.crash()
            storm.hit(bound=BOUND)
            if turn % 2:
                last(storm, 12)
            postgres.start()
            wait_for_full_speed(storm)
    check_refusals(storm)


def test_postgresql_is_gone(case, postgres, rabbitmq_node, broker_url):
    """F14. Stopped for a while (60 s once, else 20 s; 8 s in the short form) in the middle of the load.

    Nothing is accepted or acknowledged meanwhile, and outcomes held in memory are stored after the return:
    no send is repeated, for an orderly stop forgets nothing.
    """
    with case("F14", "PostgreSQL gone", pace=PACE, settle=SETTLE) as storm:
        for turn in storm.repeats(short=1, full=3):
            postgres.halt()
            storm.hit()
            wait_for_refusals(storm)
            accepted, kept = len(storm.load.accepted), messages_in(rabbitmq_node, broker_url)
            last(storm, form.either(short=8, full=20 if turn else 60))
            assert len(storm.load.accepted) == accepted
            assert messages_in(rabbitmq_node, broker_url) >= kept
            postgres.start()
            wait_for_full_speed(storm)
    check_refusals(storm)


def test_sessions_are_ended(case, postgres):
    """F15. `pg_terminate_backend` of random sessions of ours: refusals at most, never a 500, nothing repeated."""
    with case("F15", "sessions ended") as storm:
        for _ in storm.repeats(short=5, full=100):
            storm.hit(faults=end_sessions(postgres, storm.dice, 2))
            storm.wait_for_load(10)
    check_refusals(storm)


def end_sessions(node, dice, number):
    """End so many random sessions of the installation's; how many there were to end."""
    connection = psycopg2.connect(node.url().replace("+psycopg2", ""))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE application_name LIKE 'notifier-%' AND application_name <> 'notifier-test' ORDER BY pid"
            )
            pids = [row[0] for row in cursor.fetchall()]
            chosen = dice.sample(pids, min(number, len(pids)))
            for pid in chosen:
                cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
        return len(chosen)
    finally:
        connection.close()
