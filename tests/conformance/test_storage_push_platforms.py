"""A push token goes to an account of its own platform, whichever account the gate has granted."""

from contextlib import contextmanager

import pytest

from notifier.delivery.calling import Calls
from notifier.delivery.deliver import Deliverer, DeliveryConfig
from notifier.delivery.tenant_turns import TenantTurns
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode
from notifier.domain.notification import Content
from notifier.domain.outcomes import Accepted
from notifier.domain.quotas import ANY, Quota
from notifier.domain.recipients import Platform, PushToken
from notifier.domain.retries import DEFAULT_POLICY
from notifier.providers import simulator
from notifier.providers.base import Account
from notifier.queueing.broker import Grant, NotBefore
from notifier.routing import Leave, Router
from notifier.storage.limit_stores import LocalLimits
from tests.conformance.storage_kit import keep_one, row
from tests.conformance.test_storage_delivery import Recording, bell, desk_of, recorder_of

PUSH_HIGH = Lane(Channel.PUSH, Priority.HIGH)
SERVED = {"google": Platform.FCM, "spare": Platform.FCM, "apple": Platform.APNS}
TOKENS = {
    Platform.FCM: "f" * 20,
    Platform.APNS: "a" * 64,
    Platform.WEBPUSH: '{"endpoint":"https://p.example/"}',
}


class Gate:
    """Breakers and limits of one process: who is out, and every grant that was given."""

    def __init__(self, *out):
        self.out = out
        self.given = []
        self.handed_back = []

    def leave(self, channel, name):
        return Leave.NO if name in self.out else Leave.USUAL

    def unused(self, channel, name):
        self.handed_back.append(name)

    def ended(self, channel, name, outcome, seconds, *, probe):
        self.probe = (name, probe)

    def take(self, lane, provider):
        self.given.append(provider)
        return ()


@contextmanager
def deliverer_of(engine, gate, turns=None):
    providers = {name: Recording(Accepted(f"from-{name}")) for name in SERVED}
    platforms = {name: frozenset({one}) for name, one in SERVED.items()}
    router = Router({Channel.PUSH: dict.fromkeys(SERVED)}, gate, gate, platforms)
    accounts = {
        name: Account(
            name=name,
            channel=Channel.PUSH,
            timeout=2,
            build=lambda name=name: providers[name],
            platforms=platforms[name],
        )
        for name in SERVED
    }
    with recorder_of(engine) as recorder:
        deliverer = Deliverer(
            desk_of(engine),
            recorder,
            router,
            {Channel.PUSH: accounts},
            DEFAULT_POLICY,
            DeliveryConfig(),
            put_back=lambda proxy, seconds: None,
            simulators=simulator.accounts(2.0),
            calls=Calls(router, breakers=gate),
            turns=turns,
        )
        yield deliverer, recorder, providers
        deliverer.close_thread()


def delivered(engine, platform, granted, *out, provider=None, mode=Mode.LIVE):
    """Who was called for one message, its row then, and what the gate was asked for."""
    gate = Gate(*out)
    recipient = PushToken(TOKENS[platform], platform)
    given = {"recipient": recipient, "content": Content(text="t"), "provider": provider, "mode": mode}
    made = keep_one(engine, PUSH_HIGH, **given)
    proxy, _ = bell(made, PUSH_HIGH)
    proxy.grant = Grant(granted)
    with deliverer_of(engine, gate) as (deliverer, recorder, providers):
        deliverer.deliver(proxy)
        assert recorder.drain(10)
    assert proxy.grant is None
    called = [name for name, one in providers.items() if one.given]
    return called, row(engine, made), gate.given


@pytest.mark.parametrize(
    ("platform", "granted", "called"),
    [
        (Platform.FCM, "google", "google"),
        (Platform.FCM, "spare", "spare"),
        (Platform.FCM, "apple", "google"),
        (Platform.APNS, "google", "apple"),
        (Platform.APNS, "apple", "apple"),
    ],
)
def test_a_token_goes_to_its_own_platform(engine, platform, granted, called):
    """The grant is used if it fits, else exchanged for one that does."""
    found, stored, asked = delivered(engine, platform, granted)
    assert (found, stored.status) == ([called], "sent")
    assert asked == ([] if granted == called else [called])


def test_the_next_of_the_same_platform_sends_when_the_first_is_out(engine):
    found, stored, _ = delivered(engine, Platform.FCM, "apple", "google")
    assert (found, stored.status) == (["spare"], "sent")


def test_with_none_of_its_platform_that_is_well_it_waits(engine):
    """Without spending an attempt; nobody else is called."""
    found, stored, _ = delivered(engine, Platform.APNS, "google", "apple")
    assert (found, stored.status, stored.attempt) == ([], "queued", 0)


@pytest.mark.parametrize(("platform", "named"), [(Platform.WEBPUSH, None), (Platform.FCM, "apple")])
def test_without_an_account_that_will_do_it_fails(engine, platform, named):
    """Accepted under other settings; it will never be sent, and must not go to whom it was not meant for."""
    found, stored, _ = delivered(engine, platform, "google", provider=named)
    assert (found, stored.status, stored.reason) == ([], "failed", "provider_rejected")


@pytest.mark.parametrize("named", [None, "apple"])
@pytest.mark.parametrize("platform", Platform)
def test_what_a_test_key_sent_is_simulated_for_every_platform(engine, platform, named):
    """No account of the platform is asked for, and none need be there."""
    found, stored, asked = delivered(engine, platform, "google", provider=named, mode=Mode.TEST)
    assert (found, stored.status, asked) == ([], "sent", ["simulator"])


def test_a_grant_that_does_not_fit_is_handed_back(engine):
    """With its right to a probe: else the account would be out until that runs out."""
    gate = Gate()
    made = keep_one(engine, PUSH_HIGH, recipient=PushToken("f" * 20, Platform.FCM), content=Content(text="t"))
    proxy, _ = bell(made, PUSH_HIGH)
    proxy.grant = Grant("apple", probe=True)
    with deliverer_of(engine, gate) as (deliverer, recorder, _):
        deliverer.deliver(proxy)
        assert recorder.drain(10)
    assert gate.handed_back == ["apple"]
    assert gate.probe == ("google", False)


@pytest.mark.parametrize(("platform", "out"), [(Platform.APNS, ["apple"]), (Platform.WEBPUSH, [])])
def test_what_nobody_sends_uses_up_none_of_the_tenant_s_quota(engine, platform, out):
    """Else a provider that is out for long would cost the tenant what it may send through the others."""
    recipient = PushToken(TOKENS[platform], platform)
    made = keep_one(engine, PUSH_HIGH, recipient=recipient, content=Content(text="t"))
    proxy, _ = bell(made, PUSH_HIGH)
    proxy.grant = Grant("google")
    turns = TenantTurns({ANY: Quota(1, 3600)}, LocalLimits(), 0.01)
    with deliverer_of(engine, Gate(*out), turns) as (deliverer, recorder, _):
        deliverer.deliver(proxy)
        assert recorder.drain(10)
    tenant = row(engine, made).tenant
    assert (turns.wait(tenant), turns.wait(tenant) > 0) == (0.0, True)


def test_a_wait_of_the_gate_is_kept():
    """What the limits say goes on to whoever asks for a platform."""

    class Empty(Gate):
        def take(self, lane, provider):
            return NotBefore(0.25)

    router = Router({Channel.PUSH: {"google": None}}, Empty(), None, {"google": frozenset({Platform.FCM})})
    assert router.grant_for(PUSH_HIGH, Platform.FCM) == NotBefore(0.25)
