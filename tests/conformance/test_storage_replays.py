"""Replays and discards in storage: each failure at most once, whoever dies where, and nothing lost."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from notifier.domain.errors import KeyReused
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.replays import FailureState, OperationKind, OperationState
from notifier.storage import books, changes, dead_letters, operations, replaying
from notifier.storage.dead_letters import FailureFilter, bury
from notifier.storage.engine import reading, writing
from notifier.storage.operations import Order, OrderKey
from notifier.storage.tables import dead_letters as letters
from notifier.storage.tables import notifications
from notifier.storage.types import db_now, db_now_plus
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, TENANT, keep, new, row, together

WRITER = uuid4()
REFUSED = FailureFilter(reason=Reason.CONTENT_REJECTED)


def fail(engine, number, lane=EMAIL_LOW, reason=Reason.CONTENT_REJECTED, **given):
    """Some notifications that have finally failed; their ids, oldest first."""
    made = sorted(one.id for one in keep(engine, [new(lane, **given) for _ in range(number)]))
    with writing(engine) as connection:
        connection.execute(
            update(notifications)
            .where(notifications.c.id.in_(made))
            .values(status=Status.FAILED, reason=reason, finished_at=db_now(), queued_at=None)
        )
        bury(connection, made)
    return made


def order(kind=OperationKind.REPLAY, wanted=REFUSED, **given):
    values = {
        "tenant": TENANT,
        "by": "key-9",
        "request_id": "r-1",
        "asked": {},
        "limit": 1000,
        "rate": 1000.0,
    }
    return Order(kind=kind, wanted=wanted, **(values | given))


def begin(engine, wanted, key=None):
    return operations.begin(engine, wanted, key).row


def seen(engine, operation):
    with reading(engine) as connection:
        _, found = replaying.running(connection, 10)
    return next((one for one in found if one.id == operation.id), None)


def release(engine, operation, limit=100):
    """One step of whoever carries it on."""
    known = seen(engine, operation)
    if known is None:
        return []
    with writing(engine) as connection:
        return replaying.release(connection, known, WRITER, limit)


def release_all(engine, operation, limit=100):
    bells = []
    while seen(engine, operation) is not None:
        bells += release(engine, operation, limit)
    return bells


def states(engine):
    with reading(engine) as connection:
        found = connection.execute(select(letters.c.state, func.count()).group_by(letters.c.state))
        return {FailureState(state): number for state, number in found}


def test_what_matches_is_taken_once_and_only_that(engine):
    """1,000 failures of which 300 match: 300, and the second time none."""
    fail(engine, 700, reason=Reason.PROVIDER_REJECTED)
    ours = fail(engine, 300)
    preview = operations.preview(engine, order())
    assert (preview.matched, preview.dropped, preview.forgotten, preview.more) == (300, 0, 0, False)
    assert states(engine) == {FailureState.OPEN: 1000}, "a preview changes nothing"

    first, second = begin(engine, order()), begin(engine, order())
    assert (first.matched, first.state) == (300, OperationState.RUNNING)
    assert (second.matched, second.state) == (0, OperationState.DONE)
    assert operations.preview(engine, order()).matched == 0
    bells = release_all(engine, first)
    assert len({bell.id for bell in bells}) == len(bells) == 300
    assert sorted(row(engine, bell.id).resent_from for bell in bells) == ours
    done = operations.get(engine, TENANT, first.id)
    assert (done.state, done.replayed, done.finished_at is not None) == (OperationState.DONE, 300, True)
    assert states(engine) == {FailureState.OPEN: 700, FailureState.REPLAYED: 300}
    assert books.read(engine).balanced


def test_a_replay_is_a_new_notification_like_the_first(engine):
    """Content, recipient and all its names; who asked and what it came from. The old row is not touched."""
    (original,) = fail(engine, 1, reference="order-42", tags=("a",), metadata={"k": "v"}, topic="t")
    before = row(engine, original)
    (bell,) = release_all(engine, begin(engine, order()))
    made = row(engine, bell.id)
    for name in (
        "tenant mode channel priority recipient recipient_hash content reference tags metadata topic "
        "on_uncertain units expires_at"
    ).split():
        assert getattr(made, name) == getattr(before, name), name
    assert (made.status, made.attempt, made.api_key, made.request_id) == (Status.QUEUED, 0, "key-9", "r-1")
    assert (made.resent_from, made.batch_id, made.last_attempt) == (original, None, None)
    assert row(engine, original) == before
    (letter,) = dead_letters.walk(engine, TENANT, FailureFilter(), 10, None).rows
    assert (letter.state, letter.replayed_as) == (FailureState.REPLAYED, bell.id)
    assert bell.lane == EMAIL_LOW


def test_another_priority_is_another_lane(engine):
    fail(engine, 1)
    (bell,) = release_all(engine, begin(engine, order(priority=Priority.HIGH)))
    assert bell.lane == EMAIL_HIGH
    assert row(engine, bell.id).priority == Priority.HIGH


def test_what_has_expired_or_has_no_content_is_passed_over_and_counted(engine):
    """More of them in a row than one step looks at; the preview says the same."""
    ours = fail(engine, 12)
    with writing(engine) as connection:
        old, bare = notifications.c.id.in_(ours[:5]), notifications.c.id.in_(ours[5:8])
        connection.execute(update(notifications).where(old).values(expires_at=db_now_plus(-1)))
        connection.execute(update(notifications).where(bare).values(content=None))
    preview = operations.preview(engine, order())
    assert (preview.matched, preview.dropped, preview.forgotten) == (12, 5, 3)
    operation = begin(engine, order())
    assert len(release_all(engine, operation, limit=3)) == 4
    done = operations.get(engine, TENANT, operation.id)
    assert (done.matched, done.replayed, done.dropped, done.forgotten) == (12, 4, 5, 3)
    assert states(engine) == {
        FailureState.REPLAYED: 4,
        FailureState.DROPPED: 5,
        FailureState.FORGOTTEN: 3,
    }


def test_a_new_ttl_makes_the_expired_worth_sending(engine):
    """From its release on."""
    (ours,) = fail(engine, 1)
    with writing(engine) as connection:
        connection.execute(
            update(notifications).where(notifications.c.id == ours).values(expires_at=db_now_plus(-9))
        )
    assert operations.preview(engine, order(ttl=60)).dropped == 0
    (bell,) = release_all(engine, begin(engine, order(ttl=60)))
    made = row(engine, bell.id)
    assert timedelta(seconds=59) < made.expires_at - made.created_at < timedelta(seconds=61)


def test_a_limit_takes_the_oldest_and_says_that_there_are_more(engine):
    ours = fail(engine, 5)
    assert operations.preview(engine, order(limit=3)).more
    assert not operations.preview(engine, order(limit=5)).more
    bells = release_all(engine, begin(engine, order(limit=3)))
    assert [row(engine, bell.id).resent_from for bell in bells] == ours[:3]
    assert len(release_all(engine, begin(engine, order()))) == 2


def test_a_process_that_dies_before_its_commit_has_released_nothing(engine):
    """The next one to look releases that very failure, once."""
    fail(engine, 3)
    operation = begin(engine, order())
    known = seen(engine, operation)

    def die():
        with writing(engine) as connection:
            assert replaying.release(connection, known, WRITER, 100)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die()
    assert states(engine) == {FailureState.REPLAYING: 3}
    assert changes.counts(engine)[Status.QUEUED] == 0
    assert len(release_all(engine, operation)) == 3
    assert changes.counts(engine)[Status.QUEUED] == 3
    assert books.read(engine).balanced


def test_two_that_see_the_same_moment_release_one(engine):
    """At the same time, or one with what it saw before the other."""
    fail(engine, 20)
    operation = begin(engine, order())
    for _ in range(5):
        known = seen(engine, operation)

        def one(known=known):
            with writing(engine) as connection:
                return replaying.release(connection, known, uuid4(), 100)

        bells = [bell for made in together(one, one, one) for bell in made]
        assert len(bells) == 1
        assert one() == []
    assert operations.get(engine, TENANT, operation.id).replayed == 5


def test_two_operations_asked_for_at_the_same_time_share_what_there_is(engine):
    fail(engine, 50)
    made = together(*[lambda: begin(engine, order())] * 3)
    assert sum(one.matched for one in made) == 50
    assert sum(len(release_all(engine, one)) for one in made) == 50


def test_the_same_key_gives_the_same_operation(engine):
    """Also when it comes several times at once, and as it stands now; for another request it is refused."""
    fail(engine, 3)
    key = OrderKey(api_key="key-9", route="r", key="k", body_hash="aa", hours=1)
    made = together(*[lambda: operations.begin(engine, order(), key)] * 3)
    assert len({one.row.id for one in made}) == 1
    assert sorted(one.replayed for one in made) == [False, True, True]
    release_all(engine, made[0].row)
    assert operations.begin(engine, order(), key).row.replayed == 3
    with pytest.raises(KeyReused):
        operations.begin(engine, order(), replace(key, body_hash="bb"))
    assert not operations.begin(engine, order(), replace(key, key="other")).replayed
    for one in (replace(key, key="old", hours=-1), replace(key, key="old")):
        assert not operations.begin(engine, order(), one).replayed, "its time was over"


def test_a_cancelled_replay_gives_back_what_it_has_not_released(engine):
    fail(engine, 4)
    operation = begin(engine, order())
    assert release(engine, operation)
    known = seen(engine, operation)
    stopped = operations.cancel(engine, TENANT, operation.id)
    assert (stopped.state, stopped.replayed) == (OperationState.CANCELLED, 1)
    with writing(engine) as connection:
        assert replaying.release(connection, known, WRITER, 100) == []
    assert states(engine) == {FailureState.OPEN: 3, FailureState.REPLAYED: 1}
    assert operations.cancel(engine, TENANT, operation.id) == stopped
    assert begin(engine, order()).matched == 3


def test_a_discard_puts_aside_and_a_replay_no_longer_finds_it(engine):
    fail(engine, 3)
    done = begin(engine, order(OperationKind.DISCARD, rate=None))
    assert (done.state, done.matched, done.discarded) == (OperationState.DONE, 3, 3)
    assert begin(engine, order()).matched == 0
    assert states(engine) == {FailureState.DISCARDED: 3}
    assert changes.counts(engine)[Status.FAILED] == 3, "no final row is reopened"


def test_tenants_never_see_each_others_failures_or_operations(engine):
    fail(engine, 2)
    theirs = fail(engine, 1, tenant="other")
    assert operations.preview(engine, order()).matched == 2
    operation = begin(engine, order())
    assert operation.matched == 2
    assert operations.get(engine, "other", operation.id) is None
    assert operations.cancel(engine, "other", operation.id) is None
    (left,) = dead_letters.walk(engine, "other", FailureFilter(), 10, None).rows
    assert ([left.notification_id], left.state) == (theirs, FailureState.OPEN)
    assert [one.count for one in dead_letters.summary(engine, "other", FailureFilter(), ["reason"])] == [1]


def test_failures_are_summed_up_by_what_is_asked(engine):
    fail(engine, 3)
    fail(engine, 2, lane=Lane(Channel.SMS, Priority.HIGH), reason=Reason.PROVIDER_REJECTED)
    found = dead_letters.summary(engine, TENANT, FailureFilter(), ["reason", "channel"])
    assert [(one.by, one.count) for one in found] == [
        ({"reason": "content_rejected", "channel": "email"}, 3),
        ({"reason": "provider_rejected", "channel": "sms"}, 2),
    ]
    assert all(one.oldest <= one.newest for one in found)
    narrowed = FailureFilter(channel=Channel.SMS, state=FailureState.OPEN)
    assert [one.count for one in dead_letters.summary(engine, TENANT, narrowed, ["state"])] == [2]


def test_old_failures_are_forgotten_in_batches_but_for_those_that_wait_for_their_replay(engine):
    fail(engine, 5)
    fail(engine, 2, reason=Reason.PROVIDER_REJECTED)
    operation = begin(engine, order(wanted=FailureFilter(reason=Reason.PROVIDER_REJECTED)))
    aside = begin(engine, order(OperationKind.DISCARD, limit=1))
    with writing(engine) as connection:
        assert dead_letters.sweep(connection, 3600, 100) == operations.sweep(connection, 3600, 100) == 0
        assert [dead_letters.sweep(connection, 0, 3) for _ in range(3)] == [3, 2, 0]
        assert operations.sweep(connection, 0, 100) == 1
    assert operations.get(engine, TENANT, aside.id) is None
    assert states(engine) == {FailureState.REPLAYING: 2}
    assert len(release_all(engine, operation)) == 2
    assert books.read(engine).balanced
