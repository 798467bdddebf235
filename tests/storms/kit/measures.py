"""Figures read off a running installation: start latencies, memory, how long the relay's questions take."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select

from notifier.domain.ids import parse_notification_id
from notifier.storage import changes, relaying
from notifier.storage.tables import notifications
from tests.storms.kit.observations import Sink


def quantile(values: Collection[float], share: float) -> float:
    """The value below which this share of them lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def start_latencies(engine: Engine, sink: Sink, ids: Collection[str]) -> list[float]:
    """Seconds from accepted to taken by the provider, of each that was."""
    first: dict[str, float] = {}
    for at, one in sink.refresh().moments:
        first.setdefault(one, at)
    wanted = {one: parse_notification_id(one) for one in ids}
    statement = select(notifications.c.id, notifications.c.created_at).where(
        notifications.c.id.in_([parsed for parsed in wanted.values() if parsed is not None])
    )
    with engine.connect() as connection:
        created = {row.id: row.created_at.timestamp() for row in connection.execute(statement)}
    return [
        first[one] - created[parsed] for one, parsed in wanted.items() if parsed in created and one in first
    ]


def resident_megabytes(pid: int) -> float:
    """The resident memory of a process (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no memory of {pid} is told")


def relay_questions(engine: Engine) -> dict[str, float]:
    """Milliseconds (the least of five) of each question an idle relay's pass asks; changes nothing."""
    questions: dict[str, Callable[[Connection], Any]] = {
        "due": lambda connection: relaying.queue_due(connection, 500),
        "next_due": relaying.seconds_to_next_due,
        "overdue": lambda connection: changes.expire_overdue(connection, 500),
        "silent": lambda connection: relaying.silent_workers(connection, 10),
        "oldest": lambda connection: relaying.oldest_started(connection, 5),
    }
    return {name: min(_milliseconds(engine, ask) for _ in range(5)) for name, ask in questions.items()}


def _milliseconds(engine: Engine, ask: Callable[[Connection], Any]) -> float:
    with engine.connect() as connection:
        begun = time.perf_counter()
        ask(connection)
        took = 1000 * (time.perf_counter() - begun)
        connection.rollback()
    return took
