"""The states: each can be reached, no unfinished one is a trap, no finished one is reopened."""

import pytest

from notifier.domain.lifecycle import FINAL, MOVES, PENDING, Status

#: A notification begins in one of these.
FIRST = {Status.SCHEDULED, Status.QUEUED}


def reachable(start):
    seen, todo = set(start), list(start)
    while todo:
        for status in MOVES.get(todo.pop(), ()):
            if status not in seen:
                seen.add(status)
                todo.append(status)
    return seen


def test_every_state_can_be_reached():
    assert reachable(FIRST) == set(Status)


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
def test_every_unfinished_state_can_be_left_and_leads_to_an_end(status):
    assert MOVES[status]
    assert reachable([status]) & FINAL


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_finished_state_is_left_by_a_receipt_only(status):
    expected = {Status.DELIVERED, Status.UNDELIVERED} if status is Status.SENT else set()
    assert MOVES.get(status, set()) == expected


@pytest.mark.parametrize("status", Status)
def test_no_state_moves_to_itself_nor_back_to_scheduled(status):
    assert not {status, Status.SCHEDULED} & MOVES.get(status, frozenset())


def test_every_state_counts_once_in_the_promised_sum():
    """accepted = pending + held + the final ones."""
    parts = [PENDING, {Status.HELD}, FINAL]
    assert sum(map(len, parts)) == len(Status)
    assert set().union(*parts) == set(Status)


def test_what_is_held_ends_as_a_person_or_a_receipt_says():
    """`resolve {"as": "sent" | "resend" | "failed"}`; the provider's own word on it."""
    reported = {Status.DELIVERED, Status.UNDELIVERED}
    assert MOVES[Status.HELD] == {Status.SENT, Status.QUEUED, Status.FAILED} | reported


def test_a_receipt_may_end_what_waits_to_be_sent_again():
    assert MOVES[Status.QUEUED] >= {Status.DELIVERED, Status.UNDELIVERED}


def test_a_claim_can_be_given_back_and_a_send_cannot_be_cancelled_while_scheduled_skips_no_queue():
    assert Status.QUEUED in MOVES[Status.SENDING]
    assert not {Status.SENDING, Status.SENT} & MOVES[Status.SCHEDULED]
