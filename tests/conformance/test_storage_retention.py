"""Retention: what has been final for long goes, with the partition it stands in or row by row; nothing else ever does."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from notifier.domain.ids import first_id_at, time_of, uuid7
from notifier.domain.lifecycle import FINAL, Status
from notifier.domain.partitions import Stretch, reaches
from notifier.queueing import retention as retentions
from notifier.queueing.retention import Retention, RetentionConfig
from notifier.storage import accepting, attempts, books, partitions
from notifier.storage.accepting import KeyClaim
from notifier.storage.engine import reading, writing
from notifier.storage.notifications import get
from notifier.storage.tables import dead_letters, idempotency, notifications
from tests.conformance.storage_kit import (
    TENANT,
    change,
    claim,
    claim_one,
    ending,
    engine_at,
    is_postgresql,
    keep,
    keep_one,
    new,
    run_sql,
    store,
    together,
    wish,
)
from tests.nodes.waiting import wait_until

DAYS = 30
DAY = 86_400.0


def retention(engine, days=DAYS, **given):
    return Retention(engine, RetentionConfig(days=days, **given))


def now_of(engine):
    with reading(engine) as connection:
        return accepting.database_time(connection)


def keep_since(engine, age_days, status=Status.SENT, finished_days=None, number=1):
    """Notifications whose ids were made so many days ago; final ones have been so since then, or as it is said."""
    with writing(engine) as connection:
        now = accepting.database_time(connection) - timedelta(days=age_days)
        rows = [(new(), accepting.stored(new(), uuid7(now), now, 3600)) for _ in range(number)]
        accepting.add_notifications(connection, rows, uuid.uuid4())
    made = [one.id for _, one in rows]
    for one in made:
        ended = -(finished_days if finished_days is not None else age_days) * DAY
        change(
            engine, one, status=status, finished_at=ended if status in FINAL else None, expires_at=400 * DAY
        )
    return made


def there(engine):
    with reading(engine) as connection:
        return set(connection.execute(select(notifications.c.id)).scalars())


def place_of(engine, wanted):
    with reading(engine) as connection:
        return run_sql(
            connection, "select tableoid::regclass::text from notifications where id = :id", id=wanted
        ).scalar_one()


def looked(engine):
    with engine.connect() as connection, connection.begin():
        return partitions.look(connection)


def partition_for(engine, age_days, days=5):
    """A partition as it was made ahead then: it ends so many days ago, at midnight."""
    end = now_of(engine).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=age_days)
    stretch = Stretch(end - timedelta(days=days), end)
    with engine.connect() as connection:
        partitions.make(connection, stretch)
    return stretch


def bury(engine, wanted, state, ended_days):
    with writing(engine) as connection:
        connection.execute(
            dead_letters.insert().values(
                notification_id=wanted, tenant=TENANT, channel="email", priority="high", status="failed",
                reason="provider_rejected", attempts=1, state=state,
                created_at=datetime(2020, 1, 1, tzinfo=UTC), finished_at=now_of(engine) - timedelta(days=ended_days),
            )
        )  # fmt: skip


def test_only_what_has_been_final_for_so_long_and_can_not_be_replayed_is_forgotten(engine):
    """Every state that is not final stays, however old; the sum of promise 2 holds."""
    holds_what_must_not_go(engine)


def test_the_same_holds_for_a_partition_that_is_dropped_as_a_whole(postgres_engine):
    """What must stay is in the default partition then."""
    partition_for(postgres_engine, DAYS + 2)
    owed = holds_what_must_not_go(postgres_engine)
    assert {place_of(postgres_engine, one) for one in owed} == {"notifications_default"}
    assert looked(postgres_engine).retired == []


def holds_what_must_not_go(engine):
    old = DAYS + 4
    final = {status: keep_since(engine, old, status)[0] for status in FINAL}
    owed = {status: keep_since(engine, old, status)[0] for status in set(Status) - FINAL}
    lately = keep_since(engine, old, finished_days=DAYS - 1)[0]
    open_one, replayed = keep_since(engine, old, Status.FAILED, number=2)
    bury(engine, open_one, "open", old)
    bury(engine, replayed, "replayed", old)
    young = keep_since(engine, DAYS - 1)[0]
    before = books.read(engine)
    assert before.balanced
    retention(engine).look()
    assert there(engine) == {*owed.values(), lately, open_one, young}
    after = books.read(engine)
    assert after.balanced
    assert after.accepted == before.accepted - len(final) - 1
    for status, one in owed.items():
        assert get(engine, TENANT, one).status is status
    return owed.values()


def test_what_was_moved_out_of_its_partition_goes_on_its_way(postgres_engine):
    """A retry and a scheduled send of long ago are claimed, recorded and, one day, forgotten as others are."""
    stretch = partition_for(postgres_engine, DAYS + 2)
    (queued,) = keep_since(postgres_engine, DAYS + 4, Status.QUEUED)
    retention(postgres_engine).look()
    assert stretch.name not in looked(postgres_engine).made
    change(postgres_engine, queued, next_attempt_at=None, finished_at=None)
    claimed = claim_one(postgres_engine, queued)
    assert store(postgres_engine, [ending(claimed, Status.SENT)]) == []
    assert get(postgres_engine, TENANT, queued).status is Status.SENT
    change(postgres_engine, queued, finished_at=-(DAYS + 1) * DAY)
    retention(postgres_engine).look()
    assert there(postgres_engine) == set()
    assert books.read(postgres_engine).balanced


def test_the_attempts_of_what_is_forgotten_go_and_others_stay(engine):
    gone, stays = keep_since(engine, DAYS + 4, Status.FAILED)[0], keep_since(engine, DAYS + 4, Status.HELD)[0]
    with writing(engine) as connection:
        for one in (gone, stays):
            for n in (1, 2):
                attempts.keep(connection, TENANT, one, n, {"n": n, "started_at": "2026"})
    retention(engine).look()
    assert attempts.of(engine, TENANT, gone) == []
    assert len(attempts.of(engine, TENANT, stays)) == 2


def test_the_attempts_of_a_dropped_partition_go_before_it_in_batches(postgres_engine):
    partition_for(postgres_engine, DAYS + 2)
    gone, stays = (
        keep_since(postgres_engine, DAYS + 4, status)[0] for status in (Status.FAILED, Status.HELD)
    )
    with writing(postgres_engine) as connection:
        for one in (gone, stays):
            for n in range(1, 6):
                attempts.keep(connection, TENANT, one, n, {"n": n, "started_at": "2026"})
    retention(postgres_engine, batch=2).look()
    assert attempts.of(postgres_engine, TENANT, gone) == []
    assert len(attempts.of(postgres_engine, TENANT, stays)) == 5
    assert looked(postgres_engine).retired == []


def test_zero_days_keep_everything_and_make_no_partition(engine):
    kept = keep_since(engine, 3000)
    retention(engine, days=0).look()
    assert there(engine) == set(kept)
    if is_postgresql(engine):
        assert looked(engine).made == {}


def test_a_long_past_goes_in_batches_within_the_share_of_time(engine):
    """No look takes longer than its share, whatever has gathered; the next one goes on where it ended."""
    keep_since(engine, DAYS + 4, number=7)
    ticks = iter(range(1000))
    one = Retention(
        engine, RetentionConfig(days=DAYS, batch=2, share=2.5, round=0.0), clock=lambda: next(ticks)
    )
    one.look()
    assert 0 < len(there(engine)) < 7
    for _ in range(4):
        one.look()
    assert there(engine) == set()


def test_keys_whose_time_is_over_go_however_many_there_are(engine):
    with writing(engine) as connection:
        over = now_of(engine) - timedelta(seconds=1)
        accepting.take_keys(
            connection,
            [
                KeyClaim(api_key="k", route="r", key=f"{n}", body_hash="h", answer="a", expires_at=over)
                for n in range(25)
            ]
            + [
                KeyClaim(
                    api_key="k", route="r", key="now", body_hash="h", answer="a",
                    expires_at=over + timedelta(hours=1),
                )
            ],
        )  # fmt: skip
    retention(engine, batch=4).look()
    with reading(engine) as connection:
        assert connection.execute(select(idempotency.c.key)).scalars().all() == ["now"]


def test_partitions_are_made_ahead_at_once_and_then_a_few_days_ahead(postgres_engine):
    """A new installation's first row stands in a partition already; each has room on its pages for claims."""
    retention(postgres_engine).look()
    made = looked(postgres_engine)
    assert reaches(made.stretches, now_of(postgres_engine)) >= timedelta(days=3)
    assert {one.end - one.begin for one in made.stretches} == {timedelta(days=5)}
    assert place_of(postgres_engine, keep_one(postgres_engine)) == made.stretches[0].name
    with reading(postgres_engine) as connection:
        options = run_sql(
            connection, "select reloptions from pg_class where relname = :n", n=made.stretches[0].name
        )
        assert options.scalar_one() == ["fillfactor=70"]
        parts = "select count(*) from pg_inherits where inhparent = :index ::regclass"
        for index in notifications.indexes:
            assert run_sql(connection, parts, index=index.name).scalar_one() == len(made.made) + 1, index.name
    retention(postgres_engine).look()
    assert looked(postgres_engine) == made


