"""Promise 2's sum: counted apart from the rows, in the transaction that keeps them, read at one moment."""

import threading
import uuid

import pytest
from sqlalchemy import delete, select, update

from notifier.domain.ids import uuid7
from notifier.domain.lifecycle import Status
from notifier.storage import accepting, books
from notifier.storage.books import GONE, Books
from notifier.storage.engine import reading, writing
from notifier.storage.tables import accepted, notifications
from notifier.storage.types import db_now_plus
from tests.conformance.storage_kit import (
    change,
    claim_one,
    ending,
    is_postgresql,
    keep,
    keep_one,
    new,
    store,
    together,
)


def add(connection, writer, number):
    """Keep so many in an open transaction."""
    now = accepting.database_time(connection)
    rows = [(one, accepting.stored(one, uuid7(now), now, 3600)) for one in (new() for _ in range(number))]
    accepting.add_notifications(connection, rows, writer)


def kept_by(engine):
    with reading(engine) as connection:
        return {row.writer: row.number for row in connection.execute(select(accepted))}


def silent_for(engine, writer, seconds):
    with writing(engine) as connection:
        connection.execute(
            update(accepted).where(accepted.c.writer == writer).values(at=db_now_plus(-seconds))
        )


def fold(engine, older_than=3600):
    with writing(engine) as connection:
        books.fold(connection, older_than)


def test_an_empty_database_balances(engine):
    found = books.read(engine)
    assert (found.accepted, sum(found.parts.values()), found.missing, found.balanced) == (0, 0, 0, True)


def test_every_state_stands_in_one_part_of_the_sum(engine):
    """Each of the eleven states is counted once, under promise 2's word for it."""
    for status in Status:
        change(engine, keep_one(engine), status=status)
    found = books.read(engine)
    assert found.parts == {
        "pending": 3,
        "held": 1,
        "sent": 3,
        "failed": 1,
        "expired": 1,
        "cancelled": 1,
        "suppressed": 1,
    }
    assert (found.accepted, found.balanced) == (len(Status), True)


def test_what_is_delivered_moves_within_the_sum(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(3)])]
    store(engine, [ending(claim_one(engine, made[0]))])
    found = books.read(engine)
    assert (found.accepted, found.parts["pending"], found.parts["sent"]) == (3, 2, 1)
    assert found.balanced


def test_a_row_that_disappears_is_missed_and_one_that_nobody_accepted_is_seen(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(3)])]
    with writing(engine) as connection:
        connection.execute(delete(notifications).where(notifications.c.id == made[1]))
    found = books.read(engine)
    assert (found.accepted, found.missing, found.balanced) == (3, 1, False)
    with writing(engine) as connection:
        books.enter(connection, uuid.uuid4(), -3)
    found = books.read(engine)
    assert (found.missing, found.balanced) == (-2, False)


def crash(engine):
    with writing(engine) as connection:
        add(connection, uuid.uuid4(), 5)
        1 / 0  # noqa: B018 - the crash


def test_a_group_that_is_rolled_back_was_never_accepted(engine):
    """A crash before the commit takes the rows and their count together."""
    keep_one(engine)
    with pytest.raises(ZeroDivisionError):
        crash(engine)
    assert books.read(engine) == Books(1, {Status.QUEUED: 1})


def test_one_writer_s_groups_add_up_in_one_row(engine):
    writer = uuid.uuid4()
    for number in (1, 4, 2):
        with writing(engine) as connection:
            add(connection, writer, number)
    assert kept_by(engine)[writer] == 7


def test_it_balances_at_every_moment_while_two_write(engine):
    """Two writers, one that ends what they keep and one that folds: a reader never sees one side alone."""
    over = threading.Event()
    rounds, size = 25, 7

    def write():
        writer = uuid.uuid4()
        for _ in range(rounds):
            with writing(engine) as connection:
                add(connection, writer, size)

    def both():
        try:
            together(write, write)
        finally:
            over.set()

    def meddle():
        while not over.is_set():
            fold(engine, older_than=0)
            with writing(engine) as connection:
                connection.execute(update(notifications).values(status=Status.SENT))

    def read():
        seen = []
        while not over.is_set():
            seen.append(books.read(engine))
        return seen

    _, _, seen = together(both, meddle, read)
    assert seen
    assert [found for found in seen if not found.balanced] == []
    last = books.read(engine)
    assert (last.accepted, last.balanced) == (2 * rounds * size, True)


def test_no_writer_waits_for_another(postgres_engine):
    """The first has counted and not committed; the second commits meanwhile (`lock_timeout` is 2 s)."""
    assert is_postgresql(postgres_engine)
    with writing(postgres_engine) as first:
        add(first, uuid.uuid4(), 1)
        with writing(postgres_engine) as second:
            add(second, uuid.uuid4(), 1)
        assert books.read(postgres_engine) == Books(1, {Status.QUEUED: 1})
    assert books.read(postgres_engine).accepted == 2


def test_folding_waits_for_no_writer_and_takes_nothing_from_it(postgres_engine):
    writer = uuid.uuid4()
    with writing(postgres_engine) as connection:
        add(connection, writer, 2)
    silent_for(postgres_engine, writer, 7200)
    with writing(postgres_engine) as connection:
        add(connection, writer, 3)
        fold(postgres_engine)
    assert kept_by(postgres_engine)[writer] == 5
    assert books.read(postgres_engine).balanced


def test_those_who_are_gone_are_folded_into_one_row_and_may_come_back(engine):
    gone, silent, busy = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    for writer, number in ((gone, 2), (silent, 3), (busy, 4)):
        with writing(engine) as connection:
            add(connection, writer, number)
    for writer in (gone, silent):
        silent_for(engine, writer, 7200)
    before = kept_by(engine).get(GONE, 0)
    fold(engine)
    fold(engine)
    assert kept_by(engine) == {GONE: before + 5, busy: 4}
    with writing(engine) as connection:
        add(connection, silent, 1)
    assert kept_by(engine)[silent] == 1
    assert books.read(engine) == Books(10, {Status.QUEUED: 10})
