"""Relays killed under load that needs them: due times, and bells that nobody confirmed (F12, F23; promises 2, 3)."""

import os
import signal
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from notifier.storage.tables import notifications, outbox
from notifier.storage.types import db_now_plus
from tests.nodes.waiting import wait_until
from tests.storms.kit.case import Case
from tests.storms.kit.firehose import Firehose
from tests.storms.kit.form import patience
from tests.storms.kit.installation import Installation, Part
from tests.storms.kit.load import email
from tests.storms.kit.observations import unended
from tests.storms.kit.processes import group

RELAYS = 4
#: Seconds within which a relay's work is done again after the last relay has died.
RELAYED = 15.0
#: Seconds ahead for which everything is asked, so that only a relay can have it sent.
AHEAD = 1.0


@pytest.fixture(scope="module")
def installation(make_installation):
    """Two doors, and four workers of two threads, each with its relay."""
    return make_installation(workers=RELAYS, threads=2)


class Due:
    """Bodies of requests that are due a moment later, and when each is due (unix time)."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def __call__(self, number: int) -> dict[str, object]:
        due = datetime.now(UTC) + timedelta(seconds=AHEAD)
        self.at[number] = due.timestamp()
        return email(number) | {"send_at": due.isoformat()}


@pytest.mark.full
def test_relays_are_killed_one_by_one(case, installation):
    """F12. The launcher makes no new ones: the last ones' work is a worker's until their launches start again."""
    due = Due()
    with case("F12", "relay fork kill -9", body=due, pace=25) as storm:
        for _ in storm.repeats(short=1, full=3):
            # So that what is measured is the relays' work and not a backlog of the round before.
            wait_until(
                lambda: unended(installation.engine, storm.load.run_name) < 100, patience(60), "no backlog"
            )
            for victim in storm.dice.sample(relays(installation), RELAYS):
                storm.wait_for_load()
                os.kill(victim, signal.SIGKILL)
                storm.hit()
                storm.remark("relayed_s", wait_for_due(storm, due))
            assert all(part.running for part in installation.crew)
            assert installation.beating("relay") == []
            restart(installation, installation.crew)


@pytest.mark.full
def test_two_of_four_relays_are_killed(case, installation, rabbitmq_node, broker_url):
    """F23. What two had published and not cleared away is published once more; the copies find nothing to do."""
    due = Due()
    with (
        Firehose(rabbitmq_node, broker_url) as firehose,
        case("F23", "2 of 4 relays kill -9", body=due, pace=25) as storm,
    ):
        for _ in storm.repeats(short=1, full=5):
            victims = storm.dice.sample(relays(installation), 2)
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            storm.hit(faults=2)
            storm.wait_for_load(200)
            wait_until(lambda: nothing_owed(installation), patience(20), "the dead relays' bells to be rung")
            restart(installation, [part for part in installation.crew if not relays_of(installation, part)])
        storm.finish()
        ours = {one for ids in storm.rows().ids.values() for one in ids}
        copies = {one: number for one, number in firehose.published().items() if one in ours}
        storm.remark("most_copies", max(copies.values()))
        storm.remark("published_twice", sum(number > 1 for number in copies.values()))
        assert set(copies) == ours
        assert max(copies.values()) <= 2
        assert attempts_made(installation, storm) == 1, "a second copy finds nothing to do"


def relays(installation: Installation) -> list[int]:
    """The pids of all relays, once there are four."""

    def found() -> list[int]:
        return sorted(pid for part in installation.crew for pid in relays_of(installation, part))

    wait_until(lambda: len(found()) == RELAYS, patience(30), f"{RELAYS} relays")
    return found()


def relays_of(installation: Installation, part: Part) -> set[int]:
    """The living relay of a launch: the dead beat on for a moment."""
    return set(installation.children("relay")) & group(part.pid)


def restart(installation: Installation, parts: Iterable[Part]) -> None:
    """As an init system does it: SIGTERM to the launches, and start them again."""
    chosen = list(parts)
    assert installation.stop(part.process for part in chosen) == [0] * len(chosen)
    for part in chosen:
        installation.again(part)
    relays(installation)


def wait_for_due(storm: Case, due: Due) -> float:
    """Until something is handed over that has become due from now on; the seconds that took."""
    begun, clock = time.monotonic(), time.time()

    def arrived() -> bool:
        counts = storm.installation.sunk.refresh().counts
        accepted = dict(storm.load.accepted)
        return any(one in counts for number, one in accepted.items() if due.at[number] > clock)

    wait_until(arrived, patience(RELAYED), "a relay's work")
    return time.monotonic() - begun


def nothing_owed(installation: Installation) -> bool:
    """Whether no bells are owed but those of the last seconds."""
    statement = select(func.count()).select_from(outbox).where(outbox.c.created_at < db_now_plus(-4))
    with installation.engine.connect() as connection:
        return not connection.execute(statement).scalar_one()


def attempts_made(installation: Installation, storm: Case) -> int:
    """The most that any notification of the run has had."""
    mine = notifications.c.reference.like(f"{storm.load.run_name}-%")
    with installation.engine.connect() as connection:
        return int(connection.execute(select(func.max(notifications.c.attempt)).where(mine)).scalar_one())
