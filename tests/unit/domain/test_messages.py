"""Queue messages: ours come back equal; every other body is a `BadMessage`, never another error.

The bad bodies of section G, each with its reason, stand in tests/catalogue/bodies.py.
"""

import json
from datetime import UTC, datetime

import dramatiq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifier.domain.ids import notification_id, uuid7
from notifier.domain.lanes import Lane
from notifier.queueing.messages import MAX_BODY, BadMessage, QueueMessage, decode

PREFIX = "notifier.v1"
LANE = Lane.all()[0]
QUEUE = LANE.queue(PREFIX)
MESSAGE = QueueMessage(LANE, uuid7(datetime(2026, 7, 1, tzinfo=UTC), bytes(10)), units=3)
GOOD = MESSAGE.encode(PREFIX)
REASONS = {"too_long", "undecodable", "foreign", "newer_version"}


def reason_of(body, queue=QUEUE):
    with pytest.raises(BadMessage) as caught:
        decode(body, queue, PREFIX)
    return caught.value.reason


def changed(**fields):
    return json.dumps({**json.loads(GOOD), **fields}).encode()


def kwargs(**fields):
    return changed(kwargs={**json.loads(GOOD)["kwargs"], **fields})


@pytest.mark.parametrize("lane", Lane.all(), ids=str)
def test_our_message_comes_back_equal_on_every_lane(lane):
    sent = QueueMessage(lane, MESSAGE.id, units=7)
    received, message = decode(sent.encode(PREFIX), lane.queue(PREFIX), PREFIX)
    assert received == sent
    assert (message.actor_name, message.queue_name) == (lane.actor, lane.queue(PREFIX))


def test_the_body_is_a_message_that_dramatiq_itself_can_read():
    message = dramatiq.Message.decode(GOOD)
    assert message.kwargs == {"v": 1, "lane": "email.high", "id": notification_id(MESSAGE.id), "units": 3}
    assert (list(message.args), message.options) == ([], {})


def test_options_that_came_with_a_body_never_reach_the_worker():
    """An `eta` or `pipe_target` from outside would steer a stock worker."""
    _, message = decode(changed(options={"eta": 1, "pipe_target": {}}), QUEUE, PREFIX)
    assert message.options == {}


def test_a_good_body_on_another_queue_is_foreign():
    assert reason_of(GOOD, Lane.all()[1].queue(PREFIX)) == "foreign"
    assert reason_of(GOOD, "") == "foreign"


def test_the_longest_body_is_read_and_one_byte_more_is_not():
    assert fate(GOOD.ljust(MAX_BODY)) is None
    assert reason_of(GOOD.ljust(MAX_BODY + 1)) == "too_long"


def fate(body):
    """The reason of a bad body, or None for a good one; any other exception fails the test."""
    try:
        decode(body, QUEUE, PREFIX)
    except BadMessage as error:
        return error.reason
    return None


@settings(deadline=None)
@given(st.binary(max_size=5000))
@example(b"\x80\x04N.")
def test_random_bytes_are_bad_messages(body):
    assert fate(body) in REASONS


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_body_is_bad_or_still_ours(data):
    """Bytes replaced, cut out or put in anywhere: what decodes is still a message of this lane."""
    body = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(start + 8, len(body))))
        body[start:end] = data.draw(st.binary(max_size=8))
    if fate(bytes(body)) is None:
        assert decode(bytes(body), QUEUE, PREFIX)[0].lane == LANE
    else:
        assert fate(bytes(body)) in REASONS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(json.loads(GOOD))), _JSON, st.sampled_from(["v", "lane", "id", "units"]), _JSON)
def test_any_json_in_any_field_is_bad_or_still_ours(field, value, inner, inner_value):
    for body in (changed(**{field: value}), kwargs(**{inner: inner_value})):
        if fate(body) is None:
            assert decode(body, QUEUE, PREFIX)[0].lane == LANE
        else:
            assert fate(body) in REASONS
