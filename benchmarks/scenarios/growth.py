"""P12: the same statements of ours over ten thousand rows and over millions, one call of each after the other.

The rows are made by the database, spread over a retention's days and partitions; the statements are the product's own
functions. A relay's pass has twenty due rows to ring for, and a road that takes everything at once.
"""

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, text

from benchmarks import rows
from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.figures import Finding, Pairs
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.queueing.handover import Handover
from notifier.queueing.messages import QueueMessage
from notifier.queueing.relay import Relay, RelayConfig
from notifier.queueing.roads import Ring
from notifier.storage import claiming, notifications, recording
from notifier.storage.claiming import Wanted
from notifier.storage.engine import Use, make_engine, writing
from notifier.storage.kept import Kept
from notifier.storage.notifications import Filter
from notifier.storage.recording import Record

IDS = ("P12",)
_GROUP, _PAGE, _DUE = 16, 50, 20
_SAMPLE = """
SELECT id, channel, priority FROM notifications TABLESAMPLE SYSTEM (:share) WHERE status = :status
ORDER BY random() LIMIT :number
"""
_SOME_DUE = """
UPDATE notifications SET next_attempt_at = now() WHERE id IN (
  SELECT id FROM notifications WHERE finished_at IS NULL AND status = 'scheduled' AND next_attempt_at > now()
  ORDER BY next_attempt_at LIMIT :number
)
"""
_Part = Callable[["_Table"], float]


class _Road:
    """Every queue holds something and takes more; nothing dies."""

    lanes = Lane.all()
    connected = True

    def ready(self) -> Mapping[Lane, int]:
        return dict.fromkeys(self.lanes, 1)

    def has_room(self, lane: Lane) -> bool:
        return True

    def drain_dead(self, ring: Ring, limit: int) -> int:
        return 0

    def publish(self, messages: Sequence[QueueMessage]) -> "Future[None]":
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def close(self) -> None:
        pass


@dataclass(slots=True)
class _Table:
    """One size of it."""

    engine: Engine
    number: int
    relay: Relay = field(init=False)
    handover: Handover = field(init=False)
    kept: Kept = field(init=False)
    sent: list[UUID] = field(init=False)
    waiting: list[tuple[UUID, Lane]] = field(init=False)

    def open(self) -> None:
        """Fill it, and choose what is asked for and claimed."""
        rows.fill(self.engine, self.number)
        road, dice = _Road(), random.Random(SEED)
        self.handover = Handover(self.engine, road)
        self.handover.start()
        self.kept = Kept(self.engine)
        self.relay = Relay(self.engine, self.handover, road, RelayConfig())
        share = min(100.0, 2_000_000 / self.number)
        self.sent = [one for one, _ in self._some(Status.SENT, share, 2000)]
        self.waiting = self._some(Status.QUEUED, min(100.0, 40 * share), 2000)
        dice.shuffle(self.sent)
        dice.shuffle(self.waiting)

    def close(self) -> None:
        self.kept.close()
        self.handover.stop()
        self.engine.dispose()

    def _some(self, status: Status, share: float, number: int) -> list[tuple[UUID, Lane]]:
        values = {"share": share, "status": str(status), "number": number}
        with self.engine.connect() as connection:
            found = connection.execute(text(_SAMPLE), values)
            return [(UUID(str(row.id)), Lane.parse(f"{row.channel}.{row.priority}")) for row in found]


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """Both tables are filled, then each part is called on one and on the other."""
    tables = [_table(stage, name, number) for name, number in zip(("few", "many"), sizes.tables, strict=True)]
    try:
        for table in tables:
            stage.say(f"growth: {table.number} rows")
            began = time.monotonic()
            table.open()
            stage.say(f"growth: filled in {time.monotonic() - began:.0f} s")
        few, many = tables
        return [_finding(name, part, few, many, sizes.calls) for name, part in _PARTS.items()]
    finally:
        for table in tables:
            table.close()


def _table(stage: Stage, name: str, number: int) -> _Table:
    service = Service(stage, f"growth-{name}")
    return _Table(make_engine(service.database_url, Use(name="bench", statement_timeout=600.0)), number)


def _finding(name: str, part: _Part, few: _Table, many: _Table, calls: int) -> Finding:
    for table in (few, many):
        part(table)
    pairs = [(part(many), part(few)) for _ in range(calls)]
    ours, peer = zip(*pairs, strict=True)
    return Finding(
        target=TARGETS[f"P12 {name}"], pairs=Pairs(ours, peer), extra={"rows": [many.number, few.number]}
    )


def _status(table: _Table) -> float:
    wanted = [table.sent.pop() for _ in range(10)]
    began = time.perf_counter()
    found = [notifications.get(table.engine, rows.TENANT, one) for one in wanted]
    taken = time.perf_counter() - began
    same("statuses", [one and one.status for one in found], [Status.SENT] * len(wanted))
    return taken / len(wanted) * 1000


def _page(table: _Table) -> float:
    began = time.perf_counter()
    page = notifications.walk(table.engine, rows.TENANT, Filter(), _PAGE, None)
    taken = time.perf_counter() - began
    same("rows of the page", len(page.rows), _PAGE)
    return taken * 1000


def _claim(table: _Table) -> float:
    """A group of claims, and that of their outcomes."""
    chosen = sorted(table.waiting.pop() for _ in range(_GROUP))
    wanted = [Wanted(one, lane, number, "console") for number, (one, lane) in enumerate(chosen, start=1)]
    began = time.perf_counter()
    claimed = claiming.claim_plain(table.kept, wanted, uuid.uuid4(), 60.0)
    unmatched = recording.record_plain(table.kept, [_record(one) for one in claimed])
    taken = time.perf_counter() - began
    same("claims", (len(claimed), len(unmatched)), (_GROUP, 0))
    return taken * 1000


def _record(one: claiming.Claimed) -> Record:
    shown = {"n": one.attempt, "provider": "console", "started_at": datetime.isoformat(one.claimed_at)}
    return Record(
        id=one.id,
        tenant=one.tenant,
        claim_id=one.claim_id,
        attempt=one.attempt,
        status=Status.SENT,
        shown=shown | {"outcome": "accepted", "claim_id": one.claim_id},
    )


def _pass(table: _Table) -> float:
    with writing(table.engine) as connection:
        due = connection.execute(text(_SOME_DUE), {"number": _DUE}).rowcount
    began = time.perf_counter()
    done = table.relay.pass_once()
    taken = time.perf_counter() - began
    same("rows that came due", done.due, due)
    return taken * 1000


_PARTS: dict[str, _Part] = {"status": _status, "page": _page, "claim": _claim, "pass": _pass}
