"""A child is told once that its parent is gone, and not of a mere thread of it."""

import os
import signal
import subprocess
import sys

_CODE = """
import os, signal, sys, threading
from pathlib import Path
from notifier.telemetry.parents import end_with_parent

def child(parent):
    told = []

    def end():
        told.append(os.getppid() != parent)
        os.write(1, f"told {told}\\n".encode())

    end_with_parent(end)
    os.write(1, b"ready\\n")
    while not told:
        signal.pause()
    # As when a second thread of the parent ends a moment later.
    os.kill(os.getpid(), signal.SIGRTMIN)
    os.write(1, f"left {told}\\n".encode())
    os._exit(0)

def fork():
    parent = os.getpid()
    if os.fork() == 0:
        child(parent)
    else:
        sys.stdin.readline()

# The kernel takes the thread that forked for the parent.
forking = threading.Thread(target=fork)
forking.start()
forking.join()
while len(list(Path("/proc/self/task").iterdir())) > 1:
    pass
os.write(1, b"alone\\n")
sys.stdin.readline()
"""


def test_a_child_is_told_once_when_its_parent_is_gone():
    """The thread that forked ends, which is no news; then the parent dies of -9."""
    with subprocess.Popen(
        [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.stdin.write("\n")
        assert parent.stdout.readline() == "alone\n"
        os.kill(parent.pid, signal.SIGKILL)
        assert parent.stdout.read() == "told [True]\nleft [True]\n"
