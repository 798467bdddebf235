"""Permits on their way through an attempt: used, renewed or handed back, and never an attempt for waiting."""

import uuid

import pytest

from notifier.delivery.calling import Calls
from notifier.delivery.fallback import Fallback
from notifier.delivery.permit_stock import LOOK_AGAIN, Permit, PermitStock
from notifier.delivery.permits import Permits
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.limits import Ask, Bucket, Limit, lease
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred
from notifier.domain.recipients import EmailAddress
from notifier.domain.segments import units
from notifier.providers.base import Account
from notifier.queueing.broker import Grant, NotBefore
from notifier.routing import Router
from notifier.telemetry.metrics import PERMIT_WAIT
from notifier.telemetry.tally import Tally
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, change, keep_one, row
from tests.conformance.test_storage_delivery import Recording, bell, deliverer_of

LIMIT = Limit("email/console", 1.0, burst=3)


class Gate:
    """The limits of one process, with so many permits in hand; the time stands still unless moved."""

    def __init__(self, permits: int = 3) -> None:
        self.now = 100.0
        self.stock = PermitStock(
            LIMIT, Fallback(LIMIT, lambda: 1), weights=(4, 2, 1), reach=8, wake=lambda: None
        )
        self.permits = Permits(
            {LIMIT.name: self.stock}, {Channel.EMAIL: ["console", "other"]}, clock=lambda: self.now
        )
        self.router = Router({Channel.EMAIL: {"console": None, "other": None}}, self.permits)
        self.give(permits)

    def give(self, number: int) -> None:
        ask = Ask(wanted=number)
        _, answer = lease(LIMIT, Bucket(0.0), ask, self.now)
        self.stock.answer(ask, answer, self.now, self.now)

    def grant(self) -> Grant:
        found = self.permits.take(EMAIL_HIGH, "console")
        assert not isinstance(found, NotBefore)
        return Grant("console", found)

    def left(self) -> int:
        """How many could start now."""
        number = 0
        while isinstance(self.stock.take(0, self.now), Permit):
            number += 1
        return number

    def asked(self) -> Ask | None:
        """What the store would be told."""
        self.now += 1
        return self.stock.ask([0, 0, 0], self.now, 0.0)


def attempt(engine, gate, made, provider=None, *, grant=None):
    """One message through an attempt, with a grant from the gate; the row then."""
    proxy, acks = bell(made)
    proxy.grant = grant or gate.grant()
    provider = provider or Recording(Accepted("ref"))
    with deliverer_of(engine, provider, permits=gate.permits) as back:
        back.deliver(proxy)
        assert back.drain(10)
    assert proxy.grant is None
    return provider, row(engine, made), acks


def test_an_attempt_uses_its_permit(engine):
    gate = Gate()
    provider, stored, _ = attempt(engine, gate, keep_one(engine))
    assert (stored.status, len(provider.given), gate.left()) == ("sent", 1, 2)


def test_a_message_with_nothing_to_do_hands_its_permit_back(engine):
    """Cancelled, expired or gone meanwhile: the provider is not called, so the permit is another's."""
    gate = Gate()
    gone = keep_one(engine)
    change(engine, gone, status=Status.CANCELLED, finished_at=-1.0)
    provider, _, acks = attempt(engine, gate, gone)
    assert (provider.given, acks) == ([], [True])
    late = keep_one(engine)
    change(engine, late, expires_at=-1.0)
    _, stored, _ = attempt(engine, gate, late)
    assert stored.status == "expired"
    assert gate.left() == 3


def test_a_message_that_waits_for_storage_hands_its_permit_back(postgres_engine):
    gate = Gate()
    proxy, acks = bell(keep_one(postgres_engine))
    proxy.grant = gate.grant()
    with deliverer_of(postgres_engine, Recording(Accepted()), permits=gate.permits) as back:
        back.it._desk.claim = lambda wanted: (_ for _ in ()).throw(ConnectionError())
        back.deliver(proxy)
        assert (back.put_back, acks) == ([proxy], [])
    assert gate.left() == 3


def test_a_permit_whose_time_has_passed_is_renewed_or_the_claim_given_back(engine):
    """A slow claim must not send later than it may: no attempt is spent, and it is due again at once."""
    gate = Gate(1)
    stale, renewed = gate.grant(), keep_one(engine)
    gate.now += 5
    gate.give(1)
    provider, stored, _ = attempt(engine, gate, renewed, grant=stale)
    assert (stored.status, stored.attempt, len(provider.given)) == ("sent", 1, 1)
    waits = keep_one(engine)
    provider, stored, acks = attempt(engine, gate, waits, grant=stale)
    assert (stored.status, stored.attempt, provider.given, acks) == ("queued", 0, [], [True])
    assert stored.next_attempt_at is not None


def test_a_message_that_is_to_go_another_way_hands_its_permit_back(engine):
    """The request named another account: that one's limit counts (it has none), the granted one's does not."""
    gate, provider = Gate(), Recording(Accepted())
    proxy, _ = bell(uuid.uuid4())
    proxy.grant = gate.grant()
    account = Account(name="other", channel=Channel.EMAIL, timeout=2, build=lambda: provider)
    outgoing = Outgoing(id=uuid.uuid4(), recipient=EmailAddress("a@example.com"), content=Content(text="x"))
    assert Calls(gate.router, permits=gate.permits).call(proxy, account, outgoing, 1) == Accepted()
    assert provider.given == [outgoing]
    assert gate.left() == 3


