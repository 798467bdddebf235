"""Tests wait for what a part has done, and let it die where they say."""

import subprocess
import sys
import threading

import pytest

from notifier.telemetry.signals import CRASH_POINTS, CrashPoints, Signals


def test_a_listener_gets_what_was_emitted_since_it_listens():
    signals = Signals()
    signals.emit("sent", id=0)
    with signals.listen("sent") as sent:
        signals.emit("sent", id=1)
        signals.emit("other", id=2)
        signals.emit("sent", id=3)
        assert [sent.wait(60)["id"], sent.wait(60)["id"]] == [1, 3]
        with pytest.raises(TimeoutError, match="sent"):
            sent.wait(0.01)


def test_every_listener_gets_every_emission_and_a_closed_one_none():
    signals = Signals()
    first, second = signals.listen("sent"), signals.listen("sent")
    signals.emit("sent", id=1)
    first.close()
    first.close()
    signals.emit("sent", id=2)
    assert [second.wait(60)["id"], second.wait(60)["id"]] == [1, 2]
    assert first.wait(60)["id"] == 1
    with pytest.raises(TimeoutError):
        first.wait(0)


def test_waiting_for_one_fact_leaves_the_others():
    signals = Signals()
    sent = signals.listen("sent")
    for number in range(3):
        signals.emit("sent", id=number)
    assert sent.wait_for(lambda facts: facts["id"] == 2, 5)["id"] == 2
    assert sent.wait(60)["id"] == 0
    with pytest.raises(TimeoutError, match="1 others"):
        sent.wait_for(lambda facts: facts["id"] == 2, 0.01)


def test_a_waiting_thread_is_woken_by_another():
    signals = Signals()
    sent = signals.listen("sent")
    got = []
    waiter = threading.Thread(target=lambda: got.append(sent.wait_for(lambda facts: facts["id"] == 99, 10)))
    waiter.start()
    emitters = [
        threading.Thread(target=lambda: [signals.emit("sent", id=number) for number in range(100)])
        for _ in range(4)
    ]
    for thread in emitters:
        thread.start()
    waiter.join(10)
    assert got == [{"id": 99}]
    for thread in emitters:
        thread.join(10)
    assert all(sent.wait(60) is not None for _ in range(399))


def test_facts_can_not_be_changed_by_a_listener():
    signals = Signals()
    sent = signals.listen("sent")
    signals.emit("sent", id=1)
    with pytest.raises(TypeError):
        sent.wait(60)["id"] = 2


def test_passing_a_point_that_is_not_named_does_nothing():
    for points in (CrashPoints(), CrashPoints("after_send")):
        for name in CRASH_POINTS - {"after_send"}:
            points.reach(name)
    CrashPoints().reach("")


def test_reaching_the_named_point_kills_the_process_at_once():
    code = (
        "import atexit; from notifier.telemetry.signals import CrashPoints\n"
        "atexit.register(print, 'cleaned up')\n"
        "CrashPoints('after_send').reach('after_send'); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (-9, b"")
