"""The keeper's thread between the gate and the store: how much it asks, what it tells, and what it survives."""

import threading
import time

import pytest
import structlog
from sqlalchemy import event

from notifier.delivery.fallback import Fallback
from notifier.delivery.permit_keeper import PermitKeeper
from notifier.delivery.permit_stock import PermitStock
from notifier.delivery.permits import Permits
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.limits import Limit
from notifier.domain.outcomes import Deferred
from notifier.queueing.broker import NotBefore
from notifier.storage.limit_stores import LocalLimits, SharedLimits
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, SMS_HIGH
from tests.nodes.waiting import wait_until

LIMITS = (Limit("email/ses", 0.02, burst=10), Limit("sms/twilio", 0.02))


class Worker:
    """What a worker process has of limits, without its scheduler."""

    def __init__(self, store, limits=LIMITS, clock=time.monotonic) -> None:
        self.woken, self.opened = threading.Event(), threading.Event()
        self.waiting: dict = {}
        stocks = {
            one.name: PermitStock(
                one, Fallback(one, lambda: 1), weights=(4, 2, 1), reach=8, wake=self.woken.set
            )
            for one in limits
        }
        accounts = {Channel.EMAIL: ["ses"], Channel.SMS: ["twilio", "free"]}
        self.permits = Permits(stocks, accounts, wake=self.woken.set, clock=clock)
        self.keeper = PermitKeeper(
            self.permits,
            store,
            waiting=lambda: self.waiting,
            reopen=lambda lanes: self.opened.set(),
            woken=self.woken,
            clock=clock,
            dice=lambda: 0.5,
        )

    def send(self, number: int, lane=EMAIL_HIGH, provider="ses") -> float:
        """Start so many messages as the gate allows; how long that took."""
        began, started = time.monotonic(), 0
        self.waiting[lane] = number
        pause = threading.Event()
        while started < number:
            found = self.permits.take(lane, provider)
            if isinstance(found, NotBefore):
                pause.wait(min(found.seconds, 0.005))
            else:
                started += 1
                self.waiting[lane] = number - started
            assert time.monotonic() - began < 60
        return time.monotonic() - began


def test_at_most_five_statements_a_second_and_none_for_a_limit_that_is_not_in_use(postgres_engine):
    """While one limit is busy the other is never asked for, and when both rest nothing is."""
    said: list[str] = []

    def note(connection, cursor, statement, parameters, *_):
        if "rate_limits" in statement:
            said.append(parameters.get("name", "read"))

    event.listen(postgres_engine, "before_cursor_execute", note)
    worker = Worker(SharedLimits(postgres_engine))
    worker.keeper.start()
    try:
        took = worker.send(120)
        assert took >= (120 - 10) * 0.02 - 0.25
        assert set(said) == {"email/ses"}
        assert len(said) <= 5 * took + 2
        # What is left returns, and then there is nothing to ask.
        wait_until(lambda: worker.permits.stocks["email/ses"].next_look(time.monotonic()) is None, 60, "rest")
        before = len(said)
        worker.send(1, SMS_HIGH, "twilio")
        assert "email/ses" not in said[before:]
    finally:
        worker.keeper.stop()


def test_what_one_process_is_told_another_knows_within_a_second_or_two(postgres_engine):
    """An account without a limit: its provider's "too fast" is written down, and read by those who use it."""
    one, other = (Worker(SharedLimits(postgres_engine), ()) for _ in range(2))
    for each in (one, other):
        each.keeper.start()
    try:
        one.permits.heard(Channel.SMS, "free", Deferred(Reason.THROTTLED, 60.0))

        def knows() -> bool:
            return isinstance(other.permits.take(SMS_HIGH, "free"), NotBefore)

        wait_until(knows, 60, "the other process to hold it too")
        assert not one.permits.throttled.untold()
        assert other.permits.take(EMAIL_LOW, "ses") == ()
    finally:
        for each in (one, other):
            each.keeper.stop()


class Broken:
    """A store that is away until told otherwise."""

    def __init__(self) -> None:
        self.it, self.away = LocalLimits(), True

    def lease(self, limit, ask):
        if self.away:
            raise ConnectionError
        return self.it.lease(limit, ask)

    def blocked(self, names):
        if self.away:
            raise ConnectionError
        return self.it.blocked(names)


def test_a_store_that_is_away_is_said_once_and_sending_goes_on():
    store = Broken()
    worker = Worker(store)
    with structlog.testing.capture_logs() as logs:
        worker.keeper.start()
        try:
            worker.send(20)
            store.away = False
            stock = worker.permits.stocks["email/ses"]
            wait_until(lambda: not stock.fallback.active, 60, "the store to be used again")
            worker.send(20)
        finally:
            worker.keeper.stop()
    events = [one["event"] for one in logs]
    assert events.count("limit_store_away") == 1
    assert events.count("limit_store_back") == 1
    assert worker.opened.is_set()


@pytest.mark.parametrize("broken", ["waiting", "reopen"])
def test_the_keeper_outlives_whatever_fails_around_it(broken):
    worker = Worker(LocalLimits())
    failed = threading.Event()

    def fail(*_):
        failed.set()
        setattr(worker.keeper, f"_{broken}", working)
        raise RuntimeError

    working = getattr(worker.keeper, f"_{broken}")
    setattr(worker.keeper, f"_{broken}", fail)
    with structlog.testing.capture_logs() as logs:
        worker.keeper.start()
        try:
            worker.send(5)
        finally:
            worker.keeper.stop()
    assert failed.is_set()
    assert "permits_failed" in [one["event"] for one in logs]
