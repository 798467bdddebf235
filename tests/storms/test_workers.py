"""Workers killed, frozen and restarted under load (F1, F3; promises 2, 3, 11 and 15)."""

import pytest

from tests.nodes.waiting import wait_until
from tests.storms.kit.outages import last

#: What one worker of eight threads may have sent and not stored.
BOUND = 16
#: Seconds until others send what waits.
RESUMED = 5.0
#: Seconds that a worker stands still: its lease of 10 s ends meanwhile, and its claims are taken over.
FROZEN = 18.0


def test_workers_are_killed(case, installation):
    """F1. -9 to a random worker with its relay: others go on in 5 s, what it held is redone after its lease."""
    with case("F1", "worker kill -9") as storm:
        for _ in storm.repeats(short=1, full=20):
            victim = storm.dice.choice(installation.crew)
            installation.kill_part(victim)
            storm.hit(bound=BOUND)
            took = storm.wait_for_sending(within=RESUMED)
            storm.remark("resumed_s", took)
            installation.again(victim)
            wait_until(lambda: len(installation.beating("worker")) >= 2, 30, "the new worker")


@pytest.mark.full
def test_workers_are_frozen(case, installation):
    """A worker that stands still past its lease: others take over; what it then says cannot overwrite anything."""
    with case("F1", "worker frozen 18 s and thawed") as storm:
        for _ in storm.repeats(short=1, full=3):
            victim = storm.dice.choice(installation.crew)
            sent = installation.sunk.total
            installation.freeze_part(victim)
            storm.hit(bound=BOUND)
            try:
                last(storm, FROZEN)
            finally:
                installation.thaw_part(victim)
            assert installation.sunk.total > sent
            installation.wait_whole()


def test_workers_are_restarted_in_turn(case, installation):
    """F3. SIGTERM under load: exit 0 in time, nothing lost, nothing sent twice."""
    with case("F3", "rolling SIGTERM restart of workers") as storm:
        for _ in storm.repeats(short=1, full=10):
            for part in installation.crew:
                installation.engine.dispose()
                assert installation.stop_part(part) == 0
                storm.hit()
                installation.again(part)
                wait_until(lambda: len(installation.beating("worker")) >= 2, 30, "the new worker")
