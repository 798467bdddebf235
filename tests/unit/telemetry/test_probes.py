"""Whether a launch lives and is ready, from what its processes last said."""

import os
import subprocess
import sys

import pytest
from msgspec import structs

from notifier.telemetry import probes
from notifier.telemetry.probes import State

WELL = State(
    role="worker", pid=7, at=99.0, threads=8, threads_alive=8, consumers=9, consumers_alive=9, patience=120.0
)
NOW, BEGAN = 100.0, 0.0


def said(**changes):
    return [structs.replace(WELL, **changes)]


@pytest.mark.parametrize(
    ("states", "alive", "ready"),
    [
        (said(), (), ()),
        (said(stage="starting", threads_alive=0, consumers_alive=0), (), ("worker 7: starting",)),
        (said(stage="stopping", threads_alive=2), (), ("worker 7: stopping",)),
        (said(threads_alive=7), ("worker 7: 7 of 8 threads",), ("worker 7: 7 of 8 threads",)),
        (said(threads_alive=9), (), ()),
        (said(consumers_alive=0), ("worker 7: 0 of 9 consumers",), ("worker 7: 0 of 9 consumers",)),
        (said(at=NOW - probes.SILENT - 1), ("worker 7: silent",), ("worker 7: silent",)),
        (said(stalled=121.0), ("worker 7: no progress",), ("worker 7: no progress",)),
        (said(stalled=119.0), (), ()),
        (said(parts_ended=("recorder",)), ("worker 7: recorder ended",), ("worker 7: recorder ended",)),
        ([], ("no worker",), ("no worker", "no worker")),
        (
            [*said(), *said(pid=8, threads_alive=0)],
            ("worker 8: 0 of 8 threads",),
            ("worker 8: 0 of 8 threads",),
        ),
        ([*said(), State(role="relay", pid=9, at=0.0)], (), ()),
    ],
)
def test_a_worker_lives_while_it_speaks_has_its_threads_and_gets_on(states, alive, ready):
    assert probes.alive(states, NOW, BEGAN).wrong == alive
    assert probes.ready(states, NOW, BEGAN).wrong == ready


def test_a_launch_has_time_to_start():
    """Before its first worker speaks it lives, and is not ready."""
    assert probes.alive([], NOW, NOW - 1).good
    assert not probes.ready([], NOW, NOW - 1).good


def test_what_a_process_says_is_read_as_it_was_said_until_it_is_dead(tmp_path):
    """The words of dead processes go, so that their launch does not count them as silent."""
    mine = structs.replace(WELL, pid=os.getpid())
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(60)
    for state in (mine, structs.replace(WELL, pid=dead.pid)):
        probes.say(tmp_path, state)
    (tmp_path / "state_1.json").write_text("{half")
    assert probes.said(tmp_path) == [mine]
    assert not (tmp_path / f"state_{dead.pid}.json").exists()
