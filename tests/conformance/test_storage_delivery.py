"""The back half against real databases: claims in groups, endings stored before anything is settled, each
outcome and each crash where it belongs."""

import threading
import uuid
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from notifier.delivery.begun import Begun
from notifier.delivery.calling import Calls
from notifier.delivery.claims import ClaimDesk
from notifier.delivery.deliver import Deliverer, DeliveryConfig
from notifier.delivery.permit_stock import Permit
from notifier.delivery.permits import Permits
from notifier.delivery.recorder import Owed, Recorder
from notifier.delivery.takeovers import Limits
from notifier.domain.answer_rules import AnswerClass, AnswerCode, AnswerRules
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode, OnUncertain, Reason
from notifier.domain.notification import Content
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.recipients import EmailAddress
from notifier.domain.retries import DEFAULT_POLICY
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.providers import simulator
from notifier.providers.base import Account
from notifier.queueing.broker import Epoch, Grant, Proxy, Settlement
from notifier.queueing.messages import QueueMessage, decode
from notifier.routing import Leave, Router
from notifier.storage import attempts, recording
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    EMAIL_LOW,
    TENANT,
    change,
    claim_one,
    each_statement,
    ending,
    keep,
    keep_one,
    new,
    row,
    together,
    wish,
)
from tests.nodes.waiting import wait_until


@contextmanager
def away(engine):
    """Storage fails every statement until the block ends."""

    def fail(statement):
        raise OperationalError(statement, {}, Exception("server closed the connection"))

    with each_statement(engine, fail):
        yield


def desk_of(engine, begun=None, owner=None, **given):
    return ClaimDesk(engine, owner or uuid.uuid4(), begun or Begun(60), **given)


# claims


def test_many_threads_claim_each_row_once_in_fewer_statements_than_rows(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(64)])]
    desk, statements, gate = desk_of(engine), [], threading.Event()

    def count(statement):
        if "UPDATE notifications" in statement:
            statements.append(statement)
            gate.wait(0.05)

    with each_statement(engine, count):
        found = together(*[lambda one=one: desk.claim(wish(one)) for one in made])
    assert sorted(one.id for one in found) == sorted(made)
    assert len(statements) < len(made) / 2


def test_two_copies_in_one_group_have_one_winner_and_another_lanes_copy_spoils_nothing(engine):
    for _ in range(10):
        made = keep_one(engine)
        desk = desk_of(engine)
        wishes = [wish(made, lane) for lane in (EMAIL_HIGH, EMAIL_HIGH, EMAIL_LOW, EMAIL_LOW)]
        found = together(*[partial(desk.claim, one) for one in wishes])
        assert sum(one is not None for one in found) == 1


def test_the_right_lanes_copy_wins_although_a_strangers_comes_last_in_the_group(engine):
    made = keep_one(engine)
    desk = desk_of(engine)
    right = wish(made)
    assert set(desk._plain([right, wish(made, EMAIL_LOW)])) == {right.claim_id}


def test_every_waiting_thread_hears_that_storage_is_away_and_may_ask_again(engine):
    made = [one.id for one in keep(engine, [new() for _ in range(8)])]
    desk = desk_of(engine)
    wishes = [wish(one) for one in made]

    def ask(one):
        with pytest.raises(OperationalError):
            desk.claim(one)

    with away(engine):
        together(*[lambda one=one: ask(one) for one in wishes])
    found = together(*[lambda one=one: desk.claim(one) for one in wishes])
    assert {one.attempt for one in found} == {1}


def test_what_is_claimed_is_named_in_the_beat_and_what_is_not_is_not(engine):
    begun = Begun(60)
    desk = desk_of(engine, begun)
    mine = wish(keep_one(engine))
    assert desk.claim(mine) is not None
    assert desk.claim(wish(mine.id)) is None
    assert desk.claim(wish(uuid.uuid4())) is None
    assert begun.named() == (mine.claim_id,)
    assert list(begun.take_started()) == ["email.high"]


