"""The stand-in: a worker runs the relay's loop while no relay beats, and lets go of all of it afterwards."""

import threading
from types import SimpleNamespace

import pytest

from notifier.queueing.stand_in import StandIn
from tests.nodes.waiting import wait_until


class Loop:
    """A relay's loop that runs until stopped, and its parts that are let go of after it."""

    def __init__(self):
        self.begun, self.ended, self.closed = (threading.Event() for _ in range(3))

    def run(self):
        self.begun.set()
        assert self.ended.wait(60)

    def stop(self):
        self.ended.set()

    def close(self):
        assert self.ended.is_set()
        self.closed.set()


@pytest.fixture
def world():
    world = SimpleNamespace(now=0.0, lives=True, loops=[])

    def make():
        world.loops.append(Loop())
        return world.loops[-1]

    world.stand_in = StandIn(make, lambda: world.lives, missing=10.0, clock=lambda: world.now)
    yield world
    world.stand_in.stop()


def look(world, now):
    world.now = now
    world.stand_in.look()


def test_it_begins_once_no_relay_has_been_seen_for_long_enough(world):
    look(world, 5.0)
    world.lives = False
    look(world, 14.9)
    assert not world.stand_in.running
    look(world, 15.0)
    assert world.stand_in.running
    assert world.loops[0].begun.wait(60)
    look(world, 30.0)
    assert len(world.loops) == 1


def test_it_ends_when_a_relay_is_back_and_lets_go_of_its_parts(world):
    world.lives = False
    look(world, 10.0)
    world.lives = True
    look(world, 11.0)
    assert not world.stand_in.running
    assert world.loops[0].closed.wait(60)
    world.lives = False
    look(world, 21.0)
    assert world.stand_in.running
    assert len(world.loops) == 2


def test_at_a_stop_it_waits_until_its_parts_are_let_go(world):
    world.lives = False
    look(world, 10.0)
    world.stand_in.stop()
    assert world.loops[0].closed.is_set()


def test_parts_are_let_go_although_the_loop_failed(world):
    world.lives = False
    failing = Loop()
    failing.run = lambda: failing.ended.set() or 1 / 0
    caught = []
    hook, threading.excepthook = threading.excepthook, caught.append
    try:
        stand_in = StandIn(lambda: failing, lambda: False, missing=0.0, clock=lambda: 0.0)
        stand_in.look()
        wait_until(failing.closed.is_set, 10)
        stand_in.stop()
    finally:
        threading.excepthook = hook
