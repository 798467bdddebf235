"""The gauges that only storage knows, on both databases, by their own clocks."""

import pytest

from notifier.bootstrap.gauges import storage_gauges
from notifier.domain.lanes import Lane
from notifier.storage import outbox, workers
from notifier.storage.engine import writing
from notifier.storage.outbox import Bell
from notifier.telemetry import metrics
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, change, keep_one


def read(engine):
    """Every value, by metric and labels."""
    return {
        (metric.name, *labels): value for metric, labels, value in storage_gauges(engine, Lane.all(), "n")()
    }


def test_with_nothing_owed_all_is_zero(engine):
    found = read(engine)
    assert set(found.values()) == {0.0}
    assert ("notifier_oldest_message_age_seconds", "n.email.high") in found
    assert {name for name, *_ in found} == {
        one.name
        for one in (metrics.OLDEST_MESSAGE, metrics.OUTBOX_OLDEST, metrics.RELAY_LAG, metrics.PENDING)
    }


def test_ages_are_those_of_the_oldest(engine):
    for seconds in (-5.0, -40.0):
        change(engine, keep_one(engine), queued_at=seconds)
    change(engine, keep_one(engine, EMAIL_LOW), queued_at=-7.0)
    late = keep_one(engine)
    change(engine, late, next_attempt_at=-90.0)
    found = read(engine)
    assert found["notifier_oldest_message_age_seconds", "n.email.high"] == pytest.approx(40, abs=3)
    assert found["notifier_oldest_message_age_seconds", "n.email.low"] == pytest.approx(7, abs=3)
    assert found["notifier_relay_lag_seconds",] == pytest.approx(90, abs=3)


def test_what_is_due_later_is_not_late(engine):
    change(engine, keep_one(engine), next_attempt_at=500.0)
    assert read(engine)["notifier_relay_lag_seconds",] == 0


def test_the_outbox_and_the_relays_count_are_told(engine):
    made = keep_one(engine)
    with writing(engine) as connection:
        outbox.add(connection, [Bell(EMAIL_HIGH, made, 1)], 3.0)
        workers.set_gauge(connection, "pending", 17)
    found = read(engine)
    assert 0 <= found["notifier_outbox_oldest_seconds",] < 3
    assert found["notifier_pending_notifications",] == 17