def test_a_table_with_rows_gets_its_first_partition_apart_from_them(postgres_engine):
    """Rows of before the switch stay where they are, what is accepted meanwhile beside them; nothing is copied."""
    before = keep_one(postgres_engine)
    retention(postgres_engine).look()
    (first, *_) = looked(postgres_engine).stretches
    assert first.begin - now_of(postgres_engine) > timedelta(days=1)
    assert place_of(postgres_engine, before) == "notifications_default"
    assert place_of(postgres_engine, keep_one(postgres_engine)) == "notifications_default"
    (later,) = keep_since(
        postgres_engine, -((first.begin - now_of(postgres_engine)).total_seconds() / DAY + 0.1)
    )
    assert place_of(postgres_engine, later) == first.name


def test_the_switch_of_a_large_table_reads_it_beside_the_traffic_and_leaves_no_guard(
    postgres_engine, monkeypatch, caplog
):
    """The rows of before are read under a lock that holds up nobody, not while the new partition is attached."""
    monkeypatch.setattr(partitions, "LARGE", 0)
    keep(postgres_engine, [new() for _ in range(50)])
    with postgres_engine.connect() as connection:
        connection.execute(text("set client_min_messages = debug1"))
        connection.commit()
        # SQLAlchemy hands on to its log what the server notes.
        with caplog.at_level("INFO", logger="sqlalchemy.dialects.postgresql"):
            retention(postgres_engine)._keep_partitions(connection)
    assert "implied by existing constraints" in caplog.text
    found = looked(postgres_engine)
    assert found.made
    assert not found.guarded
    assert books.read(postgres_engine).balanced