def test_a_dead_workers_claim_is_taken_over_and_marked(engine):
    made = keep_one(engine)
    claim_one(engine, made)
    desk = desk_of(engine)
    assert desk.claim(wish(made)) is None, "its lease runs"
    change(engine, made, lease_until=-1.0)
    taken = desk.claim(wish(made))
    assert taken is not None
    assert (taken.attempt, taken.uncertain_count, taken.claims_unended) == (2, 1, 2)
    assert [one["outcome"] for one in attempts.of(engine, TENANT, made)] == ["uncertain"]


def test_a_dead_workers_claim_is_held_for_a_person_where_asked(engine):
    made = keep_one(engine, on_uncertain=OnUncertain.HOLD)
    claim_one(engine, made)
    change(engine, made, lease_until=-1.0)
    assert desk_of(engine).claim(wish(made)) is None
    assert (row(engine, made).status, row(engine, made).reason) == ("held", "uncertain")


@pytest.mark.parametrize(
    ("limits", "deaths", "reason"), [(Limits(), 3, "poison"), (Limits(9, 1), 2, "uncertain")]
)
def test_the_last_of_many_deaths_in_a_row_is_the_end(engine, limits, deaths, reason):
    made = keep_one(engine)
    desk = desk_of(engine, limits=limits)
    for _ in range(deaths):
        assert desk.claim(wish(made)) is not None
        change(engine, made, lease_until=-1.0)
    assert desk.claim(wish(made)) is None
    stored = row(engine, made)
    assert (stored.status, stored.reason) == ("failed", reason)
    assert stored.finished_at is not None
    assert [one["n"] for one in attempts.of(engine, TENANT, made)] == list(range(1, deaths + 1))


# records


@contextmanager
def recorder_of(engine, bound=8, **given):
    recorder = Recorder(engine, Begun(60), bound, **given)
    recorder.start()
    try:
        yield recorder
    finally:
        assert recorder.stop(10)


def settlement(log, engine=None, made=None):
    def settle(acked):
        status = row(engine, made).status if engine is not None else None
        log.append((acked, status))

    return Settlement(settle)


def test_nothing_is_settled_before_its_outcome_is_committed(engine):
    log = []
    with recorder_of(engine) as recorder:
        for one in keep(engine, [new() for _ in range(20)]):
            recorder.submit(Owed(ending(claim_one(engine, one.id)), settlement(log, engine, one.id)))
        assert recorder.drain(10)
        assert log == [(True, "sent")] * 20


def test_with_storage_away_outcomes_are_held_the_bound_blocks_and_all_is_stored_after(engine):
    """Promise 9 and the bound of promise 3."""
    log, claimed = [], [claim_one(engine, one.id) for one in keep(engine, [new() for _ in range(5)])]
    with recorder_of(engine, bound=4) as recorder:
        with away(engine):
            for one in claimed[:4]:
                recorder.submit(Owed(ending(one), settlement(log)))
            blocked = threading.Thread(
                target=lambda: recorder.submit(Owed(ending(claimed[4]), settlement(log))), daemon=True
            )
            blocked.start()
            blocked.join(0.3)
            assert blocked.is_alive(), "the fifth must wait"
            assert not recorder.drain(0.1)
            assert log == []
            assert recorder.alive
        blocked.join(10)
        assert recorder.drain(10)
    assert len(log) == 5
    assert {row(engine, one.id).status for one in claimed} == {"sent"}


def test_a_stop_with_storage_away_neither_spins_nor_settles(engine):
    log, tries = [], []
    claimed = claim_one(engine, keep_one(engine))
    recorder = Recorder(engine, Begun(60), 4)
    recorder.start()

    def count(statement):
        tries.append(statement)

    with away(engine), each_statement(engine, count):
        recorder.submit(Owed(ending(claimed), settlement(log)))
        assert not recorder.stop(1.0)
        assert log == []
    assert len(tries) < 30
    assert recorder.stop(10)
    assert log == [(True, None)]


