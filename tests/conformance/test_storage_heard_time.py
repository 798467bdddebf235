"""The database's moment as its answers tell it: never ahead of it, and never believed for long."""

from datetime import UTC, datetime, timedelta

from notifier.storage.clock import BELIEVED, HeardTime

AT = datetime(2027, 1, 1, tzinfo=UTC)


class Host:
    """A monotonic clock that a test turns."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_nothing_is_known_before_the_first_answer_nor_long_after_the_last():
    host = Host()
    clock = HeardTime(host)
    assert clock.now() is None
    clock.heard(AT)
    assert clock.now() == AT
    host.now += BELIEVED + 0.1
    assert clock.now() is None


def test_the_quickest_answer_counts_and_time_goes_on_between_two():
    """An answer that took longer would put the moment further behind; none can put it ahead."""
    host = Host()
    clock = HeardTime(host)
    host.now += 0.5  # the answer's way
    clock.heard(AT)
    host.now += 1.0
    clock.heard(AT + timedelta(seconds=1.4))
    assert abs(clock.now() - (AT + timedelta(seconds=1.4))) < timedelta(milliseconds=1)
    host.now += 1.0
    clock.heard(AT + timedelta(seconds=1.5))
    assert abs(clock.now() - (AT + timedelta(seconds=2.4))) < timedelta(milliseconds=1)


def test_a_database_whose_clock_was_put_back_is_believed_in_the_end():
    """A fail-over to a server whose clock is behind."""
    host = Host()
    clock = HeardTime(host)
    clock.heard(AT)
    host.now += BELIEVED + 0.1
    clock.heard(AT - timedelta(hours=1))
    assert clock.now() == AT - timedelta(hours=1)
