"""A provider that fails for one worker is out for all, and comes back by one probe of the whole fleet."""

import uuid
from functools import partial

import pytest

from notifier.delivery.breaker import BreakerPolicy
from notifier.delivery.breakers import Breakers
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Accepted, Deferred, Refused, Uncertain
from notifier.queueing.broker import Grant
from notifier.routing import Leave
from notifier.storage import provider_states
from notifier.storage.provider_states import ProviderKey
from notifier.telemetry.metrics import BREAKER_MOVES
from notifier.telemetry.tally import CLOSED, Tally
from tests.conformance.storage_kit import keep_one, row, together
from tests.conformance.test_storage_delivery import Recording, away, bell, deliverer_of
from tests.nodes.waiting import wait_until

SES, RELAY = ProviderKey(Channel.EMAIL, "ses"), ProviderKey(Channel.EMAIL, "relay")
#: So short that a probe is due at once by the database's clock.
POLICY = BreakerPolicy(first_wait=0.05, longest_wait=0.2)
DOWN = Deferred(Reason.PROVIDER_UNAVAILABLE)


class Worker(Breakers):
    """A worker's breakers, asked for an account at once."""

    def allows(self, key):
        """Whether it may be called; a probe is remembered."""
        found = self.leave(key.channel, key.name)
        self.probe = found is Leave.PROBE
        return found is not Leave.NO

    def call(self, key, outcome, seconds=0.1):
        """A call ends, the probe's if that was what was allowed."""
        probe, self.probe = self.probe, False
        self.ended(key.channel, key.name, outcome, seconds, probe=probe)


def worker(engine, policy=POLICY, tally=CLOSED):
    made = Worker(engine, uuid.uuid4(), {SES: 2.0, RELAY: 2.0}, policy, tally=tally)
    made.probe = False
    return made


def fails(breakers, key=SES, times=5, outcome=DOWN):
    for _ in range(times):
        breakers.call(key, outcome)


def state(engine, key=SES):
    return provider_states.read(engine).get(key)


def test_who_sees_it_fail_stops_at_once_and_the_others_with_their_next_look(engine):
    changed = []
    one, other = worker(engine), worker(engine)
    other.changed = changed.append
    assert one.allows(SES)
    fails(one)
    assert not one.allows(SES)
    assert one.allows(RELAY)
    assert other.allows(SES)
    one.look()
    other.look()
    assert not other.allows(SES)
    assert changed == [SES]
    assert (state(engine).why, state(engine).openings) == ("errors", 1)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Uncertain(), "errors"),
        (Deferred(Reason.AUTH_FAILED), "config"),
        (Deferred(Reason.PROVIDER_TIMEOUT), "errors"),
    ],
)
def test_it_is_said_why(engine, outcome, why):
    one = worker(engine)
    fails(one, outcome=outcome)
    one.look()
    assert state(engine).why == why


def test_refusals_of_recipients_and_content_never_open_it(engine):
    one = worker(engine)
    for reason in (Reason.INVALID_RECIPIENT, Reason.CONTENT_REJECTED, Reason.PROVIDER_REJECTED):
        fails(one, times=30, outcome=Refused(reason))
    fails(one, times=30, outcome=Deferred(Reason.THROTTLED, 5))
    assert one.allows(SES)
    one.look()
    assert state(engine) is None


def test_a_whole_fleet_that_sees_it_fail_opens_it_once(engine):
    fleet = [worker(engine) for _ in range(8)]
    for one in fleet:
        fails(one)
    together(*[one.look for one in fleet])
    assert state(engine).openings == 1


def due(engine):
    """A fleet of four to which the provider is out, and a probe of it due."""
    fleet = [worker(engine) for _ in range(4)]
    fails(fleet[0])
    for one in fleet:
        one.look()
    wait_until(lambda: state(engine).probe_in == 0, 60, "the probe's time")
    for one in fleet:
        assert not one.allows(SES), "this is the wish that asks for a probe"
    wait_until(lambda: all(one._known[SES].due_at <= one._clock() for one in fleet), 60, "the same here")
    return fleet


def test_the_fleet_makes_one_probe_at_a_time(engine):
    fleet = due(engine)
    together(*[one.look for one in fleet])
    allowed = [one for one in fleet if one.allows(SES)]
    assert len(allowed) == 1
    assert not any(one.allows(SES) for one in fleet), "one call, and not one for each thread"


