"""Doors and launchers killed, frozen and restarted under load, and everything at once (F12, F3; promises 1, 2, 11, 15)."""

import os
import signal
import threading
import time

import pytest

from tests.acceptance.fleet import ready
from tests.nodes.waiting import wait_until
from tests.storms.kit.form import patience
from tests.storms.kit.installation import Installation, Part
from tests.storms.kit.processes import group

#: What one worker of eight threads may have sent and not stored.
BOUND = 16
#: Requests a second.
PACE = 25
#: Seconds after which a killed launcher has left nobody behind.
GONE = 10.0
#: Seconds a door stands still.
FROZEN = 5.0


@pytest.fixture(scope="module")
def installation(make_installation):
    """A door of one process and one of two that share a socket; two workers of eight threads."""
    made = make_installation(doors=1)
    made.add_door(processes=2)
    made.wait_whole()
    return made


def test_http_processes_are_killed(case, installation):
    """F12. A whole door, or one of two processes, which its parent replaces: others accept meanwhile."""
    pair = installation.doors[-1]
    with case("F12", "HTTP process kill -9", pace=PACE) as storm:
        for turn in storm.repeats(short=2, full=20):
            if turn % 2:
                wait_for_both(installation, pair)
                os.kill(storm.dice.choice(sorted(at_work(installation, pair))), signal.SIGKILL)
                storm.wait_for_load()
            else:
                victim = storm.dice.choice(installation.doors)
                installation.kill_part(victim)
                storm.wait_for_load()
                installation.again(victim)
                wait_for_door(victim)
            storm.hit()
        wait_for_both(installation, pair)


def test_launchers_are_killed(case, installation):
    """F12. -9 to the parent alone: its children end in order, in 10 s, and so repeat nothing."""
    with case("F12", "launcher kill -9", pace=PACE) as storm:
        parts = [installation.doors[-1], *installation.crew]
        for turn in storm.repeats(short=2, full=10):
            victim = parts[turn % len(parts)]
            children = group(victim.pid) - {victim.pid}
            assert len(children) >= 2, "a worker and a relay, or two HTTP processes"
            installation.kill_launcher(victim)
            storm.hit()
            storm.remark("orphans_gone_s", wait_for_nobody(victim))
            installation.again(victim)
            wait_for_all(installation)


@pytest.mark.full
def test_doors_are_frozen(case, installation):
    """A door that stands still for 5 s answers what it had taken; meanwhile the other door accepts."""
    with case("F12", "door frozen 5 s and thawed", pace=PACE) as storm:
        for _ in storm.repeats(short=1, full=3):
            victim = storm.dice.choice(installation.doors)
            installation.freeze_part(victim)
            storm.hit()
            try:
                storm.wait_for_load()
                threading.Event().wait(FROZEN)
            finally:
                installation.thaw_part(victim)
            wait_for_door(victim)


def test_doors_are_restarted_in_turn(case, installation):
    """F3. SIGTERM under load: no request is dropped, only new connections are refused; exit 0."""
    with case("F3", "rolling SIGTERM restart of doors", pace=PACE) as storm:
        for _ in storm.repeats(short=1, full=10):
            for door in installation.doors:
                begun = time.monotonic()
                assert installation.stop_part(door) == 0
                storm.remark("stopped_s", time.monotonic() - begun)
                storm.hit()
                installation.again(door)
                wait_for_door(door)
        storm.remark("answers_503", storm.load.answers[503])
        assert set(storm.load.failures) <= {"ClientConnectorError"}, storm.load.failures


@pytest.mark.full
def test_everything_is_killed_at_once(case, installation):
    """-9 to doors, workers, relays and launchers together; started again, all of it is sent."""
    with case("F12", "everything kill -9 at once", pace=PACE) as storm:
        for _ in storm.repeats(short=1, full=5):
            parts = [*installation.doors, *installation.crew]
            installation.kill(part.process for part in parts)
            storm.hit(bound=BOUND * len(installation.crew), faults=len(parts))
            for part in parts:
                wait_for_nobody(part)
            for part in parts:
                installation.again(part)
            wait_for_all(installation)
            storm.wait_for_sending()


def at_work(installation: Installation, door: Part) -> set[int]:
    """The HTTP processes of this door that beat and live."""
    return set(installation.children("http")) & group(door.pid)


def wait_for_both(installation: Installation, door: Part) -> None:
    wait_until(lambda: len(at_work(installation, door)) == 2, patience(30), "two HTTP processes")


def wait_for_door(door: Part) -> None:
    wait_until(lambda: ready(door.port), patience(30), f"the door on {door.port}")


def wait_for_nobody(part: Part) -> float:
    """Until no process of a part whose launcher is dead lives; the seconds it took."""
    begun = time.monotonic()
    wait_until(lambda: not group(part.pid), patience(GONE), "the end of the orphans")
    return time.monotonic() - begun


def wait_for_all(installation: Installation) -> None:
    """Until every door answers and every worker beats."""
    for door in installation.doors:
        wait_for_door(door)
    crew = len(installation.crew)
    wait_until(
        lambda: sum(pid in running(installation) for pid in installation.children("worker")) >= crew,
        patience(30),
        f"{crew} workers",
    )


def running(installation: Installation) -> set[int]:
    """Every process of the present workers: the dead beat on for a moment."""
    return set().union(*(group(part.pid) for part in installation.crew))
