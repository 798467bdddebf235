"""When the next replay may be released: never so that a provider sees two closer together than was asked."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.lifecycle import FINAL, Status
from notifier.domain.replays import Former, seconds_to_release

T0 = datetime(2027, 1, 1, tzinfo=UTC)
LEASE = 60.0
_delays = st.floats(0, 5, allow_nan=False)


def after(seconds):
    return T0 + timedelta(seconds=seconds)


def former(status, attempt=1, started=None, duration_ms=0):
    """One released at `T0`, whose call began `started` seconds later, if it was made."""
    tried = None
    if started is not None:
        tried = {"started_at": after(started).isoformat(), "duration_ms": duration_ms}
    return Former(released_at=T0, status=status, attempt=attempt, last_attempt=tried)


def test_the_first_is_released_at_once():
    assert seconds_to_release(T0, 1.0, None, LEASE) == (0.0, True)


@pytest.mark.parametrize(
    ("status", "attempt"),
    [(Status.QUEUED, 0), (Status.SCHEDULED, 0), (Status.SENDING, 1), (Status.SENDING, 3)],
)
@given(age=st.floats(0, 1e6))
def test_while_the_former_is_on_its_way_none_follows(status, attempt, age):
    """However long that takes: a paused lane must not gather replays that then go out together."""
    wait, ready = seconds_to_release(after(age), 1000.0, former(status, attempt), LEASE)
    assert not ready
    assert 0 < wait <= 1


@pytest.mark.parametrize("status", [*sorted(FINAL), Status.HELD, Status.QUEUED])
def test_the_gap_begins_where_the_formers_call_ended(status):
    """Also where it is to be tried again later."""
    told = former(status, started=2.0, duration_ms=500)
    wait, ready = seconds_to_release(after(3), 0.5, told, LEASE)
    assert ready
    assert wait == pytest.approx(1.5, abs=0.01)
    assert seconds_to_release(after(4.51), 0.5, told, LEASE) == (0.0, True)


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.CANCELLED, None])
def test_one_without_a_call_keeps_the_distance_to_the_one_before_it(status):
    """A row that is gone is such a one."""
    told = former(status, attempt=0)
    assert seconds_to_release(after(0.4), 1.0, told, LEASE) == (pytest.approx(0.6), True)
    assert seconds_to_release(after(1), 1.0, told, LEASE) == (0.0, True)


def test_a_call_whose_end_nobody_told_counts_as_long_as_a_call_can_be():
    told = former(Status.HELD, started=0.0, duration_ms=None)
    assert seconds_to_release(after(30), 1.0, told, LEASE)[0] == pytest.approx(31)


@given(
    rate=st.floats(0.01, 1000),
    walks=st.lists(st.tuples(_delays, _delays, _delays), min_size=2, max_size=20),
)
def test_no_two_are_ever_closer_at_the_provider(rate, walks):
    """Whatever the way to the provider, the call and the look at its end take: the provider may note a message
    at any moment of its call, and no moment of one is closer than the gap to any moment of the next.
    """
    now, last, ended = T0, None, None
    for way, call, unseen in walks:
        wait, ready = seconds_to_release(now, rate, last, LEASE)
        assert ready
        released = now + timedelta(seconds=wait)
        began = released + timedelta(seconds=way)
        if ended is not None:
            # Microseconds are the finest that either clock knows.
            assert (began - ended).total_seconds() >= 1 / rate - 2e-6
        ended = began + timedelta(seconds=call)
        last = Former(
            released_at=released,
            status=Status.SENT,
            attempt=1,
            last_attempt={"started_at": began.isoformat(), "duration_ms": int(call * 1000)},
        )
        now = ended + timedelta(seconds=unseen)
