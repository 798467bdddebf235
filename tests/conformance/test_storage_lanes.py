"""Paused lanes and the ages of what waits, on both databases."""

import pytest
import structlog
from sqlalchemy import update

from notifier.delivery.pauses import Pauses
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.storage import lane_controls, waiting
from notifier.storage.engine import writing
from notifier.storage.tables import lane_controls as table
from notifier.storage.tables import notifications
from notifier.storage.types import db_now_plus
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, change, claim_one, keep_one


def queued_for(engine, wanted, seconds):
    """As if it had been due for so long."""
    with writing(engine) as connection:
        connection.execute(
            update(notifications).where(notifications.c.id == wanted).values(queued_at=db_now_plus(-seconds))
        )


def test_nobody_has_spoken_at_first(engine):
    assert lane_controls.read(engine) == {}
    assert lane_controls.paused(engine) == frozenset()


def test_a_lane_is_paused_and_goes_on(engine):
    """Who and when is kept with each word."""
    assert lane_controls.set_paused(engine, EMAIL_LOW, True, "abcdefgh")
    first = lane_controls.read(engine)["email.low"]
    assert (first.paused, first.by) == (True, "abcdefgh")
    assert lane_controls.paused(engine) == {"email.low"}
    assert lane_controls.set_paused(engine, EMAIL_LOW, False, None)
    second = lane_controls.read(engine)["email.low"]
    assert (second.paused, second.by) == (False, None)
    assert second.at >= first.at
    assert lane_controls.paused(engine) == frozenset()


def test_saying_it_twice_keeps_who_said_it_first(engine):
    assert not lane_controls.set_paused(engine, EMAIL_LOW, False, "abcdefgh"), "it never was paused"
    assert lane_controls.read(engine) == {}
    assert lane_controls.set_paused(engine, EMAIL_LOW, True, "abcdefgh")
    first = lane_controls.read(engine)
    assert not lane_controls.set_paused(engine, EMAIL_LOW, True, "other")
    assert lane_controls.read(engine) == first


def test_the_age_of_the_oldest_that_is_due(engine):
    """By lane; null where nothing waits."""
    assert set(waiting.oldest_ages(engine, Lane.all())) == set(Lane.all())
    assert set(waiting.oldest_ages(engine, Lane.all()).values()) == {None}
    for seconds in (30, 90, 60):
        queued_for(engine, keep_one(engine), seconds)
    found = waiting.oldest_ages(engine, Lane.all())
    assert found[EMAIL_HIGH] == pytest.approx(90, abs=20)
    assert found[EMAIL_LOW] is None


def test_only_what_waits_for_its_turn_counts(engine):
    """Not what is sent, held, final, or due later."""
    sending = keep_one(engine)
    queued_for(engine, sending, 500)
    claim_one(engine, sending)
    for values in (
        {"status": Status.HELD},
        {"status": Status.SENT, "finished_at": db_now_plus(0)},
        {"next_attempt_at": db_now_plus(100)},
    ):
        other = keep_one(engine)
        queued_for(engine, other, 400)
        change(engine, other, **values)
    assert waiting.oldest_ages(engine, Lane.all())[EMAIL_HIGH] is None
    queued_for(engine, keep_one(engine), 5)
    assert waiting.oldest_ages(engine, Lane.all())[EMAIL_HIGH] == pytest.approx(5, abs=20)


def test_a_worker_learns_of_each_change_once_and_keeps_what_it_knew(engine):
    """Storage that does not answer neither lifts a pause nor harms the beat; it is said once."""
    applied = []
    pauses = Pauses(engine, applied.append)
    pauses.look()
    assert applied == []
    lane_controls.set_paused(engine, EMAIL_LOW, True, None)
    pauses.look()
    pauses.look()
    assert applied == [{"email.low"}]
    table.drop(engine)
    with structlog.testing.capture_logs() as logs:
        pauses.look()
        pauses.look()
    assert [one["event"] for one in logs] == ["lane_controls_unread"]
    table.create(engine)
    assert applied == [{"email.low"}]
    pauses.look()
    assert applied == [{"email.low"}, frozenset()]
