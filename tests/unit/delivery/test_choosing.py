"""Who is called: what a test key sent never goes to a real account, and nothing else goes to the simulator."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.choosing import account_for, destination_of, serving
from notifier.domain import simulator
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode
from notifier.domain.recipients import Platform
from notifier.providers.base import Account
from notifier.providers.simulator import Simulator, accounts

SIMULATOR = accounts(2.0)[Channel.EMAIL]


def account(name):
    return Account(name=name, channel=Channel.EMAIL, timeout=2.0, build=Simulator)


NAMES = st.sampled_from(["first", "second", "third", simulator.NAME])
LIVE = st.lists(NAMES.filter(lambda name: name != simulator.NAME), unique=True).map(
    lambda names: {name: account(name) for name in names}
)


@given(st.sampled_from(Mode), LIVE, st.sampled_from([None, SIMULATOR]), st.none() | NAMES, st.none() | NAMES)
def test_a_test_keys_message_never_reaches_a_real_account_and_a_live_one_never_the_simulator(
    mode, live, simulated, wanted, granted
):
    """Whatever the request asked for, whatever the gate granted, whatever is configured."""
    found = account_for(mode, live, simulated, wanted=wanted, granted=granted)
    if mode is Mode.TEST:
        assert found is simulated
    else:
        assert found is None or found in live.values()


def test_the_named_one_is_chosen_and_none_that_is_not_there():
    live = {name: account(name) for name in ("first", "second")}

    def chosen(wanted, granted, among=live):
        found = account_for(Mode.LIVE, among, SIMULATOR, wanted=wanted, granted=granted)
        return found and found.name

    assert chosen("second", "first") == "second"
    assert chosen("gone", "first") is None
    assert chosen(None, "second") == "second"
    assert chosen(None, "gone") == chosen(None, None) == "first"
    assert chosen(None, None, {}) is None


def test_nobody_is_chosen_who_does_not_serve_the_platform():
    """Not the one that the gate granted, nor the one that the request named."""
    live = {
        "apple": replace(account("apple"), platforms=frozenset({Platform.APNS})),
        "one": replace(account("one"), platforms=frozenset({Platform.FCM})),
        "any": account("any"),
    }

    def chosen(platform, wanted=None, granted=None):
        found = account_for(Mode.LIVE, serving(live, platform), SIMULATOR, wanted=wanted, granted=granted)
        return found and found.name

    assert chosen(Platform.FCM, granted="apple") == "one"
    assert chosen(Platform.FCM, granted="any") == "any"
    assert chosen(Platform.FCM, wanted="apple", granted="one") is None
    assert chosen(Platform.WEBPUSH, granted="one") == "any"
    assert serving(live, None) is live


@given(LIVE, st.sampled_from(["first", "second", "gone"]), st.none() | NAMES, st.none() | NAMES)
def test_a_chat_goes_to_the_account_that_it_names_or_to_none(live, destination, wanted, granted):
    """Whatever the gate granted or the row says: another URL is another chat, with other readers."""
    among = serving(live, None, destination)
    found = account_for(Mode.LIVE, among, SIMULATOR, wanted=wanted, granted=granted)
    assert found is None or found is live[destination]
    assert account_for(Mode.LIVE, among, SIMULATOR, granted=granted) is live.get(destination)


def test_only_a_chat_names_its_account():
    assert destination_of({"chat": "ops"}) == "ops"
    assert destination_of({"email": "ada@example.com"}) is None
    assert destination_of({"chat": 5}) is None
