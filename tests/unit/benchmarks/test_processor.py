"""CPU time as Linux tells it: of a process with its children, whatever it is called."""

import os
import subprocess
import sys

import pytest

from benchmarks import processor


@pytest.mark.parametrize("name", ["python", "a) R 1 2", "(x) (y)"])
def test_a_name_with_brackets_moves_no_field(name):
    stat = f"7 ({name}) S 1 7 7 0 -1 4194304 100 0 0 0 11 12 13 14 20 0 1 0 99\n"
    assert processor.fields(stat) == [11, 12, 13, 14]


def test_own_time_is_as_the_system_tells_it():
    """To a tick or two; in a process of its own, for this one has children that run."""
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import os\nfrom benchmarks import processor\nsum(range(10**7))\ntold = os.times()\n"
                "print(processor.seconds(os.getpid()) - told.user - told.system)"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(found.stdout) == pytest.approx(0, abs=0.2)


def test_what_a_child_does_is_counted_while_it_runs():
    """The door of several processes is its supervisor's children."""
    burn = (
        "import sys, time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\nsys.stdin.read()"
    )
    before = processor.seconds(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        assert processor.seconds(os.getpid()) - before > 0.25
        child.communicate(b"")
