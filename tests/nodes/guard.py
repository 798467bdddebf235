"""Ends one server when the pipe from the test run closes without a word, and removes its folder.

Run as a script: `guard.py PID SIGNAL FOLDER`, with the pipe as standard input. Any byte read means the
run has ended the server itself. PID 0: there is only the folder, which is unmounted if something is
mounted there. It imports nothing of this project, so it starts in milliseconds.
"""

import ctypes
import os
import select
import shutil
import signal
import sys

_PATIENCE = 10_000  # milliseconds for the server to end before it is killed
_DETACH = 2  # umount2(2): gone from sight at once, gone for good with its last user


def main(pid: int, number: int, folder: str) -> None:
    """Wait for the run's word or its death."""
    try:
        # Names this very process, even if its id is given away later.
        server = os.pidfd_open(pid) if pid else None
    except ProcessLookupError:
        server = None
    if sys.stdin.buffer.read(1):
        return
    if server is not None:
        _end(server, number)
    if folder:
        if os.path.ismount(folder):
            ctypes.CDLL(None).umount2(os.fsencode(folder), _DETACH)
        shutil.rmtree(folder, ignore_errors=True)


def _end(server: int, number: int) -> None:
    ended = select.poll()
    ended.register(server, select.POLLIN)
    for attempt in (signal.SIGCONT, number, signal.SIGKILL):
        try:
            signal.pidfd_send_signal(server, attempt)
        except ProcessLookupError:
            return
        if attempt != signal.SIGCONT and ended.poll(_PATIENCE):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
