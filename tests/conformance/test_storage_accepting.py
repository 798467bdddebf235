"""Keeping a group: every field comes back, the database's clock rules, a key is taken once, bells are owed."""

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from notifier.domain.attachments import Attachment
from notifier.domain.ids import time_of, uuid7
from notifier.domain.lanes import Channel, Lane
from notifier.domain.lifecycle import Mode, OnUncertain, Status
from notifier.domain.notification import Content
from notifier.domain.recipients import EmailAddress, Platform, PushToken
from notifier.storage import accepting, faults, notifications, outbox
from notifier.storage.accepting import KeyClaim
from notifier.storage.engine import reading, writing
from notifier.storage.notifications import search_hash
from notifier.storage.outbox import Bell
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    EMAIL_LOW,
    SMS_HIGH,
    TENANT,
    engine_at,
    keep,
    keep_one,
    migrate,
    new,
    row,
    together,
)

NASTY = "ü 中文 🎉 \u202e ' \" \\ \n\r\t {} [] , NULL null $1 :x %s %(a)s ;--"


def test_every_field_comes_back_as_it_was(engine):
    batch = uuid4()
    file = Attachment(filename=NASTY, content_type="text/plain", data="eA==")
    full = new(
        EMAIL_HIGH,
        tenant=NASTY,
        api_key=NASTY,
        recipient=EmailAddress("ada@example.com", NASTY),
        content=Content(subject=NASTY, text=NASTY, html=NASTY, attachments=(file, file)),
        mode=Mode.TEST,
        units=3,
        ttl=77,
        topic=NASTY,
        reference=NASTY,
        tags=(NASTY, "b", ""),
        metadata={NASTY: NASTY, "empty": ""},
        on_uncertain=OnUncertain.HOLD,
        provider=NASTY,
        options={"deep": {"list": [1, 2.5, None, True, NASTY]}},
        batch_id=batch,
        traceparent="00-a-b-01",
        request_id=NASTY,
    )
    made = keep(engine, [full, new(EMAIL_HIGH, tenant=NASTY)])
    found = notifications.get(engine, NASTY, made[0].id)
    assert found is not None
    assert found.recipient == full.recipient.to_json()
    assert (found.mode, found.units, found.topic, found.reference) == (Mode.TEST, 3, NASTY, NASTY)
    assert (found.tags, found.metadata, found.options) == (list(full.tags), full.metadata, full.options)
    assert (found.on_uncertain, found.provider, found.batch_id) == (OnUncertain.HOLD, NASTY, batch)
    assert (found.traceparent, found.request_id) == ("00-a-b-01", NASTY)
    assert (found.lane, found.status, found.reason, found.attempt) == (EMAIL_HIGH, Status.QUEUED, None, 0)
    assert found.expires_at - found.created_at == timedelta(seconds=77)
    assert found.queued_at == found.created_at
    stored = row(engine, made[0].id)
    assert stored.content == full.content.to_json()
    assert (stored.message_version, stored.tenant, stored.api_key) == (1, NASTY, NASTY)
    assert stored.recipient_hash == search_hash(NASTY, "ada@example.com")


def test_what_was_not_given_is_nothing(engine):
    made = keep(engine, [new(content=Content(text="x")), new(content=Content(text="y"))])[0]
    found = notifications.get(engine, TENANT, made.id)
    assert found is not None
    assert row(engine, made.id).content == {"text": "x"}
    assert (found.tags, found.metadata, found.options) == ([], {}, None)
    empty = (found.topic, found.reference, found.provider, found.batch_id, found.send_at, found.last_attempt)
    assert set(empty) == {None}


def test_a_subscription_comes_back_as_json(engine):
    subscription = (
        '{"endpoint":"https://push.example.com/a","keys":{"auth":"YWFhYWFhYWFhYWFhYWFhYQ","p256dh":"x"}}'
    )
    push = next(lane for lane in Lane.all() if lane.channel == "push")
    made = keep_one(engine, push, recipient=PushToken(subscription, Platform.WEBPUSH))
    found = notifications.get(engine, TENANT, made)
    assert found is not None
    assert found.recipient["push_token"]["endpoint"] == "https://push.example.com/a"


def test_a_thousand_are_kept_in_one_statement_with_ids_in_order_of_time(engine):
    first = keep(engine, [new() for _ in range(1000)])
    time.monotonic()
    second = keep(engine, [new() for _ in range(3)])
    assert len({one.id for one in first}) == 1000
    assert all(abs((time_of(one.id) - one.created_at).total_seconds()) < 0.001 for one in first)
    assert second[0].created_at >= first[0].created_at


