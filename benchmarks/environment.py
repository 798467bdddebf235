"""What a figure was measured on: machine, versions and sizes, without the machine's name."""

import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.bodies import SEED
from benchmarks.sizes import Sizes

_PACKAGES = (
    "notifier",
    "dramatiq",
    "celery",
    "taskiq",
    "taskiq-aio-pika",
    "pika",
    "aiohttp",
    "uvloop",
    "msgspec",
    "psycopg2-binary",
    "SQLAlchemy",
)


def environment(sizes: Sizes, servers: dict[str, str]) -> dict[str, Any]:
    """As it stands now; `servers` are the versions that the servers told."""
    return {
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "servers": servers,
        "sizes": asdict(sizes) | {"left_out": sorted(sizes.left_out)},
        "seed": SEED,
    }


def in_words(found: dict[str, Any]) -> str:
    """The same in a few lines."""
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    servers = ", ".join(f"{name} {number}" for name, number in found["servers"].items())
    return (
        f"{found['cpus']} x {found['cpu']}, {found['memory_mb']:,} MB, {found['system']}, "
        f"load before {found['load_before']}\n"
        f"Python {found['python']}, {servers}, {packages}\n"
        f"{found['sizes']['name']}: {found['sizes']['rounds']} rounds, ours and peers in turn, real fsync, "
        f"everything on this machine, service with its default settings (but for waits), seed {found['seed']}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown CPU"
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown CPU")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
