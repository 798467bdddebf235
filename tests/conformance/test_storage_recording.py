"""Each ending reaches its state, fenced by its claim id; what comes late is told apart and never lost."""

import pytest

from notifier.delivery.endings import storable
from notifier.delivery.takeovers import abandoned_attempt
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import FINAL, Reason, Status
from notifier.storage import attempts, claiming, dead_letters, recording
from notifier.storage.dead_letters import FailureFilter
from notifier.storage.engine import writing
from tests.conformance.storage_kit import (
    TENANT,
    change,
    claim_one,
    ending,
    keep,
    keep_one,
    new,
    row,
    shown,
    store,
    store_late,
    together,
    wish,
)


def failures(engine, **wanted):
    return dead_letters.walk(engine, TENANT, FailureFilter(**wanted), 50, None).rows


def take_over(engine, made, lease=60.0):
    """What the claim desk does with a dead worker's row."""
    change(engine, made, lease_until=-1.0)
    wanted = wish(made)
    with writing(engine) as connection:
        found = claiming.abandoned(connection, wanted, 5)
        recording.end_abandoned(
            connection,
            found,
            status=Status.SENDING,
            reason=None,
            shown=abandoned_attempt(found, found.claimed_at),
        )
        return claiming.take_over(connection, wanted, wanted.id, lease)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.SENT, None),
        (Status.QUEUED, Reason.PROVIDER_UNAVAILABLE),
        (Status.FAILED, Reason.INVALID_RECIPIENT),
        (Status.EXPIRED, Reason.PROVIDER_TIMEOUT),
        (Status.HELD, Reason.UNCERTAIN),
        (Status.SUPPRESSED, Reason.SUPPRESSED),
    ],
)
def test_each_ending_reaches_its_state(engine, status, reason):
    made = keep_one(engine)
    claimed = claim_one(engine, made)
    due = claimed.claimed_at if status is Status.QUEUED else None
    said = reason and str(reason)
    assert store(engine, [ending(claimed, status, reason=said, next_attempt_at=due)]) == []
    stored = row(engine, made)
    assert (stored.status, stored.reason, stored.attempt) == (status, said, 1)
    assert stored.next_attempt_at == due
    assert (stored.finished_at is not None) == (status in FINAL)
    assert (stored.queued_at is None) == (status is Status.QUEUED)
    assert stored.claims_unended == 0
    assert len(attempts.of(engine, TENANT, made)) == 1
    buried = [one.notification_id for one in failures(engine)]
    assert buried == ([made] if status in {Status.FAILED, Status.EXPIRED} else [])


def test_a_dead_letter_says_all_that_an_analysis_needs(engine):
    made = keep_one(engine)
    claimed = claim_one(engine, made)
    store(engine, [ending(claimed, Status.FAILED, reason="content_rejected")])
    (found,) = failures(engine, reason=Reason.CONTENT_REJECTED, channel=Channel.EMAIL, provider="console")
    assert (found.notification_id, found.status, found.attempts) == (made, Status.FAILED, 1)
    assert found.finished_at >= found.created_at
    assert found.last_attempt is not None
    assert found.last_attempt["reason"] == "content_rejected"
    assert failures(engine, provider="other") == []


def test_another_claim_id_stores_nothing(engine):
    made = keep_one(engine)
    claimed = claim_one(engine, made)
    stranger = ending(claimed, claim_id=claimed.claim_id ^ 1)
    assert store(engine, [stranger]) == [stranger]
    assert row(engine, made).status == Status.SENDING


def test_a_group_of_many_endings_is_stored_whole(engine):
    made = keep(engine, [new() for _ in range(120)])
    claimed = [claim_one(engine, one.id) for one in made]
    assert store(engine, [ending(one) for one in reversed(claimed)]) == []
    assert {row(engine, one.id).status for one in made} == {Status.SENT}


