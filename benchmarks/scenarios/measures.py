"""L7: what one notification's metrics cost its worker. L8: a scrape of a launch of 16 processes."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Finding, Pairs
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS

IDS = ("L7", "L8")
_BOUND, _PROCESSES = 15.0, 16
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """Each in a directory of its own, in each round."""
    findings = []
    if "L7" in wanted:
        stage.say("metrics: notes")
        notes = tuple(_alone("note") for _ in range(sizes.rounds))
        findings.append(Finding(target=TARGETS["L7"], pairs=Pairs(notes, (_BOUND,) * sizes.rounds)))
    if "L8" in wanted:
        stage.say("metrics: scrapes")
        with _launch(1) as one, _launch(_PROCESSES) as many:
            pairs = [(_told("scrape", many), _told("scrape", one)) for _ in range(sizes.rounds)]
        ours, peer = zip(*((sixteen, _PROCESSES * single) for sixteen, single in pairs), strict=True)
        findings.append(Finding(target=TARGETS["L8"], pairs=Pairs(tuple(ours), tuple(peer))))
    return findings


def _alone(what: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return _told(what, folder)


@contextlib.contextmanager
def _launch(processes: int) -> Iterator[str]:
    """The directory of so many living processes, each with all its series."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        filling = [stack.enter_context(_filled(folder)) for _ in range(processes)]
        for process in filling:
            assert process.stdout is not None  # noqa: S101 - asked for
            process.stdout.readline()
        yield folder


def _told(what: str, folder: str) -> float:
    command, environment = _command(what), _environment(folder)
    done = subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603 - our own interpreter
    return float(done.stdout)


@contextlib.contextmanager
def _filled(folder: str) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        _command("fill"), env=_environment(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.communicate(b"")


def _command(what: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.metrics_process", what]


def _environment(folder: str) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, _VARIABLE: folder, "PYTHONPATH": root}
