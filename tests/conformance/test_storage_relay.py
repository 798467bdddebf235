"""The relay against real databases, with a road and a publisher in memory: whatever is owed rings again."""

import threading
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from notifier.domain.errors import NotConfirmed
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.queueing import relay as relays
from notifier.queueing.handover import Handover
from notifier.queueing.relay import Relay, RelayConfig
from notifier.storage import outbox, workers
from notifier.storage.engine import reading, writing
from notifier.storage.outbox import Bell
from notifier.storage.types import db_now_plus
from notifier.storage.workers import Beat
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    EMAIL_LOW,
    change,
    claim,
    keep,
    keep_one,
    new,
    row,
    together,
    wish,
)
from tests.nodes.waiting import wait_until


class Paper:
    """A publisher that confirms, refuses or leaves open, as it is told."""

    def __init__(self):
        self.sent = []
        self.answer = "confirm"
        self.open = []

    @property
    def connected(self):
        return self.answer == "confirm"

    def publish(self, messages):
        if self.answer == "raise":
            raise RuntimeError("closed")
        self.sent.append(list(messages))
        future: Future[None] = Future()
        if self.answer == "confirm":
            future.set_result(None)
        elif self.answer == "refuse":
            future.set_exception(NotConfirmed("no"))
        else:
            self.open.append(future)
        return future

    def close(self):
        pass

    @property
    def ids(self):
        return [message.id for group in self.sent for message in group]


class Lanes:
    """A road as it is told."""

    lanes = Lane.all()

    def __init__(self):
        self.counts = dict.fromkeys(Lane.all(), 1)
        self.full = set()
        self.dead = []
        self.fails = False

    def _try(self):
        if self.fails:
            raise OSError("no broker")

    def ready(self):
        self._try()
        return self.counts

    def has_room(self, lane):
        self._try()
        return lane not in self.full

    def drain_dead(self, ring, limit):
        self._try()
        dead, self.dead = self.dead[:limit], self.dead[limit:]
        if dead:
            ring(dead)
        return len(dead)

    def close(self):
        pass


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@contextmanager
def relay_of(engine, *, refused_wait=None, **config):
    paper, road, clock = Paper(), Lanes(), Clock()
    handover = Handover(engine, paper, refused_wait=refused_wait)
    handover.start()
    relay = Relay(engine, handover, road, RelayConfig(**config), clock=clock)
    yield SimpleNamespace(relay=relay, paper=paper, road=road, clock=clock, handover=handover)
    handover.stop(5)


def owe(engine, *bells, due=-1.0):
    with writing(engine) as connection:
        rows = outbox.add(connection, bells, 0.0)
        outbox.release(connection, [one.id for one in rows], due)
    return rows


def owed(engine):
    with reading(engine) as connection:
        return connection.execute(outbox.select(outbox.outbox.c.id)).all()


def silent_worker(engine, age, **said):
    worker = uuid4()
    workers.beat(engine, Beat(id=worker, role="worker", host="h", pid=1, **said))
    with writing(engine) as connection:
        table = workers.workers
        connection.execute(table.update().where(table.c.id == worker).values(beat_at=db_now_plus(-age)))
    return worker


def test_a_pass_with_nothing_to_do_does_nothing(engine):
    with relay_of(engine) as it:
        done = it.relay.pass_once()
        assert (done.due, done.expired, done.published, done.taken_back, done.orphans) == (0, 0, 0, 0, 0)
        assert not done.more
        assert it.paper.sent == []
        assert set(workers.read_gauges(engine)) == {"pending", "database_bytes"}


def test_what_is_due_is_queued_published_and_cleared(engine):
    made = keep_one(engine, units=2)
    change(engine, made, status=Status.SCHEDULED, next_attempt_at=-1.0, queued_at=None)
    with relay_of(engine) as it:
        assert it.relay.pass_once().due == 1
        assert it.handover.wait(60)
        ((message,),) = it.paper.sent
        assert (message.id, message.lane, message.units) == (made, EMAIL_HIGH, 2)
        assert row(engine, made).status == Status.QUEUED
        assert owed(engine) == []


def test_what_is_overdue_expires_and_rings_for_nobody(engine):
    made = keep_one(engine)
    change(engine, made, expires_at=-1.0, next_attempt_at=-1.0)
    with relay_of(engine) as it:
        done = it.relay.pass_once()
        assert (done.expired, done.due) == (1, 0)
        assert it.paper.sent == []