def test_a_good_probe_brings_it_back_for_all(engine):
    fleet = due(engine)
    for one in fleet:
        one.look()
    (prober,) = [one for one in fleet if one.allows(SES)]
    prober.call(SES, Accepted("r"))
    prober.look()
    for one in fleet:
        one.look()
        assert one.allows(SES)
    assert (state(engine).opened_at, state(engine).openings) == (None, 0)


def test_each_move_of_a_breaker_is_counted_once_in_the_fleet(engine):
    """Open, probed in vain, open again, probed, closed: whoever of eight workers saw it, and told storage."""
    tally = Tally()
    fleet = [worker(engine, tally=tally) for _ in range(8)]
    for one in fleet:
        fails(one)
    together(*[one.look for one in fleet])
    for outcome in (DOWN, Accepted("r")):
        probing(fleet, engine).call(SES, outcome)
        for one in fleet:
            one.look()
    noted = [(metric, *labels) for metric, labels, _ in tally.take()]
    moves = ["open", "half_open", "open", "half_open", "closed"]
    assert noted == [(BREAKER_MOVES, "email", "ses", move) for move in moves]


def probing(fleet, engine):
    """The worker that may make the probe, once it is due."""
    wait_until(lambda: state(engine).probe_in == 0, 5, "the probe's time")
    assert not any(one.allows(SES) for one in fleet), "this is the wish that asks for a probe"

    found = []

    def allowed():
        for one in fleet:
            one.look()
        found.extend(one for one in fleet if one.allows(SES))
        return found

    wait_until(allowed, 5, "the right to a probe")
    return found[0]


def test_a_bad_probe_opens_it_for_longer(engine):
    fleet = due(engine)
    for one in fleet:
        one.look()
    (prober,) = [one for one in fleet if one.allows(SES)]
    before = state(engine)
    prober.call(SES, DOWN)
    prober.look()
    after = state(engine)
    assert (after.openings, after.opened_at) == (before.openings + 1, before.opened_at)
    assert 0.05 < after.probe_in <= 0.1
    assert not any(one.allows(SES) for one in fleet)


def test_a_right_that_came_to_no_call_serves_the_next_message(engine):
    fleet = due(engine)
    for one in fleet:
        one.look()
    (prober,) = [one for one in fleet if one.allows(SES)]
    prober.unused(SES.channel, SES.name)
    assert prober.allows(SES)


def test_without_a_message_to_send_nobody_probes(engine):
    one = worker(engine)
    fails(one)
    one.look()
    wait_until(lambda: state(engine).probe_in == 0, 60, "the probe's time")
    one.look()
    assert not state(engine).probed


def test_a_call_that_began_before_it_opened_says_nothing_new(engine):
    one = worker(engine)
    fails(one)
    one.look()
    one.call(SES, Accepted("late"))
    fails(one, times=3)
    one.look()
    assert state(engine).openings == 1
    assert not one.allows(SES)


def test_an_operators_word_holds_whatever_the_breaker_says(engine):
    one = worker(engine)
    assert provider_states.set_disabled(engine, SES, True, "key-1")
    assert not provider_states.set_disabled(engine, SES, True, "key-2")
    one.look()
    assert not one.allows(SES)
    assert state(engine).disabled_by == "key-1"
    assert provider_states.set_disabled(engine, SES, False, None)
    one.look()
    assert one.allows(SES)


def test_with_storage_away_it_judges_by_itself_and_tells_later(engine):
    one, other = worker(engine), worker(engine)
    fails(one)
    with away(engine):
        one.look()
        other.look()
        assert not one.allows(SES)
        assert other.allows(SES)
    one.look()
    other.look()
    assert not other.allows(SES)


def test_the_report_says_what_an_operator_asks(engine):
    one = worker(engine)
    for seconds in (0.1, 0.2, 0.3):
        one.call(SES, Accepted("r"), seconds)
    one.call(RELAY, DOWN, 1.0)
    assert one.report() == {
        "email/ses": {"breaker": "closed", "calls": 3, "errors": 0.0, "slow": 0.0, "p95": 0.3},
        "email/relay": {"breaker": "closed", "calls": 1, "errors": 1.0, "slow": 0.0, "p95": 1.0},
    }


