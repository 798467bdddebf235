"""Processes that die at the worst moments: each point of `NOTIFIER_CRASH_AT`, in the process that reaches it.

Nothing is lost at any of them. Only what was sent and not yet stored at that moment is sent again (at most
2 x threads), and it is marked.
"""

import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from notifier.domain.ids import notification_id, parse_notification_id
from notifier.storage import attempts, workers
from notifier.storage.tables import idempotency, notifications, outbox
from tests.acceptance.fleet import Fleet, email, message_id, post_many
from tests.nodes.ports import free_port
from tests.nodes.waiting import wait_until

LOAD = 20
THREADS = 4
#: A lease of 3 s, so that what a dead worker held is soon another's.
TIMES = {
    "NOTIFIER_SMTP_TIMEOUT_SECONDS": "1",
    "NOTIFIER_PROVIDER_TIMEOUT_SECONDS": "1",
    "NOTIFIER_CONNECT_TIMEOUT_SECONDS": "0.5",
    "NOTIFIER_DRAIN_SECONDS": "2",
    "NOTIFIER_DRAIN_MARGIN_SECONDS": "0.5",
    "NOTIFIER_LEASE_SECONDS": "3",
    "NOTIFIER_LEASE_MARGIN_SECONDS": "2",
    "NOTIFIER_SEND_MARGIN_SECONDS": "1",
    "NOTIFIER_BEAT_FRESH_SECONDS": "2",
    "NOTIFIER_RELAY_MISSING_SECONDS": "3",
    "NOTIFIER_OUTBOX_GRACE_SECONDS": "1",
    "NOTIFIER_DATABASE_RETURN_SECONDS": "1",
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory, module_postgres_url, module_rabbitmq_vhost_url):
    """An empty, migrated database."""
    folder = tmp_path_factory.mktemp("fleet")
    with Fleet(folder, module_postgres_url, module_rabbitmq_vhost_url, **TIMES) as fleet:
        fleet.run("alembic", "upgrade", "head")
        yield fleet


@pytest.fixture
def fleet(installation):
    """The sink runs; whatever a test starts ends with it."""
    installation.sink()
    yield installation
    installation.kill()


def doomed(fleet: Fleet, point: str, *command: str) -> subprocess.Popen[bytes]:
    """A process that will die at `point`."""
    fleet.settings["NOTIFIER_CRASH_AT"] = point
    try:
        return fleet.start(*command)
    finally:
        del fleet.settings["NOTIFIER_CRASH_AT"]


def count(fleet: Fleet, table) -> int:
    with fleet.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def total(fleet: Fleet) -> int:
    return sum(fleet.counts().values())


def all_sent(fleet: Fleet, ids: list[str]) -> None:
    """Each of `ids` arrived exactly once."""
    delivered = fleet.delivered()
    assert len(set(ids)) == LOAD
    assert {one: delivered[message_id(one)] for one in ids} == dict.fromkeys(ids, 1)
    assert set(fleet.counts()) == {"sent"}


@pytest.mark.parametrize("point", ["before_commit", "after_commit", "after_publish", "after_confirm"])
def test_a_door_that_dies(fleet, point):
    """Before the commit nothing is kept; after it nothing is lost, though nobody heard a 202."""
    port, kept, keys = free_port(), total(fleet), count(fleet, idempotency)
    door = doomed(fleet, point, "notifier", "serve", "--port", str(port))
    ids: list[str] = []
    bodies = [email(number) for number in range(LOAD)]
    key = fleet.key()
    client = threading.Thread(target=lambda: ids.extend(post_many([port], key, bodies)))
    client.start()
    assert door.wait(30) == -9
    if point == "before_commit":
        assert (total(fleet), count(fleet, idempotency)) == (kept, keys)
        assert ids == []
    else:
        assert total(fleet) > kept

    fleet.start("notifier", "serve", "--port", str(port))
    fleet.work(threads=THREADS)
    client.join(60)
    fleet.wait_for_final(kept + LOAD, timeout=30)

    assert total(fleet) == kept + LOAD
    all_sent(fleet, ids)