def test_one_record_that_storage_refuses_hurts_no_other_and_is_stored_without_the_words(postgres_engine):
    engine, log = postgres_engine, []
    claimed = [claim_one(engine, one.id) for one in keep(engine, [new() for _ in range(9)])]
    records = [ending(one) for one in claimed]
    bad = records[4].shown
    assert bad is not None
    bad["answer"] = "NUL \0 in it"
    with recorder_of(engine, bound=20) as recorder:
        with away(engine):
            for record in records:
                recorder.submit(Owed(record, settlement(log)))
        assert recorder.drain(20)
        assert recorder.alive
    assert len(log) == 9
    assert {row(engine, one.id).status for one in claimed} == {"sent"}
    (kept,) = attempts.of(engine, TENANT, claimed[4].id)
    assert kept["answer"] is None


def test_an_outcome_that_comes_late_is_settled_too(engine):
    log, made = [], keep_one(engine)
    claimed = claim_one(engine, made)
    change(engine, made, claim_id=claimed.claim_id ^ 1, attempt=2)
    with recorder_of(engine) as recorder:
        recorder.submit(Owed(ending(claimed), settlement(log)))
        assert recorder.drain(10)
    assert log == [(True, None)]
    assert row(engine, made).status == "sending"


def test_a_group_whose_late_outcome_fails_once_is_stored_and_settled_once(engine, monkeypatch):
    """What the group's first statement has committed is found stored when the group is tried again."""
    log, made = [], keep_one(engine)
    late, plain = claim_one(engine, made), claim_one(engine, keep_one(engine))
    change(engine, made, claim_id=late.claim_id ^ 1, attempt=2)
    store, tries = recording.store_unmatched, []

    def fail_first(connection, record):
        tries.append(record.id)
        if len(tries) == 1:
            raise OperationalError("", {}, Exception("server closed the connection"))
        return store(connection, record)

    monkeypatch.setattr(recording, "store_unmatched", fail_first)
    with recorder_of(engine) as recorder:
        with away(engine):
            recorder.submit(Owed(ending(late), settlement(log)))
            recorder.submit(Owed(ending(plain), settlement(log)))
        assert recorder.drain(20)
    assert log == [(True, None)] * 2
    assert row(engine, made).status == "sending"
    assert row(engine, plain.id).status == "sent"
    assert [one["n"] for one in attempts.of(engine, TENANT, plain.id)] == [1]
    assert [one["possible_duplicate"] for one in attempts.of(engine, TENANT, made)] == [True], "and not lost"


def test_every_thread_that_waits_for_room_gets_it(engine):
    """A stored group makes as much room as it took, and wakes as many."""
    log, claimed = [], [claim_one(engine, one.id) for one in keep(engine, [new() for _ in range(24)])]
    with recorder_of(engine, bound=2) as recorder:
        together(*(partial(recorder.submit, Owed(ending(one), settlement(log))) for one in claimed))
        assert recorder.drain(30)
    assert len(log) == 24


# one message, one attempt


