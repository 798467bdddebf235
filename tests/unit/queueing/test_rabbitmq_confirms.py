"""Pipelined confirms: a group is confirmed when each of its messages is, and never otherwise."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain.errors import NotConfirmed
from notifier.queueing.rabbitmq_confirms import Confirms, Group


def group_of(confirms, count, at=0.0):
    group = Group([("queue", b"%d" % number) for number in range(count)], deadline=5.0)
    for _, body in group.messages:
        confirms.sent(group, body, at)
    return group


def test_a_group_is_confirmed_with_its_last_message():
    """Not before, whatever the order."""
    confirms = Confirms()
    group = group_of(confirms, 3)
    for tag in (3, 1):
        confirms.answer(tag, multiple=False, taken=True)
        assert not group.over
    confirms.answer(2, multiple=False, taken=True)
    assert group.future.result(0) is None
    assert len(confirms) == 0


def test_multiple_confirms_all_up_to_the_number():
    """An answer with `multiple` ends every older message that is still in flight."""
    confirms = Confirms()
    first, second = group_of(confirms, 2), group_of(confirms, 2)
    confirms.answer(2, multiple=False, taken=True)
    assert confirms.answer(3, multiple=True, taken=True) == 2
    assert first.over
    assert not second.over
    assert len(confirms) == 1


def test_a_nack_fails_the_group_at_once():
    """One message that was refused is enough; later answers change nothing."""
    confirms = Confirms()
    group = group_of(confirms, 2)
    confirms.answer(1, multiple=False, taken=False)
    with pytest.raises(NotConfirmed, match="refused"):
        group.future.result(0)
    confirms.answer(2, multiple=False, taken=True)
    assert group.over


def test_a_returned_message_is_not_confirmed_by_its_ack():
    """RabbitMQ acks what it could not route, after returning it."""
    confirms = Confirms()
    lost, kept = group_of(confirms, 1), Group([("queue", b"other")], 5.0)
    confirms.sent(kept, b"other", 0.0)
    confirms.returned(b"0")
    confirms.answer(2, multiple=True, taken=True)
    with pytest.raises(NotConfirmed, match="no such queue"):
        lost.future.result(0)
    assert kept.future.result(0) is None


def test_the_oldest_is_the_one_that_waits_longest():
    """Confirmed messages no longer count; an alarm's end starts the clock anew."""
    confirms = Confirms()
    assert confirms.oldest() is None
    group_of(confirms, 1, at=1.0)
    group_of(confirms, 1, at=2.0)
    assert confirms.oldest() == 1.0
    confirms.answer(1, multiple=False, taken=True)
    assert confirms.oldest() == 2.0
    confirms.restart(9.0)
    assert confirms.oldest() == 9.0


def test_an_answer_for_nothing_is_ignored():
    """A number that is not in flight ends nothing."""
    confirms = Confirms()
    group = group_of(confirms, 1)
    assert confirms.answer(7, multiple=False, taken=True) == 0
    assert not group.over


def test_a_lost_connection_fails_what_is_in_flight_only():
    """Groups confirmed before stay confirmed."""
    confirms = Confirms()
    done, open_group = group_of(confirms, 1), group_of(confirms, 1)
    confirms.answer(1, multiple=False, taken=True)
    confirms.fail_all("the connection was lost")
    assert done.future.exception(0) is None
    assert isinstance(open_group.future.exception(0), NotConfirmed)


def test_a_group_cannot_be_cancelled():
    """What may be on the wire can't be taken back: the future tells the truth to everyone."""
    group = Group([("queue", b"x")], 5.0)
    assert not group.future.cancel()
    group.confirm()
    assert group.future.result(0) is None


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.data())
def test_every_message_is_answered_once(sizes, data):
    """However acks, nacks and `multiple` fall, each message ends once and each group tells the truth."""
    confirms = Confirms()
    groups = [group_of(confirms, size) for size in sizes]
    owner = [index for index, size in enumerate(sizes) for _ in range(size)]
    flying, refused, ended = set(range(1, len(owner) + 1)), set(), Counter()
    while flying:
        tag, multiple = data.draw(st.sampled_from(sorted(flying))), data.draw(st.booleans())
        taken = data.draw(st.integers(0, 5)) > 0
        now = {other for other in flying if other <= tag} if multiple else {tag}
        assert confirms.answer(tag, multiple, taken) == len(now)
        flying -= now
        ended.update(owner[other - 1] for other in now)
        if not taken:
            refused |= {owner[other - 1] for other in now}
        for index, group in enumerate(groups):
            assert group.over == (index in refused or ended[index] == sizes[index])
            assert group.over is False or (group.future.exception(0) is not None) == (index in refused)
