"""Whose CPU it was: read from the system, shared out by part, told by notification and by core."""

import os
import subprocess
import sys

import pytest

from benchmarks import split
from benchmarks.split import Part, Reading

_BUSY = "import sys, time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\nsys.stdin.read()"


def test_a_part_has_its_processes_with_what_they_started_or_alone():
    """A server's time is that of its children too; a launcher's, who only copies logs, is not its workers'."""
    starts = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_BUSY!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout.readline() == "done\n"
        whole, alone = Part("whole", (parent.pid,)), Part("alone", (parent.pid,), alone=True)
        found = split.read([whole, alone]).parts
        parent.communicate("")
    assert found["whole"] >= found["alone"] + 0.25


def test_a_launchs_workers_are_those_it_started_first():
    """The relay is a fork that the launcher starts after its workers."""
    code = (
        "import subprocess, sys\n"
        "many = [subprocess.Popen(['sleep', '600']) for _ in range(3)]\n"
        "print(*[one.pid for one in many], flush=True)\n"
        "sys.stdin.read()\n"
        "for one in many: one.kill()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as launcher:
        pids = tuple(map(int, launcher.stdout.readline().split()))
        found = split.launched(launcher.pid, 2)
        launcher.communicate("")
    assert found == [
        Part("worker", pids[:2]),
        Part("relay", pids[2:]),
        Part("launcher", (launcher.pid,), alone=True),
    ]


def test_who_is_gone_is_no_part():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with pytest.raises(FileNotFoundError):
        split.read([Part("gone", (ended.pid,))])


def test_time_is_told_by_notification_and_by_core():
    """Parts, all else on the machine and what was idle are together all cores."""
    before = Reading(10.0, {"worker": 1.0, "postgresql": 2.0}, idle=5.0)
    after = Reading(12.0, {"worker": 2.5, "postgresql": 2.2}, idle=6.0)
    assert split.microseconds(before, after, 1000) == pytest.approx({"worker": 1500, "postgresql": 200})
    found = split.cores(before, after, 2)
    assert found == pytest.approx({"worker": 0.75, "postgresql": 0.1, "other": 0.65, "idle": 0.5})
    assert sum(found.values()) == pytest.approx(2)


def test_medians_are_taken_part_by_part():
    rounds = [{"worker": 1.0, "relay": 9.0}, {"worker": 3.0, "relay": 1.0}, {"worker": 2.0, "relay": 2.0}]
    assert split.medians(rounds) == {"worker": 2.0, "relay": 2.0}


def test_the_machines_idle_time_is_read_from_the_first_line():
    stat = "cpu  100 0 50 1000 500 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    assert split.idle_seconds(stat) == pytest.approx(1500 / os.sysconf("SC_CLK_TCK"))
