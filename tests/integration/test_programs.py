"""A program from the nursery is what `python -m` would have made of it, but for the time it takes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nodes import programs
from tests.nodes.programs import Program
from tests.nodes.state import Mark
from tests.nodes.waiting import wait_until

ROOT = Path(__file__).parents[2]
#: A module of the test's own folder: it tells who it is, and ends as it is told.
TELLS = """
import json, os, signal, sys
import notifier
told = {
    "arguments": sys.argv[1:], "name": __name__, "cwd": os.getcwd(), "path": sys.path[0],
    "environment": sorted(os.environ), "input": sys.stdin.read(), "leads": os.getsid(0) == os.getpid(),
    "signals": [str(signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
}
print(json.dumps(told))
print("and an error", file=sys.stderr)
if sys.argv[1] == "raise":
    raise ValueError("as asked")
sys.exit(int(sys.argv[1]))
"""
STAYS = "print('here', flush=True)\nimport signal\nsignal.pause()\n"
OWNER = """
import os
from pathlib import Path
from tests.nodes import programs
programs.run("json.tool", "--help", cwd=Path.cwd(), env=dict(os.environ), timeout=60)
print(programs._nursery()._process.pid, flush=True)
input()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tells.py").write_text(TELLS)
    (tmp_path / "stays.py").write_text(STAYS)
    return tmp_path


def by_python(*arguments, cwd, env):
    """The same by an interpreter of its own."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize("end", ["0", "3", "raise"])
def test_it_is_and_ends_as_one_with_an_interpreter_of_its_own(folder, end):
    """Arguments, folder, environment, search path, signals, both streams and the exit code."""
    env = {**os.environ, "NOTIFIER_ONE": "1"}
    ours = programs.run("tells", end, "b c", cwd=folder, env=env, timeout=60)
    theirs = by_python("tells", end, "b c", cwd=folder, env=env)
    assert json.loads(ours.stdout) == json.loads(theirs.stdout)
    assert ours.returncode == theirs.returncode
    assert ours.stderr.splitlines()[0] == "and an error"
    assert ours.stderr.splitlines()[-1] == theirs.stderr.splitlines()[-1]


def test_nothing_of_notifier_is_there_before_it_begins(folder):
    """What a program imports of ours, and when, is the program's own business."""
    (folder / "asks.py").write_text("import sys; print([one for one in sys.modules if 'notifier' in one])")
    assert programs.run("asks", cwd=folder, env=os.environ, timeout=60).stdout == "[]\n"


def test_it_is_signalled_and_waited_for_as_a_child(folder):
    """A signal is told as its negative; after the end nobody is signalled, whoever has the number by then."""
    one = programs.start("stays", cwd=folder, env=os.environ, stdout=subprocess.PIPE, text=True)
    assert isinstance(one, Program)
    assert one.stdout.readline() == "here\n"
    assert one.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    os.killpg(one.pid, signal.SIGTERM)
    assert one.communicate(timeout=60) == ("", None)
    assert one.returncode == -signal.SIGTERM
    one.kill()
    wait_until(lambda: not Mark.of(one.pid).lives, 60, "the process to be gone")


def test_an_environment_that_tells_the_interpreter_something_gets_its_own(folder):
    (folder / "asks.py").write_text("import sys; print(sys.flags.optimize)")
    env = {**os.environ, "PYTHONOPTIMIZE": "1"}
    assert programs.run("asks", cwd=folder, env=env, timeout=60).stdout == "1\n"


def test_the_nursery_ends_with_its_owner():
    """kill -9 of who started it leaves nobody to fork."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    nursery = Mark.of(int(owner.stdout.readline()))
    assert nursery.lives
    owner.kill()
    owner.communicate()
    wait_until(lambda: not nursery.lives, 60, "the nursery's end")
