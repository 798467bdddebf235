"""The door's keeper against real databases: 202 only after the commit, and nothing half-kept."""

import asyncio
import hashlib
import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import OperationalError

from notifier.domain.errors import (
    BacklogFull,
    InvalidInput,
    KeyInUse,
    KeyReused,
    OutcomeUnknown,
    Unavailable,
)
from notifier.domain.lanes import Priority
from notifier.domain.lifecycle import Status
from notifier.domain.notification import Content
from notifier.intake.accept import Intake
from notifier.intake.admission import Admission, Level, Limits
from notifier.intake.groups import GroupWriter
from notifier.intake.submissions import Submission
from notifier.storage import books
from notifier.storage.books import Books
from notifier.storage.engine import reading, writing
from notifier.storage.tables import idempotency, notifications, outbox
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, engine_at, migrate, new, together
from tests.nodes.ports import free_port
from tests.nodes.postgres import PostgresNode
from tests.nodes.waiting import wait_until

#: Seconds: a request waits two at the most (promise 9; the storms time it), and the tests are many on few cores.
PATIENCE = 8.0


@pytest.fixture
def engine(migrated_url):
    with engine_at(migrated_url, look=True) as made:
        yield made
    balances(migrated_url)


@pytest.fixture
def postgres_engine(migrated_postgres_url):
    with engine_at(migrated_postgres_url, look=True) as made:
        yield made
    balances(migrated_postgres_url)


def balances(url):
    """After every test here, whatever it did: as many are counted as accepted as were kept."""
    with engine_at(url) as own:
        found = books.read(own)
    assert found.balanced, found


@contextmanager
def running(engine, *, hand_over=lambda rows: None, limits=None, wait=2.0, waiting_limit=10_000, **writer):
    intake = Intake(
        GroupWriter(engine, **writer),
        Admission(limits or Limits()),
        hand_over,
        wait=wait,
        waiting_limit=waiting_limit,
    )
    intake.start()
    try:
        yield intake
    finally:
        intake.stop()
        assert not intake.alive


def submission(*wanted, key=None, body=b"body", respond=None):
    def answer(stored):
        return json.dumps([str(one.id) for one in stored]).encode()

    return Submission(
        notifications=wanted or (new(),),
        tenant="acme",
        api_key="key-1",
        route="POST /v1/notifications",
        body_hash=hashlib.sha256(body).digest(),
        respond=respond or answer,
        idempotency_key=key,
    )


def count(engine, table=notifications):
    # Over a connection of its own: some tests have cut those in the pool.
    with engine_at(engine.url.render_as_string(hide_password=False)) as own, reading(own) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def unstorable():
    return new(content=Content(subject="s", text="lone \ud800 surrogate"))


@contextmanager
def locked(engine):
    """Another process's transaction that lets nobody insert."""
    held, go = threading.Event(), threading.Event()

    def hold():
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.execution_options(notifier_writes=True)
                connection.begin()
            else:
                connection.execute(text("lock table notifications in exclusive mode"))
            held.set()
            go.wait(60)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert held.wait(60)
    try:
        yield
    finally:
        go.set()
        thread.join(10)


async def begun_with(intake):
    """A submission that the writer has taken up, and holds."""
    taken, write = threading.Event(), intake._writer.write

    def noting(tickets):
        taken.set()
        return write(tickets)

    intake._writer.write = noting
    task = asyncio.create_task(intake.submit(submission()))
    assert await asyncio.to_thread(taken.wait, 10)
    return task


async def test_what_was_answered_is_durable_with_its_bells_and_key(engine):
    handed = []
    with running(engine, hand_over=handed.extend) as intake:
        kept = await intake.submit(submission(new(EMAIL_HIGH), new(EMAIL_LOW), key="k"))
    assert not kept.replayed
    assert len(json.loads(kept.answer)) == 2
    assert (count(engine), count(engine, outbox), count(engine, idempotency)) == (2, 2, 1)
    assert sorted(row.lane.name for row in handed) == ["email.high", "email.low"]


