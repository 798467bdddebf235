"""Parts that will kill themselves at a crash point (NOTIFIER_CRASH_AT), and what they held when they died."""

import contextlib
import itertools
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, select

from notifier.domain.ids import notification_id
from notifier.domain.lifecycle import Status
from notifier.storage.tables import idempotency, notifications, outbox, workers
from tests.nodes.waiting import wait_until
from tests.storms.kit.case import Case
from tests.storms.kit.form import patience
from tests.storms.kit.installation import Installation, Part
from tests.storms.kit.load import email
from tests.storms.kit.processes import ended_by, group
from tests.storms.kit.salvo import Heard, Shot, fire

#: Seconds for a part to start, to reach its point and to end.
DOOMED = 60.0
#: Requests in one salvo, in numbers that a case's load does not reach.
SALVO, FIRST = 20, 1_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """What a dead worker had claimed: ids whose outcome is not stored, and ids whose outcome is."""

    open: frozenset[str]
    stored: frozenset[str]


class Newcomers:
    """The processes of a role that have begun to beat since this was made; the dead among them too."""

    def __init__(self, engine: Engine, role: str) -> None:
        self._engine, self._role = engine, role
        self._known = set(self._all())

    def _all(self) -> dict[UUID, int]:
        statement = select(workers.c.id, workers.c.pid).where(workers.c.role == self._role)
        with self._engine.connect() as connection:
            return {row.id: row.pid for row in connection.execute(statement)}

    def found(self) -> dict[UUID, int]:
        """Their pids by their ids."""
        return {one: pid for one, pid in self._all().items() if one not in self._known}


class Salvoes:
    """Requests aimed at doors that will die; what they did not answer is asked of `others`."""

    def __init__(self, storm: Case, others: Sequence[int]) -> None:
        self._storm, self._others = storm, others
        self._engine, self._key = storm.installation.engine, storm.installation.key()
        self._next = itertools.count(FIRST)
        self._numbers: list[int] = []

    @property
    def _shots(self) -> list[Shot]:
        names = [(number, self._storm.reference(number)) for number in self._numbers]
        return [Shot(name, email(number) | {"reference": name}) for number, name in names]

    def fire_at(self, port: int) -> list[Heard]:
        """New requests, all at once, each tried once."""
        self._numbers = list(itertools.islice(self._next, SALVO))
        return fire([port], self._key, self._shots, again=False)

    def fire_again(self) -> list[Heard]:
        """The same requests to the others, until they are accepted."""
        heard = fire(self._others, self._key, self._shots)
        accepted = {number: one.id for number, one in zip(self._numbers, heard, strict=True)}
        self._storm.also(accepted, erred=self._numbers)
        return heard

    def kept(self) -> set[str]:
        """The ids of the latest requests that are kept."""
        names = [shot.key for shot in self._shots]
        statement = select(notifications.c.id).where(notifications.c.reference.in_(names))
        with self._engine.connect() as connection:
            return {notification_id(row.id) for row in connection.execute(statement)}

    def keys_kept(self) -> set[str]:
        """Those of the latest requests' Idempotency-Keys that are used."""
        names = [shot.key for shot in self._shots]
        statement = select(idempotency.c.key).where(idempotency.c.key.in_(names))
        with self._engine.connect() as connection:
            return set(connection.execute(statement).scalars())


def wait_for_death(installation: Installation, part: Part) -> int:
    """The exit code of a doomed part once it has reached its point; the installation does without it."""
    wait_until(lambda: not part.running, patience(DOOMED), f"{part.environment} to be reached")
    installation.remove(part)
    return int(part.process.wait())


def wait_for_relay_death(newcomers: Newcomers) -> None:
    """Until the new launch's relay has killed itself; its launcher neither notices nor waits for it."""
    wait_until(
        lambda: any(ended_by(pid) is signal.SIGKILL for pid in newcomers.found().values()),
        patience(DOOMED),
        "the relay to reach its point",
    )


def held_by(engine: Engine, worker: UUID) -> Held:
    """What a worker that has just died had claimed: nobody takes it over before its lease is over."""
    statement = select(notifications.c.id, notifications.c.status).where(notifications.c.owner == worker)
    with engine.connect() as connection:
        rows = connection.execute(statement).all()
    open_ones = {notification_id(row.id) for row in rows if row.status == Status.SENDING}
    return Held(frozenset(open_ones), frozenset(notification_id(row.id) for row in rows) - open_ones)


def owed(engine: Engine) -> set[str]:
    """The ids for which bells are owed."""
    with engine.connect() as connection:
        rows = connection.execute(select(outbox.c.bells)).all()
    return {notification_id(UUID(hex=bell[0])) for row in rows for bell in row.bells}


@contextlib.contextmanager
def other_relays_standing_still(installation: Installation, newcomers: Newcomers) -> Iterator[None]:
    """From the new relay's first beat on it has all the work: inside, the others do nothing."""
    wait_until(newcomers.found, patience(DOOMED), "the doomed relay's first beat")
    ours = set().union(*(group(part.pid) for part in installation.crew))
    pids = ours & set(installation.children("relay")) - set(newcomers.found().values())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
