"""P11: what a launch holds in memory while a million waits at the broker, and another million for its time.

Notifications are made by the database and published by the product's own publisher. It runs once: the worker works at
a steady pace in both halves, and the most that each process of the launch held counts.
"""

import contextlib
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from benchmarks import calls
from benchmarks.checks import same
from benchmarks.figures import Finding, Pairs
from benchmarks.service import BATCH, Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from notifier.domain.lanes import Lane
from notifier.queueing.messages import QueueMessage
from notifier.queueing.rabbitmq_publisher import RabbitmqPublisher
from notifier.settings import Settings
from notifier.storage.engine import Use, make_engine, writing
from tests.nodes.waiting import wait_until

IDS = ("P11",)
_THREADS, _CALL = 16, 0.02
_WARM = 2 * BATCH
_PUBLISH = 5000
_FILL = """
INSERT INTO notifications (id, message_version, tenant, mode, api_key, channel, priority, status, recipient,
  recipient_hash, content, on_uncertain, units, created_at, expires_at, queued_at, next_attempt_at, send_at, attempt)
SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(noise, 1, 3) || '8' || substr(noise, 4, 15))::uuid, 1, 'default',
  'live', 'key', lane[1], lane[2], CASE WHEN :later THEN 'scheduled' ELSE 'queued' END, s.recipient, noise,
  s.content, 'resend', 1, now(), now() + interval '20 days', CASE WHEN NOT :later THEN now() END,
  CASE WHEN :later THEN now() + interval '10 days' END, CASE WHEN :later THEN now() + interval '10 days' END, 0
FROM (
  SELECT md5(n::text || :later) AS noise, (extract(epoch FROM now()) * 1000)::bigint AS ms,
    string_to_array((CAST(:lanes AS text[]))[1 + n % :number], '.') AS lane FROM generate_series(1, :rows) n
) AS made
JOIN (SELECT DISTINCT ON (channel) channel, recipient, content FROM notifications) AS s ON s.channel = lane[1]
"""


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """The same work with nothing behind it, then with the backlog."""
    service, ledger = Service(stage, "memory"), stage.folder / "memory.calls"
    with service.serving() as door:
        service.reset()
        service.fill(door, _WARM)
        stage.say("memory: without a backlog")
        without = _held(service, ledger, sizes.watched)
        service.reset()
        service.fill(door, _WARM)
    stage.say(f"memory: {sizes.backlog} queued, {sizes.backlog} scheduled")
    _pile_up(service, sizes.backlog)
    same("messages in the lanes", service.ready_messages(), _WARM + sizes.backlog)
    begun = _held(service, ledger, sizes.watched)
    _check(service, sizes.backlog)
    extra = {"ours_mib_by_process": begun, "peer_mib_by_process": without, "backlog": sizes.backlog}
    pairs = Pairs((sum(begun.values()),), (sum(without.values()),))
    return [Finding(target=TARGETS["P11"], pairs=pairs, extra=extra)]


def _check(service: Service, backlog: int) -> None:
    """It was work as usual, and hardly any of the backlog is gone."""
    later = service.number("SELECT count(*) FROM notifications WHERE status = 'scheduled'")
    same("scheduled ones that stand", later, backlog)
    ended = service.number(
        "SELECT count(*) FROM notifications WHERE finished_at IS NOT NULL AND status <> 'sent'"
    )
    same("notifications that were not sent", ended, 0)
    left = service.number("SELECT count(*) FROM notifications WHERE status IN ('queued', 'sending')")
    same("a part of the backlog is left", left > 0, True)


def _pile_up(service: Service, number: int) -> None:
    engine = make_engine(service.database_url, Use(name="bench", statement_timeout=600.0))
    lanes = [lane.name for lane in Lane.all()]
    try:
        for later in (False, True):
            with writing(engine) as connection:
                values = {"rows": number, "later": later, "lanes": lanes, "number": len(lanes)}
                connection.execute(text(_FILL), values)
        with writing(engine) as connection:
            # What the door has had published stands at the broker already.
            found = connection.execution_options(stream_results=True, max_row_buffer=_PUBLISH).execute(
                text(
                    "SELECT id, channel, priority FROM notifications WHERE status = 'queued' AND api_key = 'key'"
                )
            )
            bells = (QueueMessage(Lane.parse(f"{row[1]}.{row[2]}"), UUID(str(row[0]))) for row in found)
            _publish(service.environment["NOTIFIER_BROKER_URL"], bells)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE) notifications"))
    finally:
        engine.dispose()


def _publish(url: str, bells: Iterator[QueueMessage]) -> None:
    publisher = RabbitmqPublisher(url, prefix=Settings().queue_prefix, confirm_seconds=60.0)
    try:
        former = None
        while some := list(islice(bells, _PUBLISH)):
            under_way = publisher.publish(some)
            if former is not None:
                former.result(60)
            former = under_way
        if former is not None:
            former.result(60)
    finally:
        publisher.close()


def _held(service: Service, ledger: Path, seconds: float) -> dict[str, float]:
    """The most MiB that each process of the launch held, once it has begun and over so many seconds."""
    ledger.unlink(missing_ok=True)
    most: dict[str, float] = {}
    pace = dict.fromkeys(("email", "sms", "push"), _CALL)
    with service.working(_THREADS, ledger, seconds=pace, at_once=True) as launch:
        wait_until(lambda: calls.count(ledger) >= _WARM, 120, "the worker to be warm")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for name, held in _pss(launch.pid).items():
                most[name] = max(held, most.get(name, 0.0))
            time.sleep(0.25)
    return most


def _pss(session: int) -> dict[str, float]:
    """MiB of each process of a session, by its place: the launcher first, then as they were started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    lines = (entry / "smaps_rollup").read_text().splitlines()
                    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
                    found.append((int(entry.name), kilobytes / 1024))
    return {f"process {place}": held for place, (_, held) in enumerate(sorted(found), start=1)}