class Recording:
    """A provider that answers as it is told and remembers what it was given."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.given = []

    def send(self, outgoing, deadline):
        self.given.append(outgoing)
        assert deadline.remaining() > 0
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def close(self):
        pass


@contextmanager
def deliverer_of(
    engine, provider, *, build=None, config=None, permits=None, breakers=None, answers=None, **given
):
    def make():
        return provider

    router = Router({Channel.EMAIL: {"console": None}}, permits, breakers)
    account = Account(name="console", channel=Channel.EMAIL, timeout=2, build=build or make)
    put_back: list[Proxy] = []
    with recorder_of(engine) as recorder:
        deliverer = Deliverer(
            desk_of(engine),
            recorder,
            router,
            {channel: {"console": account} for channel in Channel},
            DEFAULT_POLICY,
            config or DeliveryConfig(),
            put_back=lambda proxy, seconds: put_back.append(proxy),
            calls=Calls(router, permits=permits, breakers=breakers, answers=answers),
            dice=lambda: 0.5,
            **given,
        )
        yield SimpleNamespace(
            deliver=deliverer.deliver, drain=recorder.drain, put_back=put_back, it=deliverer
        )
        deliverer.close_thread()


def bell(made, lane=EMAIL_HIGH):
    message = QueueMessage(lane, made)
    decoded, raw = decode(message.encode("p"), lane.queue("p"), "p")
    acks: list[bool] = []
    proxy = Proxy(raw, decoded, Epoch(), Settlement(acks.append))
    proxy.grant = Grant("console")
    return proxy, acks


def attempt(engine, provider, made, **given):
    proxy, acks = bell(made)
    with deliverer_of(engine, provider, **given) as back:
        back.deliver(proxy)
        assert back.drain(10)
    return acks, row(engine, made)


def test_an_email_with_a_topic_is_given_the_link_to_leave_it(engine):
    """The same in every attempt; what has no topic has nothing to leave."""
    links = UnsubscribeLinks("https://notify.example.com", ["s" * 32])
    provider = Recording(Deferred(Reason.THROTTLED, 0.0))
    made, plain = keep_one(engine, topic="news"), keep_one(engine)
    for one in (made, plain):
        attempt(engine, provider, one, links=links)
    attempt(engine, provider, keep_one(engine, topic="news"))
    assert [one.unsubscribe_url for one in provider.given] == [links.link(made), None, None]


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (Accepted("ref", Answer("250", "ok")), "sent", None),
        (Deferred(Reason.THROTTLED, 30), "queued", "throttled"),
        (Refused(Reason.CONTENT_REJECTED), "failed", "content_rejected"),
        (Uncertain(), "queued", "uncertain"),
        (RuntimeError("a provider's bug"), "queued", "uncertain"),
        (None, "queued", "uncertain"),
        ("nonsense", "queued", "uncertain"),
        (Accepted(reference=5), "queued", "uncertain"),
    ],
)
def test_each_answer_of_a_provider_is_recorded_and_the_message_acked(engine, outcome, status, reason):
    made = keep_one(engine)
    provider = Recording(outcome)
    acks, stored = attempt(engine, provider, made)
    assert acks == [True]
    assert (stored.status, stored.reason, stored.attempt) == (status, reason, 1)
    (given,) = provider.given
    assert (given.id, given.attempt) == (made, 1)
    assert given.recipient.address == "ada@example.com"
    assert 3590 < given.seconds_left <= 3600
    (shown,) = attempts.of(engine, TENANT, made)
    assert shown["provider"] == "console"
    assert shown["outcome"] == {"sent": "accepted", "failed": "refused"}.get(
        status, "deferred" if reason == "throttled" else "uncertain"
    )


SIMULATORS = simulator.accounts(2.0)


@pytest.mark.parametrize("named", [None, "console", "gone", "simulator"])
def test_what_a_test_key_sent_goes_to_the_simulator_and_to_nobody_else(engine, named):
    """Whichever account the request asked for and the gate granted; each attempt anew."""
    real = Recording(Accepted("real"))
    to = EmailAddress("throttled@simulator.notifier")
    made = keep_one(engine, mode=Mode.TEST, provider=named, recipient=to)
    for status in ("queued", "sent"):
        change(engine, made, next_attempt_at=None)
        acks, stored = attempt(engine, real, made, simulators=SIMULATORS)
        assert (acks, stored.status) == ([True], status)
    assert [one["provider"] for one in attempts.of(engine, TENANT, made)] == ["simulator"] * 2
    assert real.given == []


def test_without_a_simulator_a_test_keys_message_fails_and_is_not_sent(engine):
    real, made = Recording(Accepted("real")), keep_one(engine, mode=Mode.TEST)
    _, stored = attempt(engine, real, made)
    assert (stored.status, stored.reason, real.given) == ("failed", "provider_rejected", [])


def test_a_live_message_never_goes_to_the_simulator(engine):
    """Not even one that is to go to its magic recipient: the account it names is not there."""
    to = EmailAddress("delivered@simulator.notifier")
    made = keep_one(engine, provider="simulator", recipient=to)
    _, stored = attempt(engine, Recording(Accepted("real")), made, simulators=SIMULATORS)
    assert (stored.status, stored.reason) == ("failed", "provider_rejected")


class Noted:
    """Breakers and limits that note who was asked for, called and let go."""

    def __init__(self, leave=Leave.USUAL):
        self.answer, self.asked, self.ended_ones = leave, [], []

    def leave(self, channel, name):
        self.asked.append(name)
        return self.answer

    def ended(self, channel, name, outcome, seconds, *, probe=False):
        self.ended_ones.append(name)

    def unused(self, channel, name):
        raise AssertionError("no probe was granted")


def test_the_simulator_has_a_breaker_of_its_own(engine):
    """It is asked for leave, it is told the ending, and while it is out its message waits, no attempt spent."""
    breakers = Noted()
    to = EmailAddress("timeout@simulator.notifier")
    made = keep_one(engine, mode=Mode.TEST, recipient=to)
    attempt(engine, Recording(Accepted()), made, simulators=SIMULATORS, breakers=breakers)
    assert (breakers.asked, breakers.ended_ones) == (["simulator"], ["simulator"])
    out = Noted(Leave.NO)
    made = keep_one(engine, mode=Mode.TEST)
    _, stored = attempt(engine, Recording(Accepted()), made, simulators=SIMULATORS, breakers=out)
    assert (stored.status, stored.attempt, out.ended_ones) == ("queued", 0, [])


class Stock:
    """A real account's limit that gives each permit out once, and counts those that come back."""

    def __init__(self):
        self.back = 0

    def give_back(self, permit, now):
        self.back += 1

    def owe(self, units):
        raise AssertionError("a real account's limit was charged")