def test_units_beyond_the_first_are_owed(engine):
    """A text message of three parts has one permit: the other two are told to the limit."""
    gate = Gate(1)
    made = keep_one(engine)
    change(engine, made, units=3)
    attempt(engine, gate, made)
    asked = gate.asked()
    assert asked is not None
    assert asked.debt == 2
    assert units(Channel.SMS, Content(text="a" * 400)) == 3


@pytest.mark.parametrize("seconds", [30.0, None])
def test_a_provider_that_says_too_fast_holds_its_limit(engine, seconds):
    """Retry-After is heard by the gate at once and told to the others; without one it is a second."""
    gate = Gate()
    outcome = Deferred(Reason.THROTTLED, seconds)
    _, stored, _ = attempt(engine, gate, keep_one(engine), Recording(outcome))
    assert (stored.status, stored.reason) == ("queued", "throttled")
    held = gate.permits.take(EMAIL_LOW, "console")
    assert held == NotBefore(min(seconds or 1.0, LOOK_AGAIN))
    gate.now -= 0.5
    asked = gate.stock.ask([0, 0, 0], gate.now + 0.5, 0.0)
    assert asked is not None
    assert (asked.block, asked.slow) == (pytest.approx(seconds or 1.0), True)


def test_an_account_without_a_limit_is_held_as_well_and_others_go_on():
    gate = Gate()
    gate.permits.heard(Channel.EMAIL, "other", Deferred(Reason.THROTTLED, 20.0))
    assert gate.permits.take(EMAIL_HIGH, "other") == NotBefore(LOOK_AGAIN)
    assert gate.permits.throttled.untold() == {"email/other": 120.0}
    gate.now += 21
    assert gate.permits.take(EMAIL_HIGH, "other") == ()


def test_other_endings_hold_nothing():
    gate = Gate()
    sent_away = Deferred(Reason.THROTTLED, 30.0, one_connection=True)
    for outcome in (Accepted(), Deferred(Reason.PROVIDER_UNAVAILABLE, 60.0), sent_away):
        gate.permits.heard(Channel.EMAIL, "console", outcome)
    assert gate.left() == 3


def test_the_first_account_with_a_permit_is_granted():
    """In the order of preference; while it is not known yet whether the first has one, nobody goes elsewhere."""
    gate = Gate(1)
    assert gate.router.grant(EMAIL_HIGH).provider == "console"
    undecided = gate.router.grant(EMAIL_HIGH)
    assert isinstance(undecided, NotBefore)
    assert undecided.asking
    ask = Ask(wanted=1)
    _, answer = lease(LIMIT, Bucket(gate.now + 60), ask, gate.now)
    gate.stock.answer(ask, answer, gate.now, gate.now)
    assert gate.router.grant(EMAIL_HIGH) == Grant("other")


def test_a_lane_with_a_limit_needs_both_permits_and_keeps_no_half():
    """What the lane allows and the account does not goes back, and the other way round nothing is taken."""
    lane = Lane(Channel.EMAIL, Priority.HIGH)
    now = 100.0
    stocks = {}
    for name in ("lane/email.high", "email/console"):
        limit = Limit(name, 1.0, burst=3)
        stocks[name] = PermitStock(
            limit, Fallback(limit, lambda: 1), weights=(4, 2, 1), reach=8, wake=lambda: None
        )
    permits = Permits(stocks, {Channel.EMAIL: ["console"]}, clock=lambda: now)
    ask = Ask(wanted=1)
    _, answer = lease(stocks["lane/email.high"].limit, Bucket(0.0), ask, now)
    stocks["lane/email.high"].answer(ask, answer, now, now)
    assert isinstance(permits.take(lane, "console"), NotBefore)
    stocks["email/console"].answer(ask, answer, now, now)
    taken = permits.take(lane, "console")
    assert not isinstance(taken, NotBefore)
    assert [permit.stock.limit.name for permit in taken] == ["lane/email.high", "email/console"]
    assert isinstance(permits.take(lane, "console"), NotBefore)
    assert permits.take(EMAIL_LOW, "console") != ()


def test_a_wait_for_a_permit_is_measured_from_the_first_refusal_to_the_grant():
    """Once for each wait; what asks again after a long silence is another message."""
    tally = Tally()
    gate = Gate(permits=1)
    gate.permits = Permits(
        {LIMIT.name: gate.stock}, {Channel.EMAIL: ["console"]}, clock=lambda: gate.now, tally=tally
    )
    gate.grant()
    for _ in range(3):
        assert isinstance(gate.permits.take(EMAIL_HIGH, "console"), NotBefore)
        gate.now += 0.2
    gate.give(1)
    gate.grant()
    ((metric, labels, seconds),) = tally.take()
    assert (metric, labels) == (PERMIT_WAIT, ("email", "console"))
    assert seconds == pytest.approx(0.6)
    assert isinstance(gate.permits.take(EMAIL_HIGH, "console"), NotBefore)
    gate.now += 60
    gate.give(1)
    gate.grant()
    assert list(tally.take()) == []
    for pause in (60.0, 0.3):
        assert isinstance(gate.permits.take(EMAIL_HIGH, "console"), NotBefore)
        gate.now += pause
    assert isinstance(gate.permits.take(EMAIL_HIGH, "console"), NotBefore)
    gate.now += 0.1
    gate.give(1)
    gate.grant()
    ((_, _, seconds),) = tally.take()
    assert seconds == pytest.approx(0.4)
