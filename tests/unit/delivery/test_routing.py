"""Who sends next: the first that is well and has a permit, or each by its weight, and never one that is out."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.recipients import Platform
from notifier.queueing.broker import Grant, NotBefore
from notifier.routing import Leave, Router, Turns

LANE = Lane(Channel.EMAIL, Priority.HIGH)


class Health:
    """Breakers that say so; `handed_back` are probes that were not made."""

    def __init__(self, **leaves):
        self.leaves = leaves
        self.handed_back = []

    def leave(self, channel, name):
        return self.leaves.get(name, Leave.USUAL)

    def unused(self, channel, name):
        self.handed_back.append(name)


class Permits:
    """Limits that say so, by account."""

    def __init__(self, **answers):
        self.answers = answers

    def take(self, lane, provider):
        return self.answers.get(provider, ())


def router(limits=None, breakers=None, **weights):
    return Router({Channel.EMAIL: weights or {"first": None, "second": None}}, limits, breakers)


def test_the_first_of_the_list_sends_as_long_as_it_is_well():
    assert [router().grant(LANE) for _ in range(3)] == [Grant("first")] * 3
    assert router(breakers=Health(first=Leave.NO)).grant(LANE) == Grant("second")


def test_with_none_that_is_well_the_lane_waits():
    """No thread, no attempt: its backlog stays in the broker."""
    found = router(breakers=Health(first=Leave.NO, second=Leave.NO)).grant(LANE)
    assert isinstance(found, NotBefore)
    assert isinstance(Router({}).grant(LANE), NotBefore)


def test_one_whose_limit_has_no_permit_is_passed_over():
    assert router(Permits(first=NotBefore(0.2))).grant(LANE) == Grant("second")
    both = router(Permits(first=NotBefore(0.2), second=NotBefore(0.1)))
    assert both.grant(LANE) == NotBefore(0.1), "the soonest of all"


def test_a_permit_that_is_being_asked_for_is_waited_for():
    """Else each lull would send through the second."""
    asking = NotBefore(0.01, asking=True)
    assert router(Permits(first=asking)).grant(LANE) == asking


def test_a_probe_travels_with_its_grant_and_back_when_no_permit_is_there():
    health = Health(first=Leave.PROBE)
    assert router(breakers=health).grant(LANE) == Grant("first", probe=True)
    assert router(Permits(first=NotBefore(1)), health).grant(LANE) == Grant("second")
    assert health.handed_back == ["first"]


@pytest.mark.parametrize("weights", [{"a": 3, "b": 1}, {"a": 1, "b": 1, "c": 2}, {"a": 100, "b": 1}])
def test_weights_are_parts_of_all_messages_evenly_spread(weights):
    made = router(**weights)
    total = sum(weights.values())
    names = [made.grant(LANE).provider for _ in range(3 * total)]
    assert Counter(names) == {name: 3 * weight for name, weight in weights.items()}
    assert Counter(names[:total]) == weights, "in every round"


def test_an_account_without_a_weight_is_the_others_reserve():
    made = router(a=1, b=2, spare=None)
    assert {made.grant(LANE).provider for _ in range(9)} == {"a", "b"}
    assert router(breakers=Health(a=Leave.NO, b=Leave.NO), a=1, b=2, spare=None).grant(LANE) == Grant("spare")


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=200))
def test_who_comes_back_is_owed_one_round_at_the_most(chosen):
    """Whatever happened meanwhile: from here on the parts are right again within two rounds."""
    turns = Turns({"a": 2, "b": 1, "c": 1})
    for name in chosen:
        turns.took(name)
    names = []
    for _ in range(40):
        names.append(turns.order()[0])
        turns.took(names[-1])
    late = Counter(names[-20:])
    assert late["a"] == pytest.approx(10, abs=2)
    assert late["b"] == pytest.approx(5, abs=2)


PUSH = Lane(Channel.PUSH, Priority.HIGH)
SERVED = {
    "apple": frozenset({Platform.APNS}),
    "one": frozenset({Platform.FCM}),
    "two": frozenset({Platform.FCM}),
}


def push_router(limits=None, breakers=None, **weights):
    accounts = weights or {"apple": None, "one": None, "two": None}
    return Router({Channel.PUSH: accounts}, limits, breakers, SERVED)


def test_a_platform_is_sent_to_by_those_that_serve_it():
    """The first of them that is well and has a permit, whatever the others are."""
    assert push_router().grant_for(PUSH, Platform.FCM) == Grant("one")
    assert push_router().grant_for(PUSH, Platform.APNS) == Grant("apple")
    assert push_router(breakers=Health(one=Leave.NO)).grant_for(PUSH, Platform.FCM) == Grant("two")
    assert push_router(Permits(one=NotBefore(0.2))).grant_for(PUSH, Platform.FCM) == Grant("two")
    out = push_router(breakers=Health(one=Leave.NO, two=Leave.NO))
    assert isinstance(out.grant_for(PUSH, Platform.FCM), NotBefore)


def test_weights_hold_among_those_that_serve_a_platform():
    made = push_router(apple=5, one=1, two=2)
    names = [made.grant_for(PUSH, Platform.FCM).provider for _ in range(9)]
    assert Counter(names) == {"one": 3, "two": 6}


def test_an_account_that_names_no_platform_serves_all():
    made = Router({Channel.PUSH: {"console": None}})
    assert made.names(Channel.PUSH, Platform.WEBPUSH) == ("console",)


CHAT = Lane(Channel.CHAT, Priority.HIGH)


def chat_router(limits=None, breakers=None):
    return Router({Channel.CHAT: {"ops": None, "dev": None}}, limits, breakers)


def test_for_chats_the_gate_names_no_account_and_takes_no_accounts_permit():
    """Only the message says where it goes: leave to look at it is all that can be given."""
    assert chat_router(Permits(ops=NotBefore(9), dev=NotBefore(9))).grant(CHAT) == Grant("")
    assert chat_router(Permits(**{"": NotBefore(0.3)})).grant(CHAT) == NotBefore(0.3), "the lane's own limit"
    assert isinstance(Router({}).grant(CHAT), NotBefore)


def test_one_chat_that_is_out_holds_up_no_other():
    """With all of them out the lane waits, its backlog in the broker; a probe's right is left for its own message."""
    health = Health(ops=Leave.NO, dev=Leave.PROBE)
    router = chat_router(breakers=health)
    assert router.grant(CHAT) == Grant("")
    assert health.handed_back == ["dev"]
    assert router.grant_of(CHAT, "dev") == Grant("dev", probe=True)
    assert isinstance(router.grant_of(CHAT, "ops"), NotBefore)
    assert isinstance(chat_router(breakers=Health(ops=Leave.NO, dev=Leave.NO)).grant(CHAT), NotBefore)