def test_a_clock_that_is_hours_off_changes_nothing_on_postgresql(migrated_postgres_url):
    """Promise 12: a host whose clock is wrong decides nothing."""
    with engine_at(migrated_postgres_url, clock=lambda: time.time() - 7200) as engine:
        made = keep(engine, [new()])[0]
        assert abs((made.created_at - datetime.now(UTC)).total_seconds()) < 60
        assert abs((time_of(made.id) - datetime.now(UTC)).total_seconds()) < 60


def test_the_given_clock_is_sqlites(tmp_path):
    url = f"sqlite:///{tmp_path / 'a.db'}"
    migrate(url, tmp_path / "template")
    with engine_at(url, clock=lambda: 1_000_000.25) as engine:
        with reading(engine) as connection:
            assert accepting.database_time(connection) == datetime(1970, 1, 12, 13, 46, 40, 250000, UTC)
        assert row(engine, keep_one(engine)).created_at.year == 1970


@pytest.mark.parametrize(
    ("ahead", "ttl", "status", "life"),
    [
        (None, None, Status.QUEUED, 3600),
        (None, 5, Status.QUEUED, 5),
        (600, None, Status.SCHEDULED, 600 + 3600),
        (600, 5, Status.SCHEDULED, 605),
        (-60, None, Status.QUEUED, 3600),
        (-60, 5, Status.QUEUED, 5),
    ],
)
def test_what_is_asked_for_later_is_scheduled_and_lives_from_then(ahead, ttl, status, life):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    send_at = None if ahead is None else now + timedelta(seconds=ahead)
    made = accepting.stored(new(send_at=send_at, ttl=ttl), uuid7(now), now, 3600)
    assert (made.status, made.send_at, made.created_at) == (status, send_at, now)
    assert made.expires_at == now + timedelta(seconds=life)


def test_a_scheduled_row_is_due_at_its_time_and_queued_by_nobody(engine):
    with reading(engine) as connection:
        now = accepting.database_time(connection)
    made = keep_one(engine, send_at=now + timedelta(hours=1))
    stored = row(engine, made)
    assert (stored.status, stored.queued_at) == (Status.SCHEDULED, None)
    assert stored.next_attempt_at == stored.send_at == now + timedelta(hours=1)


# keys


def key(name="k", body="b" * 64, life=3600.0, answer="{}"):
    expires = datetime.now(UTC) + timedelta(seconds=life)
    return KeyClaim(api_key="key-1", route="r", key=name, body_hash=body, answer=answer, expires_at=expires)


def take(engine, *keys):
    with writing(engine) as connection:
        return accepting.take_keys(connection, keys)


def test_a_key_is_taken_once_and_found_with_its_answer(engine):
    wanted = key(NASTY, answer=NASTY)
    assert take(engine, wanted, key("other")) == {wanted.name, key("other").name}
    assert take(engine, key(NASTY, "c" * 64)) == set()
    with reading(engine) as connection:
        found = accepting.find_key(connection, wanted.name)
        assert accepting.find_key(connection, ("key-1", "other route", NASTY)) is None
    assert found == accepting.KeyFound("b" * 64, NASTY, expired=False)


def test_a_key_whose_time_is_over_is_renewed_and_one_that_lives_is_not_forgotten(engine):
    take(engine, key("old", life=-5), key("young"))
    with writing(engine) as connection:
        found = accepting.find_key(connection, key("old").name)
        assert found is not None
        assert found.expired
        for name in ("old", "young"):
            accepting.forget_key(connection, key(name).name)
        assert accepting.take_keys(connection, [key("old"), key("young")]) == {key("old").name}


def test_sweeping_removes_only_keys_whose_time_is_over_and_no_more_than_asked(engine):
    take(engine, *[key(f"old-{n}", life=-5) for n in range(5)], key("young"))
    with writing(engine) as connection:
        assert accepting.sweep_keys(connection, 3) == 3
    assert together(*[lambda: _sweep(engine)] * 2) in ([2, 0], [0, 2])
    assert take(engine, key("young")) == set()


def _sweep(engine):
    with writing(engine) as connection:
        return accepting.sweep_keys(connection, 100)