async def test_a_batch_is_kept_whole_or_not_at_all(engine):
    with running(engine) as intake:
        with pytest.raises(InvalidInput):
            await intake.submit(submission(new(), unstorable(), new(), key="k"))
        assert (count(engine), count(engine, outbox), count(engine, idempotency)) == (0, 0, 0)
        assert not (await intake.submit(submission(key="k"))).replayed, "a failed request uses up no key"


async def test_one_bad_request_among_good_ones_hurts_only_itself(engine):
    def fails(stored):
        raise RuntimeError("a bug in one request's answer")

    bad = [submission(unstorable()), submission(respond=fails)]
    with locked_until_waiting(engine, 12) as (intake, waiting):
        tasks = [asyncio.create_task(intake.submit(submission())) for _ in range(5)]
        tasks += [asyncio.create_task(intake.submit(one)) for one in bad]
        tasks += [asyncio.create_task(intake.submit(submission())) for _ in range(5)]
        await asyncio.to_thread(waiting)
        results = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = [type(result).__name__ for result in results]
    assert kinds == ["Kept"] * 5 + ["InvalidInput", "Unavailable"] + ["Kept"] * 5
    assert count(engine) == 10


@contextmanager
def locked_until_waiting(engine, number):
    """An intake whose writer stands still until `number` submissions wait: they become one group."""
    go = threading.Event()
    first = threading.Event()

    class Slow(GroupWriter):
        def write(self, tickets):
            if not first.is_set():
                first.set()
                go.wait(60)
            return super().write(tickets)

    intake = Intake(Slow(engine), Admission(Limits()), lambda rows: None, wait=10)
    intake.start()

    def start():
        with pytest.raises(InvalidInput):
            intake.submit_and_wait(submission(unstorable()))

    starter = threading.Thread(target=start, daemon=True)
    starter.start()
    assert first.wait(60)

    def waiting():
        wait_until(lambda: len(intake._waiting) >= number, 60, f"{number} waiting submissions")
        go.set()

    try:
        yield intake, waiting
    finally:
        go.set()
        starter.join(10)
        intake.stop()


async def test_a_hundred_at_once_with_one_key_make_one_row_and_one_answer(engine):
    with running(engine) as intake, running(engine) as other:
        results = await asyncio.gather(
            *[(intake, other)[n % 2].submit(submission(key="k")) for n in range(100)]
        )
    assert len({kept.answer for kept in results}) == 1
    assert sum(not kept.replayed for kept in results) == 1
    assert count(engine) == 1


async def test_the_same_key_with_another_body_is_refused_and_another_route_is_another_key(engine):
    with running(engine) as intake:
        await intake.submit(submission(key="k"))
        with pytest.raises(KeyReused):
            await intake.submit(submission(key="k", body=b"other"))
        assert (await intake.submit(submission(key="k"))).replayed
    assert count(engine) == 1


async def test_an_answer_given_again_and_a_refusal_are_no_acceptance(engine):
    """What is counted as accepted is what was kept, however often it was asked for."""
    with running(engine) as intake:
        for _ in range(3):
            await intake.submit(submission(new(), new(), key="k"))
        for refused in (submission(key="k", body=b"other"), submission(new(), unstorable())):
            with pytest.raises((KeyReused, InvalidInput)):
                await intake.submit(refused)
        intake._admission.level = Level(10**9, 0)
        with pytest.raises(BacklogFull):
            await intake.submit(submission())
    assert books.read(engine) == Books(2, {Status.QUEUED: 2})


async def test_a_key_whose_time_is_over_is_free_again(engine):
    with running(engine, key_hours=-1) as intake:
        first = await intake.submit(submission(key="k"))
        second = await intake.submit(submission(key="k"))
    assert first.answer != second.answer
    assert count(engine) == 2


