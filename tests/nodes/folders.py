"""Folders that the user a server runs as can reach."""

import os
import pwd
import re
import stat
import tempfile
from pathlib import Path

# Everybody can pass through these; the second survives a reboot.
_PUBLIC = (Path("/tmp"), Path("/var/tmp"))
#: Bytes of a run's files at the most: the deep backlog's database and its log.
_PLENTY = 4 * 1024**3


def temporary_folder(prefix: str, user: str | None, *, lasting: bool = False) -> Path:
    """A new private folder, where `user` (None: ourselves) can come to; `lasting` ones survive a reboot."""
    usual = Path(tempfile.gettempdir())
    public = _PUBLIC[1] if lasting else _PUBLIC[0]
    parent = usual if not lasting and can_reach(usual, user) else public
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def can_reach(folder: Path, user: str | None) -> bool:
    """Whether `user` may pass through every folder down to this one (a checkout in /root forbids it)."""
    if user is None:
        return True
    entry = pwd.getpwnam(user)
    existing = folder.resolve()
    return all(_may_pass(each.stat(), entry) for each in (existing, *existing.parents))


def _may_pass(status: os.stat_result, entry: pwd.struct_passwd) -> bool:
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == entry.pw_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def in_memory() -> Path | None:
    """Where files live in memory, if there is plenty of both.

    Everything here syncs what it promises, on one disk; a process that is killed loses nothing of a file in
    memory either, and what these tests end is processes, never the machine.
    """
    memory, told = Path("/dev/shm"), Path("/proc/meminfo")
    if not os.access(memory, os.W_OK) or not told.exists():
        return None
    free = os.statvfs(memory)
    found = re.search(r"MemAvailable: +(\d+) kB", told.read_text())
    available = int(found[1]) * 1024 if found else 0
    plenty = free.f_bavail * free.f_frsize >= _PLENTY and available >= 2 * _PLENTY
    return memory if plenty else None