def test_a_test_key_uses_up_no_permit_of_a_real_account(engine):
    """The gate's permit goes back, and the message's units are charged to nobody real."""
    stock, permits = Stock(), Permits()
    made = keep_one(engine, mode=Mode.TEST, units=3)
    proxy, _ = bell(made)
    proxy.grant = Grant("console", (Permit(stock, 0, 0.0, float("inf")),))
    with deliverer_of(engine, Recording(Accepted()), permits=permits, simulators=SIMULATORS) as back:
        back.deliver(proxy)
        assert back.drain(10)
    assert (row(engine, made).status, stock.back) == ("sent", 1)


def test_what_can_not_become_a_message_is_refused_before_any_call(engine):
    for values in ({"content": {"fax": "x"}}, {"content": None}, {"recipient": {"pigeon": "x"}}):
        made = keep_one(engine)
        change(engine, made, **values)
        provider = Recording(Accepted())
        acks, stored = attempt(engine, provider, made)
        assert (stored.status, stored.reason, acks) == ("failed", "render_error", [True])
        assert provider.given == []


def test_a_provider_that_can_not_be_built_is_tried_again_and_poisons_nothing(engine):
    def build():
        raise OSError("no such certificate")

    made = keep_one(engine)
    for n in (1, 2, 3, 4):
        _, stored = attempt(engine, None, made, build=build)
        assert (stored.status, stored.reason, stored.attempt) == ("queued", "provider_unavailable", n)
        change(engine, made, next_attempt_at=-1.0)


def test_our_own_crash_before_the_call_is_tried_again_and_poison_at_the_third(engine):
    made = keep_one(engine, provider="gone")

    class Broken(dict):
        def __getitem__(self, channel):
            raise RuntimeError("our own bug")

    for status, reason in (("queued", None), ("queued", None), ("failed", "poison")):
        proxy, acks = bell(made)
        with deliverer_of(engine, Recording(Accepted())) as back:
            back.it._accounts = Broken()
            back.deliver(proxy)
            assert back.drain(10)
        stored = row(engine, made)
        assert (stored.status, stored.reason, acks) == (status, reason, [True])
        change(engine, made, next_attempt_at=-1.0)


