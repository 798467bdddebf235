"""Section G of the catalogue: what comes straight from the broker is ours, or one of four reasons.

tests/conformance/test_brokers.py puts the same bodies into both brokers: each is dead once, counted
once, and the good ones behind it arrive.
"""

from datetime import UTC, datetime

import pytest

from notifier.domain.ids import uuid7
from notifier.domain.lanes import Lane
from notifier.queueing.messages import BadMessage, QueueMessage, decode, peek_id
from tests.catalogue.bodies import bad_bodies

PREFIX = "notifier.v1"
LANE = Lane.all()[0]
MESSAGE = QueueMessage(LANE, uuid7(datetime(2026, 7, 1, tzinfo=UTC), bytes(10)))
CASES = bad_bodies(MESSAGE, PREFIX)


@pytest.mark.parametrize("bad", CASES, ids=[bad.name for bad in CASES])
def test_section_g(bad):
    """The one declared error, with the reason that is counted; what only looks for an id never raises."""
    with pytest.raises(BadMessage) as caught:
        decode(bad.body, LANE.queue(PREFIX), PREFIX)
    assert caught.value.reason == bad.reason
    assert peek_id(bad.body) in {None, MESSAGE.id}


def test_a_newer_versions_id_is_found():
    """G15: the newer one's notification is rung again for a worker that knows it."""
    newer = [bad for bad in CASES if bad.reason == "newer_version"]
    assert {peek_id(bad.body) for bad in newer} == {MESSAGE.id}