def test_expired_keys_renewed_by_two_processes_at_once_have_one_winner_each(engine):
    names = [f"k-{n}" for n in range(30)]
    with running(engine, key_hours=-1) as intake:
        for name in names:
            intake.submit_and_wait(submission(key=name))

    def renew(intake, order):
        with ThreadPoolExecutor(30) as pool:
            return list(pool.map(lambda name: _try(intake, submission(key=name)), order))

    with running(engine, wait=20) as one, running(engine, wait=20) as two:
        results = together(lambda: renew(one, names), lambda: renew(two, names[::-1]))
    for name, mine, theirs in zip(names, results[0], results[1][::-1], strict=True):
        fresh = [kept for kept in (mine, theirs) if not isinstance(kept, Exception) and not kept.replayed]
        assert len(fresh) == 1, name
    assert count(engine) == 60


def _try(intake, wanted):
    try:
        return intake.submit_and_wait(wanted)
    except KeyInUse as error:
        return error


async def test_when_the_writer_is_busy_a_waiting_request_is_withdrawn_and_nothing_is_kept(engine):
    with running(engine, wait=0.3) as intake:
        with locked(engine):
            begun = await begun_with(intake)
            late = asyncio.create_task(intake.submit(submission()))
            results = await asyncio.gather(begun, late, return_exceptions=True)
        assert [type(one) for one in results] == [OutcomeUnknown, Unavailable]
        await asyncio.to_thread(wait_until, lambda: not intake._waiting)
    assert count(engine) <= 1, "the withdrawn one was never written"


async def test_a_storage_that_is_locked_for_long_is_told_within_its_time_and_then_serves_again(engine):
    with running(engine) as intake:
        with locked(engine):
            began = time.monotonic()
            with pytest.raises((Unavailable, OutcomeUnknown)):
                await intake.submit(submission())
            assert time.monotonic() - began < PATIENCE
        await intake.submit(submission())


@pytest.mark.parametrize("times", [1, 100])
async def test_a_connection_lost_before_the_commit_is_tried_once_more_and_leaves_nothing(
    postgres_engine, times
):
    cut = []

    @event.listens_for(postgres_engine, "before_cursor_execute")
    def before(connection, cursor, statement, *_):
        if statement.startswith("WITH kept") and len(cut) < times:
            cut.append(statement)
            _terminate(postgres_engine)

    with running(postgres_engine) as intake:
        if times == 1:
            assert not (await intake.submit(submission(key="k"))).replayed
        else:
            with pytest.raises(Unavailable):
                await intake.submit(submission(key="k"))
    assert len(cut) == min(times, 2)
    assert count(postgres_engine) == count(postgres_engine, idempotency) == (times == 1)


async def test_a_connection_lost_during_the_commit_is_an_outcome_nobody_knows(postgres_engine):
    """The Idempotency-Key tells afterwards."""
    lost = []

    @event.listens_for(postgres_engine, "commit")
    def cut(connection):
        if not lost:
            lost.append(True)
            _terminate(postgres_engine)

    with running(postgres_engine) as intake:
        with pytest.raises(OutcomeUnknown):
            await intake.submit(submission(key="k"))
        kept = await intake.submit(submission(key="k"))
    assert lost
    assert count(postgres_engine) == 1
    assert not kept.replayed, "this commit never reached the server"


@pytest.mark.parametrize("kept", [True, False])
async def test_a_group_whose_answer_is_lost_is_asked_after_and_kept_once(postgres_engine, kept):
    """A group without keys is one statement; the road is cut before it or behind it, and its caller never hears."""
    lost = []

    @event.listens_for(postgres_engine, "after_cursor_execute" if kept else "before_cursor_execute")
    def cut(connection, cursor, statement, *_):
        if statement.startswith("WITH kept") and not lost:
            lost.append(True)
            with socket.socket(fileno=os.dup(cursor.connection.fileno())) as road:
                road.shutdown(socket.SHUT_RDWR)
            if kept:
                raise OperationalError(statement, {}, Exception("the answer was lost"))

    with running(postgres_engine) as intake:
        await intake.submit(submission())
    assert lost
    assert count(postgres_engine) == 1