def test_a_provider_that_is_configured_no_more_is_a_refusal(engine):
    made = keep_one(engine, provider="gone")
    _, stored = attempt(engine, Recording(Accepted()), made)
    assert (stored.status, stored.reason) == ("failed", "provider_rejected")


def test_what_expired_before_its_claim_is_not_sent(engine):
    made = keep_one(engine, content=Content(text="late"))
    change(engine, made, expires_at=-1.0)
    provider = Recording(Accepted())
    acks, stored = attempt(engine, provider, made)
    assert (stored.status, stored.attempt, acks, provider.given) == ("expired", 0, [True], [])


def test_who_can_not_be_reached_is_never_asked_again(engine):
    """One refusal for the recipient's sake, and what was accepted before and after it makes no call."""
    condemned = Recording(Refused(Reason.INVALID_RECIPIENT, Answer("550 5.1.1", "no such user")))
    before, first = keep_one(engine), keep_one(engine)
    attempt(engine, condemned, first)
    well = Recording(Accepted("r"))
    for made in (before, keep_one(engine)):
        attempt(engine, well, made)
        found = row(engine, made)
        assert (found.status, found.reason, found.attempt) == ("suppressed", "suppressed", 0)
    assert len(condemned.given) == 1
    assert well.given == []


def test_a_code_means_what_the_operator_says(engine):
    """A refusal for good becomes a wait, with the answer kept; nobody is suppressed for it."""
    rules = AnswerRules({AnswerCode.parse("email:550"): AnswerClass.RETRY})
    provider = Recording(Refused(Reason.INVALID_RECIPIENT, Answer("550 5.1.1", "greylisted, really")))
    made = keep_one(engine)
    attempt(engine, provider, made, answers=rules)
    found = row(engine, made)
    assert (found.status, found.reason) == ("queued", "provider_unavailable")
    assert found.last_attempt["code"] == "550 5.1.1"
    assert claim_one(engine, keep_one(engine)).suppressed is None


def test_a_claim_whose_lease_is_too_short_for_a_send_is_given_back_due_at_once(engine):
    made = keep_one(engine)
    provider = Recording(Accepted())
    acks, stored = attempt(engine, provider, made, config=DeliveryConfig(lease=5, send_margin=4))
    assert (stored.status, stored.attempt, acks, provider.given) == ("queued", 0, [True], [])
    assert stored.next_attempt_at is not None


def test_a_message_with_nothing_to_do_is_acked_and_that_is_all(engine):
    for made in (uuid.uuid4(), keep_one(engine, EMAIL_LOW)):
        proxy, acks = bell(made)
        with deliverer_of(engine, Recording(Accepted())) as back:
            back.deliver(proxy)
        assert acks == [True]


def test_with_storage_away_the_message_goes_back_unsettled_and_asks_with_the_same_claim_id(engine):
    made = keep_one(engine)
    proxy, acks = bell(made)
    with deliverer_of(engine, Recording(Accepted())) as back:
        with away(engine):
            back.deliver(proxy)
        assert back.put_back == [proxy]
        assert acks == []
        first = proxy.claim_id
        back.deliver(proxy)
        assert back.drain(10)
    assert proxy.claim_id == first == row(engine, made).claim_id
    assert acks == [True]


def test_a_threads_provider_is_kept_between_sends_and_made_anew_after_its_crash(engine):
    built = []

    def build():
        built.append(Recording(Accepted() if len(built) != 1 else RuntimeError("crash")))
        return built[-1]

    with deliverer_of(engine, None, build=build) as back:
        for _ in range(2):
            back.deliver(bell(keep_one(engine))[0])
        assert len(built) == 1
        back.it.close_thread()
        back.deliver(bell(keep_one(engine))[0])
        back.deliver(bell(keep_one(engine))[0])
        assert back.drain(10)
    assert len(built) == 3
    wait_until(lambda: len(built[0].given) == 2)