def test_attempts_are_kept_in_order_the_last_one_in_the_row(engine):
    made = keep_one(engine)
    for n in (1, 2, 3):
        claimed = claim_one(engine, made)
        assert claimed.has_former == (n > 1)
        store(
            engine, [ending(claimed, Status.QUEUED, reason="throttled", next_attempt_at=claimed.claimed_at)]
        )
    claimed = claim_one(engine, made)
    store(engine, [ending(claimed)])
    found = attempts.of(engine, TENANT, made)
    assert [one["n"] for one in found] == [1, 2, 3, 4]
    assert [one["outcome"] for one in found] == ["deferred"] * 3 + ["accepted"]
    assert all("claim_id" not in one for one in found)
    assert attempts.of(engine, "other", made) == []


def test_an_ending_without_a_call_keeps_the_last_attempt_where_it_is(engine):
    made = keep_one(engine)
    first = claim_one(engine, made)
    store(engine, [ending(first, Status.QUEUED, reason="throttled", next_attempt_at=first.claimed_at)])
    second = claim_one(engine, made)
    back = ending(second, Status.QUEUED, shown=None, attempt=1, next_attempt_at=second.claimed_at)
    store(engine, [back])
    assert [one["n"] for one in attempts.of(engine, TENANT, made)] == [1]
    assert row(engine, made).attempt == 1


def test_what_expired_at_the_claim_keeps_the_last_attempts_reason(engine):
    tried, untried = keep_one(engine), keep_one(engine)
    first = claim_one(engine, tried)
    store(engine, [ending(first, Status.QUEUED, reason="throttled", next_attempt_at=first.claimed_at)])
    for made in (tried, untried):
        claimed = claim_one(engine, made)
        store(engine, [ending(claimed, Status.EXPIRED, reason="expired", shown=None)])
    assert row(engine, tried).reason == "throttled"
    assert row(engine, untried).reason == "expired"
    assert {one.reason for one in failures(engine)} == {Reason.THROTTLED, Reason.EXPIRED}


def test_a_crash_of_our_code_keeps_its_count_and_uncertain_ones_add_up(engine):
    made = keep_one(engine)
    for n in (1, 2):
        claimed = claim_one(engine, made)
        assert (claimed.claims_unended, claimed.uncertain_count) == (n, n - 1)
        store(
            engine,
            [ending(claimed, Status.QUEUED, unended=True, uncertain=1, next_attempt_at=claimed.claimed_at)],
        )


def test_the_same_ending_stored_twice_is_told_as_stored(engine):
    for status in (Status.SENT, Status.QUEUED):
        made = keep_one(engine)
        claimed = claim_one(engine, made)
        due = claimed.claimed_at if status is Status.QUEUED else None
        record = ending(claimed, status, next_attempt_at=due)
        store(engine, [record])
        assert store(engine, [record]) == [record]
        assert store_late(engine, record) == "stored"
        assert row(engine, made).status == status


def test_an_ending_stored_long_ago_is_told_as_stored_although_another_followed(engine):
    made = keep_one(engine)
    first = claim_one(engine, made)
    record = ending(first, Status.QUEUED, reason="auth_failed", attempt=0, next_attempt_at=first.claimed_at)
    store(engine, [record])
    second = claim_one(engine, made)
    store(
        engine,
        [ending(second, Status.QUEUED, reason="auth_failed", attempt=0, next_attempt_at=first.claimed_at)],
    )
    assert store_late(engine, record) == "stored"
    assert len(attempts.of(engine, TENANT, made)) == 2


@pytest.mark.parametrize("earlier", [0, 2])
def test_a_claim_that_the_database_forgot_is_restored(engine, earlier):
    made = keep_one(engine)
    for _ in range(earlier):
        claimed = claim_one(engine, made)
        store(
            engine, [ending(claimed, Status.QUEUED, reason="throttled", next_attempt_at=claimed.claimed_at)]
        )
    before = row(engine, made)
    claimed = claim_one(engine, made)
    # The crash: the row is as it was before the claim.
    change(engine, made, status=Status.QUEUED, attempt=before.attempt, claim_id=before.claim_id)
    record = ending(claimed)
    assert store(engine, [record]) == [record]
    assert store_late(engine, record) == "restored"
    stored = row(engine, made)
    assert (stored.status, stored.attempt) == (Status.SENT, earlier + 1)
    assert [one["n"] for one in attempts.of(engine, TENANT, made)] == list(range(1, earlier + 2))


