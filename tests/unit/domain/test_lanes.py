"""Lanes: one list, one name each, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.lanes import STANDING, Channel, Lane, Priority, channels_with


def test_every_pair_is_a_lane_once_high_first():
    lanes = Lane.all(Channel)
    assert len(lanes) == len(set(lanes)) == len(Channel) * len(Priority)
    assert lanes[0] == Lane(Channel.EMAIL, Priority.HIGH)
    for channel in Channel:
        assert [lane.priority for lane in lanes if lane.channel is channel] == ["high", "medium", "low"]


def test_a_chat_has_lanes_only_where_it_has_a_provider():
    """The others always have; what is asked for is what is answered, whoever asked before."""
    assert channels_with({}) == channels_with({Channel.CHAT: (), Channel.SMS: ()}) == STANDING
    assert channels_with({Channel.CHAT: ("ops",)}) == (*STANDING, Channel.CHAT)
    assert {lane.channel for lane in Lane.all(channels_with({}))} == set(STANDING)
    assert Lane.all() == Lane.all(STANDING) == Lane.all(Channel)[: 3 * len(STANDING)]


@pytest.mark.parametrize("lane", Lane.all(Channel), ids=str)
def test_a_name_leads_back_to_its_lane(lane):
    assert Lane.parse(lane.name) == lane
    assert str(lane) == lane.name
    assert lane.queue("notifier.v1") == f"notifier.v1.{lane.channel}.{lane.priority}"


def test_names_of_queues_and_actors_are_all_different():
    lanes = Lane.all(Channel)
    assert len({lane.queue("p") for lane in lanes}) == len({lane.actor for lane in lanes}) == len(lanes)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "email",
        "email.",
        ".high",
        "email.urgent",
        "fax.high",
        "email.high.x",
        "Email.high",
        "email.high ",
    ],
)
def test_what_is_no_lane_is_refused(name):
    with pytest.raises(ValueError, match="is not a valid"):
        Lane.parse(name)


@given(st.text(max_size=20))
def test_only_the_listed_names_are_lanes(name):
    names = {lane.name for lane in Lane.all(Channel)}
    if name in names:
        assert Lane.parse(name).name == name
    else:
        with pytest.raises(ValueError, match="is not a valid"):
            Lane.parse(name)
