"""The figures to reach, as the design names them."""

from benchmarks.figures import Target

_TARGETS = (
    Target(
        id="P1",
        work="single durable accepts, 64 connections, one HTTP process",
        against="aiohttp POST that only decodes the same body",
        unit="/s",
        ratio=0.30,
    ),
    Target(
        id="P2",
        work="single durable accepts, 64 connections, one HTTP process",
        against="Dramatiq send with confirms, one process",
        unit="/s",
        ratio=8.0,
    ),
    Target(
        id="P3",
        work="batch accepts, 1000 a request",
        against="bare psycopg2 unnest insert of the same rows",
        unit="rows/s",
        ratio=0.5,
    ),
    Target(
        id="P4",
        work="worker drain, nine lanes, best of the thread counts",
        against="Dramatiq no-op drain, one queue, best of the thread counts",
        unit="/s",
        ratio=1.5,
    ),
    Target(
        id="P5",
        work="worker drain, nine lanes, best of the thread counts",
        against="Celery no-op drain, late acks, best of threads and prefork",
        unit="/s",
        ratio=2.5,
    ),
    Target(
        id="P10 p50",
        work="accept to provider called, idle, median",
        against="Dramatiq send to actor called, median",
        unit="ms",
        ratio=2.0,
        at_most=True,
    ),
    Target(
        id="P10 p99",
        work="accept to provider called, idle, 99th percentile",
        against="Dramatiq send to actor called, 99th percentile",
        unit="ms",
        ratio=2.0,
        at_most=True,
    ),
)
TARGETS = {target.id: target for target in _TARGETS}
#: What can be asked for by name.
NAMES = tuple(dict.fromkeys(target.id.partition(" ")[0] for target in _TARGETS))
