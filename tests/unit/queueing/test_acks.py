"""The acks that are written end what was settled, and nothing else, as a broker would see it."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.queueing.acks import AckLedger


class Channel:
    """RabbitMQ's side of a channel: which deliveries are unacked, and what an ack ends."""

    def __init__(self, delivered):
        self.unacked = set(range(1, delivered + 1))
        self.acked = []
        self.elsewhere = set()

    def ack(self, tag, multiple):
        assert tag in self.unacked, "406: unknown delivery tag"
        ended = {other for other in self.unacked if other <= tag} if multiple else {tag}
        self.unacked -= ended
        self.acked.extend(sorted(ended))

    def nack(self, tag):
        assert tag in self.unacked
        self.unacked.remove(tag)
        self.elsewhere.add(tag)


@st.composite
def rounds(draw):
    """Rounds of settlements in any order: (tag, done) pairs; some deliveries stay unsettled."""
    count = draw(st.integers(0, 40))
    order = draw(st.permutations(range(1, count + 1)))
    settled = order[: draw(st.integers(0, count))]
    batches = []
    while settled:
        size = draw(st.integers(1, len(settled)))
        batches.append([(tag, draw(st.integers(0, 4)) > 0) for tag in settled[:size]])
        settled = settled[size:]
    return count, batches


@settings(deadline=None)
@given(rounds())
def test_every_settled_tag_is_acked_once_and_no_other(plan):
    """After each round the broker holds exactly what is unsettled; nacks are never acked."""
    count, batches = plan
    channel, ledger = Channel(count), AckLedger()
    wanted = set()
    for batch in batches:
        nacked = [tag for tag, done in batch if not done]
        for tag in nacked:
            channel.nack(tag)
        ledger.settled_elsewhere(nacked)
        for tag, multiple in ledger.ack(tag for tag, done in batch if done):
            channel.ack(tag, multiple)
        wanted |= {tag for tag, _ in batch}
        assert channel.unacked == set(range(1, count + 1)) - wanted
        assert not channel.elsewhere & set(channel.acked)
    assert len(channel.acked) == len(set(channel.acked))


@settings(deadline=None)
@given(st.permutations(range(1, 30)), st.lists(st.integers(1, 28), max_size=5))
def test_the_floor_rises_over_all_that_is_settled(order, cuts):
    """Once everything is settled, in whatever order, the floor is the last tag: nothing is remembered for ever."""
    ledger = AckLedger()
    bounds = sorted({0, *cuts, len(order)})
    for start, end in itertools.pairwise(bounds):
        ledger.ack(order[start:end])
    assert ledger._floor == 29
    assert not ledger._above


def test_a_run_is_one_frame():
    """Messages settled in order cost one ack for all of them."""
    ledger = AckLedger()
    assert ledger.ack([2, 1, 3]) == [(3, True)]
    assert ledger.ack([4]) == [(4, False)]


def test_a_gap_is_never_covered():
    """What is settled above an unsettled delivery is acked alone, then stepped over."""
    ledger = AckLedger()
    assert ledger.ack([1, 3, 4]) == [(1, False), (3, False), (4, False)]
    assert ledger.ack([2, 5]) == [(5, True)]


def test_a_written_nack_is_stepped_over():
    """A nack already on the wire does not stop the run."""
    ledger = AckLedger()
    ledger.settled_elsewhere([2])
    assert ledger.ack([1, 3]) == [(3, True)]


def test_nothing_settled_writes_nothing():
    """An empty round has no frames."""
    assert AckLedger().ack([]) == []


@pytest.mark.parametrize("late", [1, 2])
def test_multiple_never_names_a_tag_that_is_gone(late):
    """RabbitMQ closes the channel for a tag it no longer holds, so the frame names a fresh one."""
    ledger = AckLedger()
    fresh = {1, 2} - {late}
    ledger.ack([3])
    ledger.ack(fresh)
    assert ledger.ack([late]) == [(late, False)]
