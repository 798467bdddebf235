"""Where the servers' binaries and the clocks' library are: Debian's folders first, then PATH."""

import os
import shutil
from pathlib import Path

_POSTGRES_ROOT = Path("/usr/lib/postgresql")
# Debian's /usr/sbin/rabbitmq-server is a wrapper that insists on the system's user and folders.
_RABBITMQ = Path("/usr/lib/rabbitmq/bin")
_ERLANG = Path("/usr/lib/erlang/bin")

_LIBRARIES = (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64"))

#: The library that gives a process a wrong clock, in its build for processes with threads.
FAKETIME = "libfaketimeMT.so.1"
POSTGRES_NAMES = ("initdb", "postgres")
RABBITMQ_NAMES = ("rabbitmq-server", "rabbitmqctl", "epmd", "erl")
PROMETHEUS_NAMES = ("prometheus", "promtool")
#: The browser that the console is driven in.
CHROMIUM = "chromium"


class BinaryMissingError(RuntimeError):
    """A server's binary is not installed; the message says how to get it."""


def find(name: str) -> str:
    """The path of one binary; `BinaryMissingError` when it is not there."""
    path = _find(name)
    if path is None:
        raise BinaryMissingError(f"{name} is not installed: run `python -m tests.nodes install`")
    return path


def missing() -> list[str]:
    """The binaries that are not installed."""
    names = (*POSTGRES_NAMES, *RABBITMQ_NAMES, *PROMETHEUS_NAMES, FAKETIME, CHROMIUM)
    return [name for name in names if _find(name) is None]


def _find(name: str) -> str | None:
    if name == FAKETIME:
        return _library(name)
    folders = _debian_postgres() if name in POSTGRES_NAMES else [_RABBITMQ, _ERLANG]
    for folder in folders:
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    return shutil.which(name)


def _library(name: str) -> str | None:
    """Debian has it below its folder for the machine's kind, others next to their libraries."""
    for folder in _LIBRARIES:
        for path in (folder / "faketime" / name, *sorted(folder.glob(f"*/faketime/{name}"))):
            if path.is_file():
                return str(path)
    return None


def _debian_postgres() -> list[Path]:
    """The folders of the installed versions, newest first."""
    versions = [entry for entry in _POSTGRES_ROOT.glob("*") if entry.name.isdigit()]
    return [entry / "bin" for entry in sorted(versions, key=lambda entry: int(entry.name), reverse=True)]
