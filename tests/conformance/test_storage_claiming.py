"""A claim is the right to make one attempt: given once, found again by who made it, never stolen early."""

import uuid

from sqlalchemy import text

from notifier.delivery.claims import new_claim_id
from notifier.domain.lifecycle import Mode, OnUncertain, Status
from notifier.storage.claiming import Wanted
from notifier.storage.engine import reading
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    EMAIL_LOW,
    change,
    claim,
    claim_one,
    ids_of,
    keep,
    keep_one,
    new,
    row,
    together,
    wish,
)


def test_a_claim_returns_all_that_an_attempt_needs(engine):
    made = keep_one(engine, units=3, provider="smtp", request_id="req", traceparent="00-a-b-01")
    owner = uuid.uuid4()
    wanted = wish(made)
    (found,) = claim(engine, [wanted], owner)
    assert (found.id, found.lane, found.tenant, found.claim_id) == (made, EMAIL_HIGH, "acme", wanted.claim_id)
    assert (found.attempt, found.claims_unended, found.uncertain_count, found.has_former) == (1, 1, 0, False)
    assert found.recipient == {"email": "ada@example.com", "name": "Ada"}
    assert found.content == {"subject": "Hello", "text": "World"}
    assert (found.units, found.provider, found.request_id, found.traceparent) == (
        3, "smtp", "req", "00-a-b-01",
    )  # fmt: skip
    assert found.on_uncertain is OnUncertain.RESEND
    assert found.queued_at is not None
    assert not found.expired
    stored = row(engine, made)
    assert (stored.status, stored.owner, stored.claimed_provider) == (Status.SENDING, owner, "smtp")
    assert abs((stored.lease_until - stored.claimed_at).total_seconds() - 60) < 0.01


def test_another_lanes_message_claims_nothing(engine):
    made = keep_one(engine, EMAIL_HIGH)
    assert claim(engine, [wish(made, EMAIL_LOW)]) == []
    assert row(engine, made).status == Status.QUEUED


def test_what_is_due_later_is_not_claimed_and_what_was_due_is(engine):
    made = keep_one(engine)
    change(engine, made, next_attempt_at=30.0)
    assert claim(engine, [wish(made)]) == []
    change(engine, made, next_attempt_at=-1.0)
    assert ids_of(claim(engine, [wish(made)])) == [made]


def test_no_final_held_scheduled_or_unknown_row_is_claimed(engine):
    made = keep_one(engine)
    for status in set(Status) - {Status.QUEUED, Status.SENDING}:
        change(engine, made, status=status)
        assert claim(engine, [wish(made)]) == []
    assert claim(engine, [wish(uuid.uuid4())]) == []


def test_asking_again_with_the_same_claim_id_finds_the_claim_and_spends_nothing(engine):
    made = keep_one(engine)
    wanted = wish(made)
    (first,) = claim(engine, [wanted])
    (again,) = claim(engine, [wanted])
    assert (again.attempt, again.claims_unended) == (first.attempt, first.claims_unended) == (1, 1)


def test_a_claimed_row_is_not_claimed_by_another_while_its_lease_runs_or_after(engine):
    made = keep_one(engine)
    claim_one(engine, made)
    assert claim(engine, [wish(made)]) == []
    change(engine, made, lease_until=-1.0)
    assert claim(engine, [wish(made)]) == [], "only a takeover may follow, and it judges first"


def test_two_workers_racing_for_200_rows_claim_each_exactly_once(engine):
    made = [stored.id for stored in keep(engine, [new() for _ in range(200)])]
    found = together(*[lambda: claim(engine, [wish(one) for one in made])] * 4)
    claimed = [one for group in found for one in ids_of(group)]
    assert sorted(claimed) == sorted(made)


def test_single_claims_racing_for_one_row_have_one_winner(engine):
    for _ in range(20):
        made = keep_one(engine)
        found = together(*[lambda one=made: claim(engine, [wish(one)])] * 4)
        assert sum(len(group) for group in found) == 1


def test_the_whole_range_of_claim_ids_survives(engine):
    for claim_id in (-(2**63), 2**63 - 1, -1, 0, new_claim_id()):
        made = keep_one(engine)
        (found,) = claim(engine, [Wanted(made, EMAIL_HIGH, claim_id)])
        assert found.claim_id == claim_id == row(engine, made).claim_id


def test_an_empty_grant_and_a_named_provider(engine):
    made = keep_one(engine)
    claim(engine, [Wanted(made, EMAIL_HIGH, 1, "granted")])
    assert row(engine, made).claimed_provider == "granted"


def test_what_a_test_key_sent_is_claimed_for_the_simulator(engine):
    """Whatever the grant names and the request asked for; should the worker die, the attempt is shown so."""
    for provider in (None, "smtp"):
        made = keep_one(engine, mode=Mode.TEST, provider=provider)
        (found,) = claim(engine, [Wanted(made, EMAIL_HIGH, new_claim_id(), "granted")])
        assert (found.mode, row(engine, made).claimed_provider) == (Mode.TEST, "simulator")
    (live,) = claim(engine, [wish(keep_one(engine))])
    assert live.mode is Mode.LIVE


def test_a_claim_after_the_end_of_its_time_says_so(engine):
    made = keep_one(engine)
    change(engine, made, expires_at=-1.0)
    assert claim_one(engine, made).expired


def test_on_postgresql_every_plain_claim_is_a_heap_only_update(postgres_engine):
    engine = postgres_engine
    made = [stored.id for stored in keep(engine, [new() for _ in range(300)])]
    before = _updates(engine)
    for one in made[:50]:
        claim_one(engine, one)
    assert len(claim(engine, [wish(one) for one in made[50:]])) == 250
    updated, hot = (now - then for now, then in zip(_updates(engine), before, strict=True))
    # Only where a page ran full may a row move: fillfactor 70 leaves room for most.
    assert updated == 300
    assert hot >= 150


def test_on_postgresql_no_index_knows_a_column_that_a_claim_writes(postgres_engine):
    engine = postgres_engine
    written = {
        "status", "attempt", "claims_unended", "claim_id", "claimed_at", "claimed_provider", "owner",
        "lease_until",
    }  # fmt: skip
    with reading(engine) as connection:
        found = connection.execute(
            text("select indexdef from pg_indexes where tablename = 'notifications_default'")
        ).scalars()
        definitions = list(found)
    assert len(definitions) >= 7
    for definition in definitions:
        words = set(definition.replace("(", " ").replace(")", " ").replace(",", " ").split())
        assert not words & written, definition


def _updates(engine):
    with engine.connect() as connection:
        connection.execute(text("select pg_stat_force_next_flush()"))
        connection.commit()
        found = connection.execute(
            text("select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = :name"),
            {"name": "notifications_default"},
        ).one()
    return tuple(found)