@pytest.mark.parametrize("point", ["after_claim", "after_send", "after_store", "before_ack"])
def test_a_worker_that_dies(fleet, point):
    """What it had claimed is another's after the lease; what it had sent but not stored may go twice."""
    kept = total(fleet)
    fleet.serve()
    ids = post_many(fleet.ports[-1:], fleet.key(), [email(number) for number in range(LOAD)])
    dying = doomed(fleet, point, "dramatiq", "notifier.worker", "-p", "1", "-t", str(THREADS))
    assert dying.wait(60) != 0, "the launcher ends its other children and says so"
    sent = {one for one in ids if fleet.delivered()[message_id(one)]}
    stored = ended(fleet, ids)
    reached = {
        "after_claim": not sent and not stored,
        "after_send": sent and not stored,
        "after_store": sent and stored,
        "before_ack": sent and stored,
    }
    assert reached[point], f"{len(sent)} were sent and {len(stored)} stored"

    fleet.work(threads=THREADS)
    fleet.wait_for_final(kept + LOAD, timeout=30)

    delivered = fleet.delivered()
    twice = {one for one in ids if delivered[message_id(one)] == 2}
    assert {delivered[message_id(one)] for one in set(ids) - twice} == {1}
    assert twice == sent - stored, "what was sent and not stored, and nothing else"
    assert len(twice) <= 2 * THREADS
    assert all(marked(fleet, one) for one in twice)
    assert set(fleet.counts()) == {"sent"}


def ended(fleet: Fleet, ids: list[str]) -> set[str]:
    """Those of `ids` whose outcome is stored."""
    statement = select(notifications.c.id).where(notifications.c.finished_at.is_not(None))
    with fleet.engine.connect() as connection:
        found = {notification_id(row.id) for row in connection.execute(statement)}
    return found & set(ids)


def marked(fleet: Fleet, one: str) -> bool:
    """Whether an attempt of this notification is marked as a possible duplicate."""
    found = parse_notification_id(one)
    assert found is not None
    return any(shown["possible_duplicate"] for shown in attempts.of(fleet.engine, "default", found))


def relay_gone(fleet: Fleet) -> bool:
    return not workers.any_living(fleet.engine, 2, "relay")


def test_a_relay_that_dies_after_it_has_marked_what_is_due(fleet):
    """The bells are owed in the same transaction: the worker's stand-in rings them."""
    kept = total(fleet)
    fleet.serve()
    due = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    bodies = [email(number, send_at=due) for number in range(LOAD)]
    ids = post_many(fleet.ports[-1:], fleet.key(), bodies)
    assert fleet.counts()["scheduled"] == LOAD
    dying = doomed(fleet, "relay_after_update", "dramatiq", "notifier.worker", "-p", "1", "-t", "1")
    wait_until(lambda: not fleet.counts().get("scheduled"), 20, "the relay to mark what is due")
    wait_until(lambda: dying.poll() is not None or relay_gone(fleet), 60, "the relay to die")
    assert count(fleet, outbox) > 0
    fleet.kill([dying])

    fleet.work(threads=THREADS)
    fleet.wait_for_final(kept + LOAD, timeout=30)

    all_sent(fleet, ids)


def test_a_relay_that_dies_while_it_publishes(fleet):
    """What it had published rings twice, which sends nothing twice; the rest is still owed."""
    kept = total(fleet)
    port = free_port()
    door = doomed(fleet, "after_publish", "notifier", "serve", "--port", str(port))
    ids: list[str] = []
    bodies = [email(number) for number in range(LOAD)]
    key = fleet.key()
    client = threading.Thread(target=lambda: ids.extend(post_many([port], key, bodies)))
    client.start()
    assert door.wait(30) == -9
    assert count(fleet, outbox) > 0
    dying = doomed(fleet, "relay_mid_publish", "dramatiq", "notifier.worker", "-p", "1", "-t", "1")
    wait_until(lambda: workers.any_living(fleet.engine, 2, "relay"), 60, "the relay")
    wait_until(lambda: dying.poll() is not None or relay_gone(fleet), 20, "the relay to die")
    assert count(fleet, outbox) > 0
    fleet.kill([dying])

    fleet.start("notifier", "serve", "--port", str(port))
    fleet.work(threads=THREADS)
    client.join(60)
    fleet.wait_for_final(kept + LOAD, timeout=30)

    all_sent(fleet, ids)