def test_rows_go_in_and_are_claimed_while_partitions_are_made_and_taken_out(postgres_engine, monkeypatch):
    """Whoever accepts and claims meanwhile loses nothing and sees no error; what is accepted during the switch stays."""
    monkeypatch.setattr(partitions, "LARGE", 0)
    partition_for(postgres_engine, DAYS + 2)
    keep_since(postgres_engine, DAYS + 4, number=300)
    keep(postgres_engine, [new() for _ in range(300)])
    accepted: list[UUID] = []
    claimed: list[UUID] = []
    done = []

    def traffic():
        while not done:
            made = [one.id for one in keep(postgres_engine, [new() for _ in range(5)])]
            accepted.extend(made)
            found = claim(postgres_engine, [wish(one) for one in made])
            claimed.extend(one.id for one in found)
            store(postgres_engine, [ending(one) for one in found])

    def switch():
        wait_until(lambda: len(claimed) > 20, 20, "traffic")
        try:
            for _ in range(5):
                retention(postgres_engine).look()
        finally:
            before = len(claimed)
            wait_until(lambda: len(claimed) > before + 20, 20, "traffic after the switch")
            done.append(True)

    together(traffic, traffic, switch)
    assert sorted(claimed) == sorted(accepted)
    assert set(accepted) <= there(postgres_engine)
    assert books.read(postgres_engine).balanced
    found = looked(postgres_engine)
    assert not any(one.end < now_of(postgres_engine) for one in found.stretches)


