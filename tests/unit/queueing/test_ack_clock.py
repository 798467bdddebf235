"""Acks that can wait are written together, and none waits for ever."""

import threading

from notifier.queueing.ack_clock import AckClock


def test_whoever_asked_is_woken_once_though_another_fails():
    """A consumer whose connection is gone does not keep the others' acks from going out."""
    clock, woken, all_woken = AckClock(0.001), [], threading.Event()

    def fails():
        woken.append("failed")
        raise OSError

    def last():
        woken.append("last")
        all_woken.set()

    for wake in (fails, lambda: woken.append("second"), last):
        clock.soon(wake)
    assert all_woken.wait(60)
    assert woken == ["failed", "second", "last"]


def test_it_wakes_again_for_whoever_asks_later():
    """The clock goes on after its first round."""
    clock = AckClock(0.001)
    for _ in range(3):
        woken = threading.Event()
        clock.soon(woken.set)
        assert woken.wait(60)