async def test_a_group_whose_session_lives_on_without_an_answer_is_an_outcome_nobody_knows(postgres_engine):
    """Its statement may still be kept a moment later."""
    lost = []

    @event.listens_for(postgres_engine, "before_cursor_execute")
    def lose(connection, cursor, statement, *_):
        if statement.startswith("WITH kept") and not lost:
            lost.append(connection.connection.driver_connection)
            raise OperationalError(statement, {}, Exception("no answer"))

    with running(postgres_engine) as intake:
        with pytest.raises(OutcomeUnknown):
            await intake.submit(submission())
        await intake.submit(submission())
    assert lost
    assert count(postgres_engine) == 1


async def test_connections_cut_between_two_groups_are_no_callers_business(postgres_engine):
    with running(postgres_engine) as intake:
        for _ in range(5):
            await intake.submit(submission())
            _terminate(postgres_engine)
    assert count(postgres_engine) == 5


def _terminate(engine):
    """Cut every other connection to this database, as an operator or a fail-over does."""
    with engine_at(engine.url.render_as_string(hide_password=False)) as other, other.connect() as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        )


async def test_with_the_database_down_the_answer_comes_in_time_and_says_that_nothing_was_kept(tmp_path):
    url = f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/none"
    with engine_at(url) as engine, running(engine) as intake:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await intake.submit(submission())
        assert time.monotonic() - began < PATIENCE


async def test_a_database_that_stops_and_comes_back_is_used_again(tmp_path):
    """Promise 9, with a server of its own."""
    node = PostgresNode()
    node.start()
    try:
        migrate(node.url(), tmp_path)
        with engine_at(node.url(), look=True) as engine, running(engine) as intake:
            await intake.submit(submission())
            node.crash()
            for _ in range(3):
                began = time.monotonic()
                with pytest.raises(Unavailable):
                    await intake.submit(submission())
                assert time.monotonic() - began < PATIENCE
            node.start()
            await intake.submit(submission())
            assert count(engine) == 2
    finally:
        node.stop()


async def test_too_much_pending_turns_low_away_first_and_high_last(engine):
    with running(engine, limits=Limits(pending=100)) as intake:
        admission, refusals = intake._admission, []
        for pending, taken in ((99, "hml"), (100, "hm"), (110, "h"), (120, "")):
            admission.level = Level(pending=pending)
            found = ""
            for letter, priority in zip("hml", Priority, strict=True):
                lane = EMAIL_HIGH.__class__(EMAIL_HIGH.channel, priority)
                try:
                    await intake.submit(submission(new(lane)))
                except BacklogFull as error:
                    refusals.append((priority, error))
                else:
                    found += letter
            assert found == taken, pending
    assert all(error.retry_after > 0 and priority in str(error) for priority, error in refusals)


async def test_the_waiting_list_has_an_end(engine):
    with running(engine, wait=0.5, waiting_limit=3) as intake, locked(engine):
        first = await begun_with(intake)
        tasks = [asyncio.create_task(intake.submit(submission())) for _ in range(5)]
        results = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [str(one) for one in results[4:]] == ["too many requests are waiting"] * 2


async def test_a_stop_writes_what_waits_and_refuses_what_comes_later(engine):
    with locked_until_waiting(engine, 20) as (intake, waiting):
        tasks = [asyncio.create_task(intake.submit(submission())) for _ in range(20)]
        stopping = asyncio.create_task(asyncio.to_thread(lambda: (waiting(), intake.stop())))
        await asyncio.gather(*tasks)
        await stopping
        with pytest.raises(Unavailable):
            await intake.submit(submission())
    assert count(engine) == 20


async def test_a_hand_over_that_fails_neither_hurts_the_caller_nor_ends_the_writer(engine):
    def fails(rows):
        raise RuntimeError("the publisher is closed")

    with running(engine, hand_over=fails) as intake:
        for _ in range(3):
            await intake.submit(submission())
        assert intake.alive
    assert count(engine) == count(engine, outbox) == 3


def test_callers_without_a_loop_are_served_the_same(engine):
    with running(engine) as intake, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: intake.submit_and_wait(submission()), range(40)))
    assert len({kept.answer for kept in results}) == 40
    with writing(engine) as connection:
        assert connection.execute(select(func.count()).select_from(notifications)).scalar_one() == 40