def test_a_row_that_nobody_published_in_time_is_published_and_no_sooner(engine):
    old, young = Bell(EMAIL_HIGH, uuid4(), 1), Bell(EMAIL_HIGH, uuid4(), 1)
    owe(engine, old)
    owe(engine, young, due=60.0)
    with relay_of(engine) as it:
        assert it.relay.pass_once().published == 1
        assert it.handover.wait(60)
        assert it.paper.ids == [old.id]
        assert len(owed(engine)) == 1


def test_a_refused_row_stays_owed_and_comes_again_when_the_broker_is_back(engine):
    for _ in range(5):
        owe(engine, Bell(EMAIL_HIGH, uuid4(), 1))
    with relay_of(engine, refused_wait=0.0, batch=3) as it:
        it.paper.answer = "refuse"
        assert it.relay.pass_once().published == 3
        assert it.handover.wait(60)
        done = it.relay.pass_once()
        assert done.published == 1, "while the broker takes nothing one row asks it"
        assert not done.more
        assert it.handover.wait(60)
        assert len(owed(engine)) == 5
        it.paper.answer = "confirm"
        it.relay.pass_once()
        assert it.handover.wait(60)
        while it.relay.pass_once().more:
            assert it.handover.wait(60)
        assert it.handover.wait(60)
        assert owed(engine) == []


def test_a_publisher_that_raises_leaves_the_row_owed_and_the_relay_alive(engine):
    owe(engine, Bell(EMAIL_HIGH, uuid4(), 1))
    with relay_of(engine) as it:
        it.paper.answer = "raise"
        it.relay.pass_once()
        assert it.handover.wait(60)
        assert it.handover.under_way == 0
        assert len(owed(engine)) == 1


def test_no_more_is_given_to_the_broker_than_it_has_confirmed_room_for(engine, monkeypatch):
    monkeypatch.setattr(relays, "BELLS_UNDER_WAY", 10)
    for _ in range(6):
        owe(engine, *[Bell(EMAIL_HIGH, uuid4(), 1) for _ in range(4)])
    with relay_of(engine) as it:
        it.paper.answer = "leave open"
        assert it.relay.pass_once().published == 3
        assert it.relay.pass_once().published == 0
        for future in it.paper.open:
            future.set_result(None)
        assert it.handover.wait(60)
        it.paper.answer = "confirm"
        assert it.relay.pass_once().published == 3


def test_a_lane_without_room_waits_and_no_other(engine):
    high, low = Bell(EMAIL_HIGH, uuid4(), 1), Bell(EMAIL_LOW, uuid4(), 1)
    owe(engine, high, low)
    with relay_of(engine) as it:
        it.road.full = {EMAIL_LOW}
        it.relay.pass_once()
        assert it.paper.ids == [high.id]
        it.road.full = set()
        it.relay.pass_once()
        assert it.paper.ids == [high.id, low.id]


def test_a_dead_workers_claims_are_rung_and_it_is_buried_once_its_last_claim_has_ended(engine):
    worker = silent_worker(engine, 61)
    made = keep_one(engine)
    claim(engine, [wish(made)], worker)
    change(engine, made, lease_until=1.0)
    with relay_of(engine) as it:
        assert it.relay.pass_once().taken_back == 0, "its last claims may be younger than its last beat"
        change(engine, made, lease_until=-0.1)
        with writing(engine) as connection:
            connection.execute(workers.workers.update().values(beat_at=db_now_plus(-64)))
        assert it.relay.pass_once().taken_back == 1
        assert it.handover.wait(60)
        assert it.paper.ids == [made]
        assert it.relay.pass_once().taken_back == 0
        with reading(engine) as connection:
            assert connection.execute(workers.select(workers.workers.c.buried_at)).scalar_one() is not None


def test_a_relay_that_has_just_started_lets_living_workers_beat_and_store_first(engine):
    """It can't tell dead workers from those that could not beat because storage was away until now."""
    worker = silent_worker(engine, 64)
    made = keep_one(engine)
    claim(engine, [wish(made)], worker)
    change(engine, made, lease_until=-1.0)
    with relay_of(engine, after_return=10.0, poll=0.05) as it:
        loop = threading.Thread(target=it.relay.run)
        loop.start()
        try:
            wait_until(lambda: it.relay.turns >= 3, 60, "three passes")
            assert it.paper.ids == []
            it.clock.now += 10.1
            wait_until(lambda: it.paper.ids == [made], 60, "the bell")
        finally:
            it.relay.stop()
            loop.join(10)


