"""The relay carries replays on: one after another, each published once, and forgets what is old."""

from contextlib import contextmanager

import structlog
from sqlalchemy import event

from notifier.domain.lifecycle import Status
from notifier.domain.replays import FailureState, OperationState
from notifier.storage import migrations, operations
from tests.conformance.storage_kit import TENANT, claim_one, ending, engine_at, row, store
from tests.conformance.storage_kit import change as change_row
from tests.conformance.test_storage_relay import relay_of
from tests.conformance.test_storage_replays import EMAIL_LOW, begin, fail, order, states
from tests.nodes.waiting import wait_until

RATE = 5.0


def published(it):
    assert it.handover.wait(60)
    return [message.id for group in it.paper.sent for message in group]


def test_the_next_is_released_once_the_former_was_sent_and_the_gap_is_over(engine):
    """Not while it waits in its queue, nor while it is being sent; then after the rest of the gap."""
    ours = fail(engine, 2)
    with relay_of(engine) as it:
        operation = begin(engine, order(rate=RATE))
        first = it.relay.pass_once()
        assert (first.replayed, first.replay_in) == (1, 0.0)
        (released,) = published(it)
        assert row(engine, released).resent_from == ours[0]
        waiting = it.relay.pass_once()
        assert (waiting.replayed, 0 < waiting.replay_in <= 1) == (0, True)
        claimed = claim_one(engine, released, EMAIL_LOW)
        assert it.relay.pass_once().replayed == 0

        store(engine, [ending(claimed)])
        wait_until(lambda: it.relay.pass_once().replayed == 1, 60, "the next one")
        second = published(it)[1]
        assert row(engine, second).resent_from == ours[1]
        gap = row(engine, second).queued_at - claimed.claimed_at
        assert gap.total_seconds() >= 1 / RATE - 0.001, "made with milliseconds"
        assert operations.get(engine, TENANT, operation.id).state is OperationState.DONE
        assert it.relay.pass_once().replay_in == float("inf")


def test_what_is_to_be_tried_again_holds_nobody_up(engine):
    """Its retry may be hours away."""
    fail(engine, 2)
    with relay_of(engine) as it:
        begin(engine, order(rate=1000.0))
        it.relay.pass_once()
        claimed = claim_one(engine, published(it)[0], EMAIL_LOW)
        store(engine, [ending(claimed, Status.QUEUED)])
        change_row(engine, claimed.id, next_attempt_at=3600.0)
        wait_until(lambda: it.relay.pass_once().replayed == 1, 60, "the next one")


def test_two_replays_go_side_by_side(engine):
    """Each at its own pace."""
    fail(engine, 2)
    with relay_of(engine) as it:
        for _ in range(2):
            begin(engine, order(limit=1))
        assert it.relay.pass_once().replayed == 2
        assert len(published(it)) == 2


def test_old_failures_are_forgotten_a_batch_at_a_time(engine):
    """Twenty batches at the most; what a long outage left goes with the next sweeps."""
    fail(engine, 22)
    with relay_of(engine, keep_failures=1e-6, batch=1) as it:
        it.relay.pass_once()
        assert states(engine) == {FailureState.OPEN: 2}
        it.clock.now += 31
        it.relay.pass_once()
        assert states(engine) == {}


def test_failures_are_kept_for_ever_where_the_settings_say_so(engine):
    fail(engine, 2)
    with relay_of(engine, keep_failures=0.0) as it:
        it.relay.pass_once()
        assert states(engine) == {FailureState.OPEN: 2}


@contextmanager
def _statements(engine):
    found = []

    def note(_connection, _cursor, statement, *_):
        found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def test_before_the_migration_a_relay_does_its_other_duties(database_url):
    """It says so once, and looks again: the tables may come while it runs."""
    migrations.upgrade(database_url)
    migrations.downgrade(database_url, "0003")
    with engine_at(database_url) as engine, relay_of(engine, keep_failures=1.0) as it:
        with structlog.testing.capture_logs() as logs, _statements(engine) as sent:
            for _ in range(3):
                it.relay.pass_once()
                it.clock.now += 31
        assert [one["event"] for one in logs].count("replays_unread") == 1
        assert not [one for one in sent if "DELETE FROM dead_letters" in one]
        migrations.upgrade(database_url)
        fail(engine, 1)
        begin(engine, order())
        assert it.relay.pass_once().replayed == 1
