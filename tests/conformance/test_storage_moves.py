"""Cancel, resolve, expire: each a compare-and-set that is never undone, and the sum that always holds."""

import random
import threading
from uuid import uuid4

import pytest

from notifier.domain.errors import NotFound, NotHeld, TooLate
from notifier.domain.lifecycle import Reason, Status
from notifier.storage import changes, dead_letters
from notifier.storage.dead_letters import FailureFilter
from notifier.storage.engine import writing
from tests.conformance.storage_kit import (
    TENANT,
    change,
    claim,
    claim_one,
    ending,
    keep,
    keep_one,
    new,
    row,
    store,
    together,
    wish,
)

RACES = 1000


def test_cancel_ends_what_waits_and_says_the_same_again(engine):
    for status in (Status.SCHEDULED, Status.QUEUED):
        made = keep_one(engine)
        change(engine, made, status=status, next_attempt_at=60.0)
        for _ in range(2):
            found = changes.cancel(engine, TENANT, made)
            assert (found.status, found.reason) == (Status.CANCELLED, Reason.CANCELLED)
        assert found.finished_at is not None
        assert found.next_attempt_at is None
        assert claim(engine, [wish(made)]) == []


def test_cancel_comes_too_late_for_every_other_state_and_names_it(engine):
    made = keep_one(engine)
    for status in set(Status) - {Status.SCHEDULED, Status.QUEUED, Status.CANCELLED}:
        change(engine, made, status=status)
        with pytest.raises(TooLate) as caught:
            changes.cancel(engine, TENANT, made)
        assert caught.value.status == status
        assert row(engine, made).status == status


def test_another_tenants_is_as_if_it_were_not_there(engine):
    made = keep_one(engine)
    for act in (
        lambda: changes.cancel(engine, "other", made),
        lambda: changes.resolve(engine, "other", made, "sent"),
        lambda: changes.cancel(engine, TENANT, uuid4()),
        lambda: changes.resolve(engine, TENANT, uuid4(), "sent"),
    ):
        with pytest.raises(NotFound):
            act()
    assert row(engine, made).status == Status.QUEUED


def test_in_a_thousand_races_a_cancel_answered_yes_is_never_claimed(engine):
    """A cancel answered 200 will not be sent; answered 409, it was too late."""
    made = [one.id for one in keep(engine, [new() for _ in range(RACES)])]
    start = threading.Barrier(2)

    def cancels(wanted):
        try:
            changes.cancel(engine, TENANT, wanted)
        except TooLate:
            return False
        return True

    def race(act, seed):
        dice, won = random.Random(seed), set()
        for one in made:
            start.wait(60)
            for _ in range(dice.randrange(20_000)):
                pass  # one side or the other is a little late, by chance
            if act(one):
                won.add(one)
        return won

    cancelled, claimed = together(
        lambda: race(cancels, 1), lambda: race(lambda one: claim(engine, [wish(one)]), 2)
    )
    assert cancelled
    assert claimed
    assert cancelled.isdisjoint(claimed)
    assert cancelled | claimed == set(made)
    for one in made:
        assert row(engine, one).status == (Status.CANCELLED if one in cancelled else Status.SENDING)


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [("sent", Status.SENT, None), ("failed", Status.FAILED, "uncertain"), ("resend", Status.QUEUED, None)],
)
def test_a_person_ends_what_is_held(engine, verdict, status, reason):
    made = keep_one(engine)
    store(engine, [ending(claim_one(engine, made), Status.HELD, reason="uncertain")])
    found = changes.resolve(engine, TENANT, made, verdict)
    assert (found.status, found.reason) == (status, reason)
    assert (found.finished_at is None) == (verdict == "resend")
    buried = dead_letters.walk(engine, TENANT, FailureFilter(), 10, None).rows
    assert len(buried) == (1 if verdict == "failed" else 0)
    if verdict == "resend":
        again = claim_one(engine, made)
        assert (again.attempt, again.has_former) == (2, True)
    with pytest.raises(NotHeld):
        changes.resolve(engine, TENANT, made, verdict)


def test_only_what_is_held_is_resolved(engine):
    made = keep_one(engine)
    for status in set(Status) - {Status.HELD}:
        change(engine, made, status=status)
        with pytest.raises(NotHeld) as caught:
            changes.resolve(engine, TENANT, made, "sent")
        assert caught.value.status == status


def test_two_persons_who_resolve_at_once_have_one_winner(engine):
    for _ in range(20):
        made = keep_one(engine)
        store(engine, [ending(claim_one(engine, made), Status.HELD, reason="uncertain")])

        def resolve(verdict, made=made):
            try:
                changes.resolve(engine, TENANT, made, verdict)
            except NotHeld:
                return False
            return True

        assert sorted(together(lambda: resolve("sent"), lambda: resolve("failed"))) == [False, True]


def expire(engine, limit=100):
    with writing(engine) as connection:
        return [one.id for one in changes.expire_overdue(connection, limit)]


def test_only_what_waits_past_its_end_expires_with_the_last_attempts_reason(engine):
    tried, plain, scheduled, held, sending, young = (keep_one(engine) for _ in range(6))
    first = claim_one(engine, tried)
    store(engine, [ending(first, Status.QUEUED, reason="throttled", next_attempt_at=first.claimed_at)])
    change(engine, scheduled, status=Status.SCHEDULED, next_attempt_at=-1.0)
    store(engine, [ending(claim_one(engine, held), Status.HELD, reason="uncertain")])
    claim_one(engine, sending)
    for one in (tried, plain, scheduled, held, sending):
        change(engine, one, expires_at=-1.0)
    assert set(expire(engine)) == {tried, plain, scheduled}
    assert expire(engine) == []
    for one, reason in ((tried, "throttled"), (plain, "expired"), (scheduled, "expired")):
        found = row(engine, one)
        assert (found.status, found.reason, found.next_attempt_at) == (Status.EXPIRED, reason, None)
        assert found.finished_at is not None
    assert [row(engine, one).status for one in (held, sending, young)] == ["held", "sending", "queued"]
    assert len(dead_letters.walk(engine, TENANT, FailureFilter(), 10, None).rows) == 3


def test_expiring_is_bounded_and_shared_between_relays(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(40)])]
    for one in made:
        change(engine, one, expires_at=-1.0)
    first = expire(engine, 10)
    assert len(first) == 10
    found = together(*[lambda: expire(engine, 30)] * 3)
    assert sorted(first + [one for group in found for one in group]) == sorted(made)


def test_everything_accepted_is_in_exactly_one_state(engine):
    """Promise 2: accepted = pending + held + sent + failed + expired + cancelled + suppressed."""
    made = [one.id for one in keep(engine, [new() for _ in range(22)])]
    for one, status in zip(made, list(Status) * 2, strict=True):
        change(engine, one, status=status)
    keep(engine, [new(tenant="other")])
    counts = changes.counts(engine, TENANT)
    assert counts == dict.fromkeys(Status, 2)
    assert sum(changes.counts(engine).values()) == 23