def test_orphans_of_an_empty_queue_are_rung_in_many_batches_and_once_in_five_minutes(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(12)])]
    for one in made:
        change(engine, one, queued_at=-61.0)
    with relay_of(engine, batch=5) as it:
        it.relay.pass_once()
        assert it.paper.sent == [], "the queue holds messages"
        it.road.counts = dict.fromkeys(Lane.all(), 0)
        it.clock.now += 6
        assert it.relay.pass_once().orphans == 12
        assert sorted(it.paper.ids) == sorted(made)
        it.clock.now += 6
        assert it.relay.pass_once().orphans == 0


def test_what_was_overtaken_is_rung_although_the_queue_is_deep(engine):
    lost, fresh = keep_one(engine), keep_one(engine)
    change(engine, lost, queued_at=-100.0)
    silent_worker(engine, 0, oldest_started={"email.high": str(row(engine, fresh).queued_at)})
    with relay_of(engine) as it:
        assert it.relay.pass_once().orphans == 1
        assert it.paper.ids == [lost]


def test_ids_in_dead_letter_queues_are_rung_unless_final(engine):
    alive, final = keep_one(engine), keep_one(engine)
    change(engine, final, status=Status.SENT, finished_at=0.0)
    with relay_of(engine) as it:
        it.road.dead = [alive, final, uuid4()]
        assert it.relay.pass_once().orphans == 1
        assert it.paper.ids == [alive]
        assert it.road.dead == []


def test_with_the_broker_away_everything_that_storage_can_do_is_done(engine):
    worker = silent_worker(engine, 64)
    dead, due, overdue = (keep_one(engine) for _ in range(3))
    claim(engine, [wish(dead)], worker)
    change(engine, dead, lease_until=-1.0)
    change(engine, due, next_attempt_at=-1.0)
    change(engine, overdue, expires_at=-1.0)
    with relay_of(engine) as it:
        it.road.fails, it.paper.answer = True, "refuse"
        done = it.relay.pass_once()
        assert (done.due, done.expired, done.taken_back) == (1, 1, 1)
        assert set(workers.read_gauges(engine)) == {"pending", "database_bytes"}


def test_after_a_time_without_storage_living_workers_get_a_while_to_beat(engine):
    worker = silent_worker(engine, 70)
    made = keep_one(engine)
    claim(engine, [wish(made)], worker)
    change(engine, made, lease_until=-1.0)

    def fail(connection, cursor, statement, *_):
        raise OperationalError(statement, {}, Exception("gone"))

    with relay_of(engine, poll=0.01, after_return=10) as it:
        event.listen(engine, "before_cursor_execute", fail)
        thread = threading.Thread(target=it.relay.run, daemon=True)
        thread.start()
        try:
            wait_until(lambda: it.relay.turns >= 2)
            event.remove(engine, "before_cursor_execute", fail)
            turns = it.relay.turns
            wait_until(lambda: it.relay.turns >= turns + 5)
            assert it.paper.sent == []
            it.clock.now += 11
            wait_until(lambda: it.paper.ids == [made])
        finally:
            it.relay.stop()
            thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("late", [0.4])
def test_the_loop_wakes_at_the_next_due_time_and_not_only_at_its_poll(engine, late):
    made = keep_one(engine)
    change(engine, made, status=Status.SCHEDULED, next_attempt_at=late, queued_at=None)
    with relay_of(engine, poll=30) as it:
        thread = threading.Thread(target=it.relay.run, daemon=True)
        thread.start()
        try:
            wait_until(lambda: it.paper.ids == [made], 10)
            assert it.relay.turns < 10, "it does not spin meanwhile"
            another = keep_one(engine)
            change(engine, another, next_attempt_at=-1.0)
            it.relay.wake()
            wait_until(lambda: another in it.paper.ids, 10)
        finally:
            it.relay.stop()
            thread.join(10)


def test_four_relays_at_once_publish_each_row_once(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(80)])]
    for one in made[:40]:
        change(engine, one, next_attempt_at=-1.0)
    for one in made[40:]:
        owe(engine, Bell(EMAIL_HIGH, one, 1))
    with relay_of(engine) as a, relay_of(engine) as b, relay_of(engine) as c, relay_of(engine) as d:
        together(*[lambda it=it: [it.relay.pass_once() for _ in range(3)] for it in (a, b, c, d)])
        found = [one for it in (a, b, c, d) for one in it.paper.ids]
        assert sorted(found) == sorted(made)
        for it in (a, b, c, d):
            assert it.handover.wait(60)
        assert owed(engine) == []