def test_the_second_with_a_key_waits_for_the_first_and_takes_it_if_that_fails(engine):
    for fails in (False, True):
        taken, go, seen = threading.Event(), threading.Event(), []
        name = f"k-{fails}"

        def first(name=name, taken=taken, go=go, fails=fails):
            with writing(engine) as connection:
                accepting.take_keys(connection, [key(name)])
                taken.set()
                go.wait(60)
                if fails:
                    connection.rollback()

        def second(name=name, taken=taken, seen=seen):
            taken.wait(60)
            seen.append(take(engine, key(name)))

        threads = [threading.Thread(target=act, daemon=True) for act in (first, second)]
        for thread in threads:
            thread.start()
        assert taken.wait(60)
        threads[1].join(0.3)
        assert threads[1].is_alive(), "the second must wait"
        go.set()
        for thread in threads:
            thread.join(10)
        assert seen == [{key(name).name} if fails else set()]


def test_waiting_for_a_key_ends_with_a_lock_timeout_on_postgresql(postgres_engine):
    taken, go = threading.Event(), threading.Event()

    def first():
        with writing(postgres_engine) as connection:
            accepting.take_keys(connection, [key()])
            taken.set()
            go.wait(60)

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    assert taken.wait(60)
    began = time.monotonic()
    with pytest.raises(Exception) as caught:
        take(postgres_engine, key())
    assert faults.is_lock_timeout(caught.value)
    assert 1.5 < time.monotonic() - began < 12
    go.set()
    thread.join(10)


# the outbox


def owe(engine, bells, grace=0.0):
    with writing(engine) as connection:
        return outbox.add(connection, bells, grace)


def due(engine, limit=100, grace=60.0, **how):
    with writing(engine) as connection:
        return outbox.take_due(connection, limit, grace, **how)


def test_one_row_for_a_lane_and_group_and_five_hundred_bells_in_a_row(engine):
    bells = [Bell(lane, uuid4(), n % 3 + 1) for n in range(501) for lane in (EMAIL_HIGH, SMS_HIGH)]
    made = owe(engine, bells)
    assert sorted((one.lane.name, len(one.bells)) for one in made) == [
        ("email.high", 1), ("email.high", 500), ("sms.high", 1), ("sms.high", 500),
    ]  # fmt: skip
    found = due(engine)
    assert found == sorted(made, key=lambda one: one.id)
    assert due(engine) == [], "taken rows are nobody else's for the grace"


def test_a_row_is_not_due_before_its_grace_and_a_released_one_is_when_said(engine):
    (made,) = owe(engine, [Bell(EMAIL_HIGH, uuid4(), 1)], grace=60.0)
    assert due(engine) == []
    with writing(engine) as connection:
        outbox.release(connection, [made.id], 0.0)
    assert [one.id for one in due(engine)] == [made.id]
    with writing(engine) as connection:
        outbox.release(connection, [made.id], 60.0)
    assert due(engine) == []


def test_only_rows_of_the_lanes_that_have_room_are_taken(engine):
    owe(engine, [Bell(lane, uuid4(), 1) for lane in Lane.all(Channel)])
    assert due(engine, lanes=[]) == []
    taken = due(engine, lanes=[EMAIL_LOW, SMS_HIGH])
    assert {one.lane for one in taken} == {EMAIL_LOW, SMS_HIGH}
    assert len(due(engine, lanes=list(Lane.all()))) == len(Lane.all()) - 2
    assert {one.lane for one in due(engine, lanes=Lane.all(Channel))} == set(Lane.all([Channel.CHAT])), (
        "what a channel is owed that is not used waits for it"
    )


def test_no_more_is_taken_than_there_is_room_for_but_always_something(engine):
    for size in (10, 10, 10):
        owe(engine, [Bell(EMAIL_HIGH, uuid4(), 1) for _ in range(size)])
    assert len(due(engine, bells=11)) == 2
    assert len(due(engine, bells=1)) == 1
    assert due(engine, bells=100) == []
    owe(engine, [Bell(EMAIL_HIGH, uuid4(), 1)])
    owe(engine, [Bell(EMAIL_HIGH, uuid4(), 1)])
    assert len(due(engine, 1)) == 1


def test_relays_at_the_same_time_take_each_row_once_and_none_waits(engine):
    for _ in range(60):
        owe(engine, [Bell(EMAIL_HIGH, uuid4(), 1)])
    found = together(*[lambda: [due(engine, 10) for _ in range(6)]] * 4)
    taken = [one.id for relay in found for batch in relay for one in batch]
    assert len(taken) == len(set(taken)) == 60


def test_removed_rows_are_gone_and_the_oldest_is_told(engine):
    with reading(engine) as connection:
        assert outbox.oldest(connection) is None
    made = owe(engine, [Bell(EMAIL_HIGH, uuid4(), 1)])
    with reading(engine) as connection:
        assert outbox.oldest(connection) is not None
    with writing(engine) as connection:
        outbox.remove(connection, [one.id for one in made])
    assert due(engine) == []
