"""Queue messages: ours come back equal; every other body is a `BadMessage`, never another error.

The bodies are those of reliability.md, section G: an attacker or an old version with access to the broker.
"""

import json
import pickle
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


def without(field):
    return json.dumps({key: value for key, value in json.loads(GOOD).items() if key != field}).encode()


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


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"not json",
        b"[]",
        b"null",
        b"5",
        b'"x"',
        b"{}",
        b"\xef\xbb\xbf" + GOOD,
        GOOD + b"x",
        GOOD[:-1],
        b"[" * 4000,
        b'{"a":' * 800,
        pickle.dumps({"x": 1}),
        changed(extra=1),
        changed(args=5),
        changed(args=None),
        changed(kwargs=None),
        changed(kwargs=[]),
        changed(options=None),
        changed(options=[]),
        changed(queue_name=None),
        changed(actor_name=5),
        changed(message_id=None),
        changed(message_timestamp="now"),
        changed(message_timestamp=1.5),
        changed(message_timestamp=10**400),
        changed(message_timestamp=-1),
        kwargs(extra=1),
        kwargs(v="1"),
        kwargs(v=1.5),
        kwargs(v=True),
        kwargs(v=None),
        kwargs(units="3"),
        kwargs(units=True),
        kwargs(id=None),
        kwargs(lane=5),
        changed(kwargs={}),
        *(without(field) for field in json.loads(GOOD)),
    ],
)
def test_a_body_of_the_wrong_form_is_undecodable(body):
    assert reason_of(body) == "undecodable"


@pytest.mark.parametrize(
    "body",
    [
        changed(queue_name="default"),
        changed(queue_name=Lane.all()[1].queue(PREFIX)),
        changed(queue_name=QUEUE + ".DQ"),
        changed(actor_name="os.system"),
        changed(actor_name=Lane.all()[1].actor),
        changed(args=[1]),
        kwargs(lane=Lane.all()[1].name),
        kwargs(lane="email.urgent"),
        kwargs(lane=""),
        kwargs(lane="email.high\n"),
        kwargs(id=""),
        kwargs(id=str(MESSAGE.id)),
        kwargs(id=notification_id(MESSAGE.id).upper()),
        kwargs(id="msg_" + str(MESSAGE.id)),
        kwargs(units=0),
        kwargs(units=-1),
        kwargs(units=10**9),
        kwargs(units=10**400),
        kwargs(v=0),
        kwargs(v=-1),
    ],
)
def test_a_body_that_is_not_this_queues_is_foreign(body):
    assert reason_of(body) == "foreign"


def test_another_lanes_message_put_on_this_queue_is_foreign():
    """Its lane and actor agree, its queue is named as this one: it would run under the wrong limit."""
    other = Lane.all()[1]
    inner = {**json.loads(GOOD)["kwargs"], "lane": other.name}
    assert reason_of(changed(actor_name=other.actor, kwargs=inner)) == "foreign"


def test_a_good_body_on_another_queue_is_foreign():
    assert reason_of(GOOD, Lane.all()[1].queue(PREFIX)) == "foreign"
    assert reason_of(GOOD, "") == "foreign"


@pytest.mark.parametrize("version", [2, 3, 2**62])
def test_a_newer_version_waits_for_a_worker_that_knows_it(version):
    assert reason_of(kwargs(v=version)) == "newer_version"


@pytest.mark.parametrize("size", [MAX_BODY + 1, 5_000_000])
def test_a_long_body_is_refused_unread(size):
    assert reason_of(GOOD + b" " * (size - len(GOOD))) == "too_long"


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
