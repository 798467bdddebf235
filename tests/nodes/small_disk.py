"""A small file system that can be filled to its last byte, for what a server does on a full disk."""

import errno
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.nodes.folders import temporary_folder
from tests.nodes.postgres import server_user
from tests.nodes.process import NodeError, start_guard

_CHUNK = 1_048_576  # bytes written at once
_PAGE = 4_096  # bytes; less than this is never free on a tmpfs
_MOST_WRITES = 1_000_000  # a disk that is never full is not ours


class SmallDisk:
    """`with SmallDisk(110) as disk:` gives `disk.folder`, of so many megabytes, the PostgreSQL user's own.

    It is a tmpfs, so it takes root to mount it: `NodeError` says so otherwise. It goes with this process,
    however that ends; give it to `PostgresNode(folder=..., wal_segment_megabytes=1)`.
    """

    def __init__(self, megabytes: int = 110) -> None:
        self._megabytes = megabytes
        self.folder = Path()
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = temporary_folder("notifier-disk-", server_user())
        self._guard = start_guard(self.folder)  # before there is something to leave behind
        try:
            self._mount()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def free_bytes(self) -> int:
        """How much can still be written."""
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def fill(self) -> None:
        """Write a ballast until nothing more can be written."""
        file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = _CHUNK
            for _ in range(_MOST_WRITES):
                try:
                    os.write(file, bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    if size == _PAGE:
                        return
                    size = _PAGE
        finally:
            os.close(file)

    def free(self) -> None:
        """Remove the ballast."""
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def _mount(self) -> None:
        if os.geteuid() != 0:
            raise NodeError("a small disk is a tmpfs, and only root may mount one: run this test as root")
        user = server_user()
        owner = pwd.getpwnam(user) if user else pwd.getpwuid(0)
        options = f"size={self._megabytes}m,mode=0700,uid={owner.pw_uid},gid={owner.pw_gid}"
        _run("mount", "-t", "tmpfs", "-o", options, "notifier-disk", str(self.folder))

    def _end(self) -> None:
        if os.path.ismount(self.folder):
            # Out of sight at once; its memory is given back with the last process that has a file open there.
            _run("umount", "--lazy", str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._guard is not None:
            self._guard.communicate(b"released")
            self._guard = None


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()
        raise NodeError(f"{command[0]} failed (in a container root may lack CAP_SYS_ADMIN): {reason}")