def test_who_reads_for_long_is_waited_for_a_moment_only(postgres_engine):
    """A lock on the table that does not come holds up others no longer than it must; the next look tries again."""
    stretch = partition_for(postgres_engine, DAYS + 2)
    keep_since(postgres_engine, DAYS + 4)
    with postgres_engine.connect() as reader:
        reader.execute(select(func.count()).select_from(notifications))
        retention(postgres_engine).look()
        assert stretch.name in looked(postgres_engine).made
    retention(postgres_engine).look()
    assert stretch.name not in looked(postgres_engine).made
    assert there(postgres_engine) == set()


def test_of_several_relays_one_does_it_and_does_it_once(postgres_engine):
    partition_for(postgres_engine, DAYS + 2)
    gone = keep_since(postgres_engine, DAYS + 4, number=20)
    before = books.read(postgres_engine).accepted
    together(*[lambda: [retention(postgres_engine).look() for _ in range(3)]] * 4)
    after = books.read(postgres_engine)
    assert after.balanced
    assert after.accepted == before - len(gone)
    found = looked(postgres_engine)
    assert all(former.end <= later.begin for former, later in itertools.pairwise(found.stretches))
    assert found.retired == []


def test_a_relay_that_does_not_have_the_turn_leaves_partitions_alone(postgres_engine):
    with postgres_engine.connect() as other:
        assert partitions.take_turn(other)
        other.commit()
        retention(postgres_engine).look()
        assert looked(postgres_engine).made == {}
    # Its session has ended, and the turn with it.
    postgres_engine.dispose()
    retention(postgres_engine).look()
    assert looked(postgres_engine).made


@pytest.mark.parametrize("broken_off", ["after it was taken out", "while guarded"])
def test_what_a_relay_left_half_done_the_next_one_ends(postgres_engine, broken_off):
    """And promise 2's sum holds in between: a partition that was taken out still counts."""
    stretch = partition_for(postgres_engine, DAYS + 2)
    keep_since(postgres_engine, DAYS + 4, number=3)
    before = books.read(postgres_engine)
    with postgres_engine.connect() as connection:
        if broken_off == "while guarded":
            ahead = now_of(postgres_engine) + timedelta(days=40)
            partitions.guard(connection, [Stretch(ahead, ahead + timedelta(days=1))])
        else:
            assert partitions.retire(connection, stretch, []) == 0
            assert looked(postgres_engine).retired == [partitions.retired_name(stretch)]
    assert books.read(postgres_engine) == before
    retention(postgres_engine).look()
    found = looked(postgres_engine)
    assert (found.guarded, found.retired, stretch.name in found.made) == (False, [], False)
    assert books.read(postgres_engine).balanced


def test_what_became_owed_again_after_the_look_is_moved_all_the_same(postgres_engine):
    """What is not final is told by its state under the lock: nothing depends on what was seen before."""
    stretch = partition_for(postgres_engine, DAYS + 2)
    one, _ = keep_since(postgres_engine, DAYS + 4, number=2)
    change(postgres_engine, one, status=Status.HELD, finished_at=None)
    with postgres_engine.connect() as connection:
        assert partitions.retire(connection, stretch, []) == 1
    assert there(postgres_engine) == {one}


