"""What the relay finds: due times, the claims of silent workers, orphans - and how the workers are known."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.storage import claiming, relaying, workers
from notifier.storage.accepting import database_time
from notifier.storage.engine import reading, writing
from notifier.storage.workers import Beat
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    EMAIL_LOW,
    SMS_HIGH,
    change,
    claim,
    claim_one,
    ending,
    keep,
    keep_one,
    new,
    row,
    run_sql,
    store,
    together,
    wish,
)

ORPHAN, AGAIN = 60.0, 300.0


def on(engine, find, *given, **named):
    with writing(engine) as connection:
        return find(connection, *given, **named)


def ids(bells):
    return {bell.id for bell in bells}


# due times


def test_what_is_due_is_queued_with_its_bell_and_only_once(engine):
    scheduled = keep_one(engine, SMS_HIGH, units=4)
    change(engine, scheduled, status=Status.SCHEDULED, next_attempt_at=-1.0, queued_at=None)
    retry = keep_one(engine)
    change(engine, retry, next_attempt_at=-0.1, queued_at=None)
    later, plain, sending = keep_one(engine), keep_one(engine), keep_one(engine)
    change(engine, later, next_attempt_at=60.0)
    change(engine, sending, status=Status.SENDING, next_attempt_at=-1.0)
    bells = on(engine, relaying.queue_due, 10)
    assert {(bell.id, bell.lane, bell.units, bell.version) for bell in bells} == {
        (scheduled, SMS_HIGH, 4, 1), (retry, EMAIL_HIGH, 1, 1),
    }  # fmt: skip
    for one in (scheduled, retry):
        stored = row(engine, one)
        assert (stored.status, stored.next_attempt_at) == (Status.QUEUED, None)
        assert stored.queued_at is not None
    assert on(engine, relaying.queue_due, 10) == []
    assert row(engine, plain).status == Status.QUEUED


def test_due_rows_are_taken_oldest_first_within_bounds_and_shared_between_relays(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(60)])]
    for n, one in enumerate(made):
        change(engine, one, next_attempt_at=float(n - 100))
    assert ids(on(engine, relaying.queue_due, 20)) == set(made[:20])
    found = together(*[lambda: on(engine, relaying.queue_due, 40)] * 3)
    assert sorted(bell.id for group in found for bell in group) == sorted(made[20:])


def test_the_next_due_time_is_told_in_seconds(engine):
    def seconds():
        with reading(engine) as connection:
            return relaying.seconds_to_next_due(connection)

    assert seconds() is None
    made = keep_one(engine)
    assert seconds() is None
    change(engine, made, next_attempt_at=30.0)
    assert 28 < seconds() <= 30
    change(engine, made, next_attempt_at=-5.0)
    assert -7 < seconds() <= -5


@pytest.mark.parametrize("status", [Status.SENDING, Status.HELD, Status.SENT])
def test_a_due_time_that_nobody_will_act_on_keeps_no_relay_awake(engine, status):
    made = keep_one(engine)
    change(engine, made, status=status, next_attempt_at=-5.0)
    with reading(engine) as connection:
        assert relaying.seconds_to_next_due(connection) is None


# silent workers


def beat(engine, worker=None, *, age=0.0, role="worker", **said):
    worker = worker or uuid4()
    workers.beat(engine, Beat(id=worker, role=role, host="host", pid=1, **said))
    if age:
        with writing(engine) as connection:
            moment = workers.db_now_plus(-age)
            table = workers.workers
            connection.execute(table.update().where(table.c.id == worker).values(beat_at=moment))
    return worker


def test_a_worker_is_silent_after_its_lease_until_it_is_buried_or_beats_again(engine):
    dead, young = beat(engine, age=61), beat(engine, age=30)
    beat(engine, age=61, role="relay")
    silent = on(engine, relaying.silent_workers, 60)
    assert [one.id for one in silent] == [dead]
    on(engine, relaying.bury_worker, dead)
    assert on(engine, relaying.silent_workers, 60) == []
    beat(engine, dead, age=61)
    assert [one.id for one in on(engine, relaying.silent_workers, 60)] == [dead]
    assert young != dead


def test_a_dead_workers_ended_claims_are_rung_once_and_stay_for_the_next_claim_to_judge(engine):
    owner = beat(engine)
    ended, running, others = keep_one(engine), keep_one(engine), keep_one(engine)
    claim(engine, [wish(ended), wish(running)], owner)
    claim(engine, [wish(others)])
    for one in (ended, others):
        change(engine, one, lease_until=-1.0)
    assert ids(on(engine, relaying.ring_abandoned, owner, 10, 60)) == {ended}
    assert on(engine, relaying.ring_abandoned, owner, 10, 60) == []
    assert row(engine, ended).status == Status.SENDING


def test_a_claim_lost_by_a_living_worker_is_rung_two_leases_after_its_own(engine):
    lost, slow, other = keep_one(engine), keep_one(engine), keep_one(engine, EMAIL_LOW)
    for one, lane, since in (
        (lost, EMAIL_HIGH, -121.0),
        (slow, EMAIL_HIGH, -100.0),
        (other, EMAIL_LOW, -121.0),
    ):
        claim_one(engine, one, lane)
        change(engine, one, lease_until=since)
    assert ids(on(engine, relaying.ring_lost, EMAIL_HIGH, 10, 60, AGAIN)) == {lost}
    assert on(engine, relaying.ring_lost, EMAIL_HIGH, 10, 60, AGAIN) == []


def test_a_retry_claimed_before_the_relay_queued_it_is_found_when_it_is_lost(engine):
    """A second bell may claim what is due before the relay has rung for it: it has no `queued_at` yet."""
    early = keep_one(engine)
    change(engine, early, queued_at=None, next_attempt_at=-1.0)
    claim_one(engine, early)
    change(engine, early, lease_until=-121.0)
    assert ids(on(engine, relaying.ring_lost, EMAIL_HIGH, 10, 60, AGAIN)) == {early}


# orphans


def ring(engine, lane=EMAIL_HIGH, before=None, limit=100):
    return on(engine, relaying.ring_waiting, lane, before, orphan=ORPHAN, again=AGAIN, limit=limit)


def test_what_waits_for_an_empty_queue_is_rung_after_a_minute_and_again_after_five(engine):
    old, young, low, retry, sent = (keep_one(engine) for _ in range(5))
    change(engine, young, queued_at=-30.0)
    change(engine, low, priority="low", queued_at=-61.0)
    change(engine, retry, queued_at=-61.0, next_attempt_at=5.0)
    change(engine, sent, queued_at=-61.0, status=Status.SENT, finished_at=0.0)
    change(engine, old, queued_at=-61.0)
    assert ids(ring(engine)) == {old}
    assert ring(engine) == []
    change(engine, old, rung_at=-AGAIN - 1)
    assert ids(ring(engine)) == {old}
    assert ids(ring(engine, EMAIL_LOW)) == {low}


def test_what_was_overtaken_is_rung_and_what_comes_after_is_not(engine):
    overtaken, near = keep_one(engine), keep_one(engine)
    change(engine, overtaken, queued_at=-200.0)
    change(engine, near, queued_at=-150.0)
    with reading(engine) as connection:
        now = database_time(connection)
    started = now - timedelta(seconds=120)
    assert ids(ring(engine, before=started)) == {overtaken}


def test_orphans_are_rung_oldest_first_within_bounds(engine):
    made = [keep_one(engine) for _ in range(5)]
    for n, one in enumerate(made):
        change(engine, one, queued_at=-100.0 + n)
    assert ids(ring(engine, limit=2)) == set(made[:2])
    assert ids(ring(engine, limit=9)) == set(made[2:])


def test_dead_letters_of_the_broker_ring_unless_final_or_rung_lately(engine):
    queued, sending, final = keep_one(engine), keep_one(engine), keep_one(engine)
    claim_one(engine, sending)
    store(engine, [ending(claim_one(engine, final))])
    all_ids = [queued, sending, final, uuid4()]
    assert ids(on(engine, relaying.ring_these, all_ids, AGAIN)) == {queued, sending}
    assert on(engine, relaying.ring_these, all_ids, AGAIN) == []
    assert on(engine, relaying.ring_these, [], AGAIN) == []


def test_after_the_broker_lost_all_everything_unfinished_is_rung_page_by_page(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(7)])]
    store(engine, [ending(claim_one(engine, made[0]))])
    change(engine, made[1], next_attempt_at=60.0)
    found: list[UUID] = []
    after = None
    for _ in range(10):
        bells, after = on(engine, relaying.ring_all, after, 3)
        found += [bell.id for bell in bells]
        if after is None:
            break
    assert sorted(found) == sorted(made[2:])


# beats and gauges


def test_a_beat_says_who_lives_and_what_it_holds(engine):
    worker = beat(engine, lanes=("email.high",), begun=(1, -5, 2**63 - 1), report={"a": [1]}, metrics_port=9)
    beat(engine, worker, begun=(7,), report={"b": 2})
    (found,) = workers.living(engine, 5)
    assert (found.id, found.role, found.host) == (worker, "worker", "host")
    assert found.lanes == ["email.high"]
    assert found.report == {"b": 2}
    assert found.beat_age < timedelta(seconds=5)
    assert workers.any_living(engine, 5, "worker")
    assert not workers.any_living(engine, 5, "relay")
    beat(engine, worker, stopped=True)
    assert not workers.any_living(engine, 5, "worker")
    assert workers.living(engine, 5) == []


def test_an_old_beat_is_no_life_and_is_forgotten_in_the_end(engine):
    beat(engine, age=10)
    buried, silent = beat(engine, age=90_000), beat(engine, age=90_000)
    on(engine, relaying.bury_worker, buried)
    assert workers.living(engine, 5) == []
    on(engine, workers.sweep, 86_400)
    with reading(engine) as connection:
        left = set(connection.execute(workers.select(workers.workers.c.id)).scalars())
    assert buried not in left
    assert silent in left, "one that may still hold claims stays"


def test_a_fresh_beat_that_names_a_claim_keeps_it_from_being_taken_over(engine):
    made, owner = keep_one(engine), uuid4()
    wanted = wish(made)
    claim(engine, [wanted], owner)
    beat(engine, owner, begun=(wanted.claim_id,))
    assert on(engine, claiming.abandoned, wish(made), 5) is None, "the lease runs"
    change(engine, made, lease_until=-1.0)
    assert on(engine, claiming.abandoned, wish(made), 5) is None, "a fresh beat names it"
    assert on(engine, claiming.abandoned, wish(made, EMAIL_LOW), 5) is None, "another lane"
    beat(engine, owner, begun=(wanted.claim_id,), age=6)
    assert on(engine, claiming.abandoned, wish(made), 5) is not None, "the beat is old"
    beat(engine, owner, begun=())
    assert on(engine, claiming.abandoned, wish(made), 5) is not None, "it is named no more"


def test_the_oldest_start_of_each_lane_is_told_over_all_living_workers(engine):
    now = datetime.now(UTC)
    older = (now - timedelta(seconds=9)).isoformat()
    beat(engine, oldest_started={"email.high": now.isoformat(), "sms.high": older})
    beat(engine, oldest_started={"email.high": older, "fax.urgent": older, "sms.low": "nonsense"})
    beat(engine, oldest_started={"push.low": older}, age=10)
    with reading(engine) as connection:
        found = relaying.oldest_started(connection, 5)
    old = datetime.fromisoformat(older)
    assert found == {EMAIL_HIGH: old, SMS_HIGH: old}
    assert all(isinstance(lane, Lane) for lane in found)


def test_gauges_and_sizes(engine):
    assert workers.read_gauges(engine) == {}
    on(engine, workers.set_gauge, "pending", 5)
    on(engine, workers.set_gauge, "pending", 6)
    assert workers.read_gauges(engine) == {"pending": 6}
    made = [one.id for one in keep(engine, [new() for _ in range(5)])]
    store(engine, [ending(claim_one(engine, made[0]))])
    with reading(engine) as connection:
        assert relaying.count_pending(connection, 100) == 4
        assert relaying.count_pending(connection, 3) == 3
        assert relaying.database_bytes(connection) > 10_000
        assert run_sql(connection, "select count(*) from workers").scalar_one() == 0
