"""Sees that the servers' binaries are there; on Debian, as root, installs them without starting them."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.nodes import binaries

_PACKAGES = ("rabbitmq-server", "postgresql", "prometheus", "libfaketime", "chromium")
# invoke-rc.d asks this script before it starts a service; 101 means "not allowed" (Debian policy, 9.3.3).
_POLICY = Path("/usr/sbin/policy-rc.d")


def ensure() -> int:
    """The exit status: 0 when all binaries are there or could be installed, else 1 with what to do."""
    missing = binaries.missing()
    if missing and _can_install():
        _say(f"installing {' and '.join(_PACKAGES)}, for {', '.join(missing)} ...")
        if not _install():
            _say("the installation failed; what apt-get wrote stands above")
        missing = binaries.missing()
    if missing:
        _say(_advice(missing))
    return 1 if missing else 0


def _can_install() -> bool:
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def _install() -> bool:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *_PACKAGES]
    with _no_services_started():
        # An old package list is no reason to stop: the installation says whether it was good enough.
        subprocess.run(["apt-get", "update"], env=env, stdout=sys.stderr, check=False)
        return subprocess.run(install, env=env, stdout=sys.stderr, check=False).returncode == 0


@contextlib.contextmanager
def _no_services_started() -> Iterator[None]:
    """Forbid the packages to start their servers, unless the machine has its own rule."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    try:
        _POLICY.chmod(0o755)
        yield
    finally:
        _POLICY.unlink()


def _advice(missing: list[str]) -> str:
    return (
        f"missing: {', '.join(missing)}\n"
        "The tests and `make services` run private PostgreSQL (13 or newer) and RabbitMQ (3.10 or newer) servers;"
        " a private Prometheus (2.42 or newer) reads their metrics; Chromium shows the console;"
        " storms give processes wrong clocks with libfaketime.\n"
        f"On Debian or Ubuntu: sudo apt-get install --no-install-recommends {' '.join(_PACKAGES)}\n"
        "Elsewhere: put initdb and postgres (PostgreSQL), rabbitmq-server and rabbitmqctl (RabbitMQ),"
        " erl and epmd (Erlang), prometheus, promtool and chromium on PATH,"
        f" and {binaries.FAKETIME} into /usr/local/lib/faketime."
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