def test_two_take_the_same_probe_once(engine):
    fails(one := worker(engine))
    one.look()
    wait_until(lambda: state(engine).probe_in == 0, 60, "the probe's time")
    owners = [uuid.uuid4() for _ in range(8)]
    took = together(*[partial(provider_states.take_probe, engine, SES, owner, 5.0) for owner in owners])
    assert sum(took) == 1
    assert (
        provider_states.close_breaker(
            engine, SES, next(o for o, won in zip(owners, took, strict=True) if not won)
        )
        is None
    )


# in an attempt


@pytest.fixture
def prober(engine):
    """A worker that has the right to one call through `console`, which is out."""
    key = ProviderKey(Channel.EMAIL, "console")
    made = Worker(engine, uuid.uuid4(), {key: 2.0}, POLICY)
    made.probe, made.key = False, key
    fails(made, key)
    made.look()
    wait_until(lambda: state(engine, key).probe_in == 0, 60, "the probe's time")
    assert made.leave(key.channel, key.name) is Leave.NO
    wait_until(lambda: made._known[key].due_at <= made._clock(), 60, "the same here")
    made.look()
    return made


def asked(prober):
    return prober.leave(prober.key.channel, prober.key.name)


def test_an_attempt_is_the_probe_and_its_ending_the_verdict(engine, prober):
    assert asked(prober) is Leave.PROBE
    made = keep_one(engine)
    proxy, _ = bell(made)
    proxy.grant = Grant("console", probe=True)
    with deliverer_of(engine, Recording(Accepted("r")), breakers=prober) as back:
        back.deliver(proxy)
        assert back.drain(10)
    prober.look()
    assert state(engine, prober.key).opened_at is None
    assert asked(prober) is Leave.USUAL


def test_a_message_with_nothing_to_send_hands_the_probe_back(engine, prober):
    """It was cancelled, or another copy was quicker."""
    assert asked(prober) is Leave.PROBE
    proxy, acks = bell(uuid.uuid4())
    proxy.grant = Grant("console", probe=True)
    with deliverer_of(engine, Recording(Accepted("r")), breakers=prober) as back:
        back.deliver(proxy)
    assert acks == [True]
    assert asked(prober) is Leave.PROBE


def test_a_named_provider_that_is_out_is_waited_for_and_no_attempt_is_spent(engine):
    """The gate granted another one; this request takes none but its own."""
    key = ProviderKey(Channel.EMAIL, "console")
    out = Worker(engine, uuid.uuid4(), {key: 2.0}, BreakerPolicy())
    out.probe = False
    fails(out, key)
    made, provider = keep_one(engine, provider="console"), Recording(Accepted("r"))
    proxy, acks = bell(made)
    proxy.grant = Grant("another")
    with deliverer_of(engine, provider, breakers=out) as back:
        back.deliver(proxy)
        assert back.drain(10)
    found = row(engine, made)
    assert (found.status, found.attempt, provider.given, acks) == ("queued", 0, [], [True])
    assert found.next_attempt_at is not None


def test_calls_are_judged_by_how_they_end(engine):
    """Five messages that a provider takes without a word, and it is out."""
    key = ProviderKey(Channel.EMAIL, "console")
    breakers = Worker(engine, uuid.uuid4(), {key: 2.0}, BreakerPolicy())
    with deliverer_of(engine, Recording(Uncertain()), breakers=breakers) as back:
        for _ in range(5):
            assert breakers.leave(key.channel, key.name) is Leave.USUAL
            proxy, _ = bell(keep_one(engine))
            back.deliver(proxy)
        assert back.drain(10)
    assert breakers.leave(key.channel, key.name) is Leave.NO


def test_an_account_that_can_not_be_set_up_is_out_as_well(engine):
    """Its certificates are gone, say: the next account of the list is to send."""

    def build():
        raise OSError("no such file")

    key = ProviderKey(Channel.EMAIL, "console")
    breakers = Worker(engine, uuid.uuid4(), {key: 2.0}, BreakerPolicy())
    with deliverer_of(engine, None, build=build, breakers=breakers) as back:
        for _ in range(5):
            assert breakers.leave(key.channel, key.name) is Leave.USUAL
            proxy, _ = bell(keep_one(engine))
            back.deliver(proxy)
        assert back.drain(10)
    assert breakers.leave(key.channel, key.name) is Leave.NO