def test_a_partition_with_much_that_must_stay_waits_and_is_thinned(postgres_engine, monkeypatch):
    """Moving takes place while nobody else can write: above a bound it waits, and only what may go leaves."""
    monkeypatch.setattr(partitions, "MOVED", 2)
    stretch = partition_for(postgres_engine, DAYS + 2)
    owed = keep_since(postgres_engine, DAYS + 4, Status.SCHEDULED, number=3)
    keep_since(postgres_engine, DAYS + 4, number=4)
    looking = retention(postgres_engine, batch=2, round=0.0)
    looking.look()
    assert stretch.name in looked(postgres_engine).made
    assert there(postgres_engine) == set(owed)
    change(postgres_engine, owed[0], status=Status.CANCELLED, finished_at=-(DAYS + 1) * DAY)
    looking.look()
    assert stretch.name not in looked(postgres_engine).made
    assert there(postgres_engine) == set(owed[1:])
    assert books.read(postgres_engine).balanced


def test_an_id_of_a_clock_that_was_behind_is_kept_wherever_it_falls(postgres_engine):
    """The database's clock was days behind for a while: its rows stand in no partition any more, and are kept."""
    partition_for(postgres_engine, DAYS + 2)
    retention(postgres_engine).look()
    (late,) = keep_since(postgres_engine, DAYS + 4, Status.QUEUED)
    assert place_of(postgres_engine, late) == "notifications_default"
    retention(postgres_engine).look()
    assert there(postgres_engine) == {late}
    claim_one(postgres_engine, late)


def test_ids_of_a_clock_that_was_ahead_are_in_no_ones_way(postgres_engine):
    """Rows stand where the next partition would go: that one is not made, nothing moves, everything is still accepted."""
    ahead = keep_since(postgres_engine, -3, Status.QUEUED)
    one = retention(postgres_engine)
    one.look()
    assert there(postgres_engine) == set(ahead)
    assert not looked(postgres_engine).guarded
    keep_one(postgres_engine)


def test_a_user_who_does_not_own_the_tables_deletes_row_by_row(postgres_engine):
    """Without the right to make tables nothing stands still: rows go to the default partition and leave it one by one."""
    name = f"run_{uuid.uuid4().hex[:8]}"
    with writing(postgres_engine) as connection:
        run_sql(connection, f"create role {name} login")
        run_sql(connection, f"grant all on all tables in schema public to {name}")
        run_sql(connection, f"grant all on all sequences in schema public to {name}")
    url = postgres_engine.url.set(username=name).render_as_string(hide_password=False)
    keep_since(postgres_engine, DAYS + 4, number=3)
    try:
        with engine_at(url) as limited:
            retention(limited).look()
            keep_one(limited)
        assert looked(postgres_engine).made == {}
        assert len(there(postgres_engine)) == 1
        assert books.read(postgres_engine).balanced
    finally:
        with writing(postgres_engine) as connection:
            run_sql(connection, f"drop owned by {name}")
            run_sql(connection, f"drop role {name}")


def test_an_error_of_storage_ends_no_loop(engine, monkeypatch):
    """The loop outlives what goes wrong in one look, and does the rest at the next."""
    looks = []

    def broken(*_):
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("once")
        return 0

    monkeypatch.setattr(retentions.accepting, "sweep_keys", broken)
    (gone,) = keep_since(engine, DAYS + 4)
    running = retention(engine, every=0.01)
    running.start()
    try:
        wait_until(lambda: gone not in there(engine), 20, "the second look")
    finally:
        running.stop()
        running.close()


def test_the_bounds_of_a_partition_are_read_as_they_were_written(postgres_engine):
    stretch = partition_for(postgres_engine, DAYS + 2)
    assert looked(postgres_engine).made == {stretch.name: stretch}
    assert time_of(first_id_at(stretch.begin)) == stretch.begin