def test_a_forgotten_claim_that_was_given_back_is_due_at_once(engine):
    made = keep_one(engine)
    claimed = claim_one(engine, made)
    change(engine, made, status=Status.QUEUED, attempt=0, claim_id=None)
    back = ending(claimed, Status.QUEUED, shown=None, attempt=0, next_attempt_at=claimed.claimed_at)
    assert store_late(engine, back) == "restored"
    assert row(engine, made).next_attempt_at == claimed.claimed_at


def test_a_late_outcome_takes_the_place_of_the_placeholder_and_leaves_the_state(engine):
    """Promise 11: a process that froze and wakes later: its result is recorded, but changes nothing newer."""
    made = keep_one(engine)
    frozen = claim_one(engine, made)
    taken = take_over(engine, made)
    assert (taken.attempt, taken.uncertain_count, taken.has_former) == (2, 1, True)
    late = ending(frozen)
    assert store(engine, [late]) == [late]
    assert store_late(engine, late) == "added"
    assert store_late(engine, late) == "stored"
    assert row(engine, made).status == Status.SENDING
    assert store(engine, [ending(taken)]) == []
    found = attempts.of(engine, TENANT, made)
    assert [(one["n"], one["outcome"], one["possible_duplicate"]) for one in found] == [
        (1, "accepted", True),
        (2, "accepted", False),
    ]


def test_a_late_outcome_is_added_also_when_its_placeholder_has_moved_on(engine):
    made = keep_one(engine)
    frozen = claim_one(engine, made)
    taken = take_over(engine, made)
    store(engine, [ending(taken, Status.QUEUED, reason="throttled", next_attempt_at=taken.claimed_at)])
    assert store_late(engine, ending(frozen)) == "added"
    third = claim_one(engine, made)
    assert store(engine, [ending(third)]) == []
    assert [(one["n"], one["outcome"]) for one in attempts.of(engine, TENANT, made)] == [
        (1, "accepted"),
        (2, "deferred"),
        (3, "accepted"),
    ]


def test_a_late_outcome_of_a_held_one_is_shown_to_the_person_who_decides(engine):
    made = keep_one(engine)
    frozen = claim_one(engine, made)
    change(engine, made, lease_until=-1.0)
    with writing(engine) as connection:
        found = claiming.abandoned(connection, wish(made), 5)
        placeholder = abandoned_attempt(found, found.claimed_at)
        recording.end_abandoned(connection, found, status=Status.HELD, reason="uncertain", shown=placeholder)
    assert store_late(engine, ending(frozen)) == "added"
    assert row(engine, made).status == Status.HELD
    assert [one["outcome"] for one in attempts.of(engine, TENANT, made)] == ["accepted"]


def test_a_final_row_and_one_that_is_gone_take_nothing(engine):
    made = keep_one(engine)
    claimed = claim_one(engine, made)
    change(engine, made, status=Status.FAILED, claim_id=1, finished_at=0.0)
    assert store_late(engine, ending(claimed)) == "final"
    assert attempts.of(engine, TENANT, made) == []
    gone = ending(claimed, id=claimed.id.__class__(int=claimed.id.int ^ 1))
    assert store_late(engine, gone) == "gone"


def test_what_a_provider_answers_does_no_harm(engine):
    made = keep_one(engine)
    claimed = claim_one(engine, made)
    answer = storable("a\0b \ud800 ü 🎉 \x1b[31m ' \" \\ \u2028")
    store(engine, [ending(claimed, shown=shown(claimed, answer=answer, code=storable("\0" * 5)))])
    (found,) = attempts.of(engine, TENANT, made)
    assert found["answer"] == "ab ? ü 🎉 \x1b[31m ' \" \\ \u2028"


def test_unsorted_groups_of_two_recorders_do_not_deadlock_or_are_told_as_a_clash(engine):
    for _ in range(5):
        made = keep(engine, [new() for _ in range(60)])
        claimed = [claim_one(engine, one.id) for one in made]
        records = [ending(one) for one in claimed]
        halves = together(
            lambda records=records: store(engine, records),
            lambda records=records: store(engine, records[::-1]),
        )
        assert sorted(len(left) for left in halves) == [0, 60]
        assert {row(engine, one.id).status for one in made} == {Status.SENT}
