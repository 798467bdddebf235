"""Failures are replayed through the outer doors: as many as were counted, spaced as asked, whoever dies."""

import itertools
import json
import os
import signal
import urllib.request
from typing import Any

from sqlalchemy import update

from notifier.domain.ids import notification_id
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.recipients import EmailAddress
from notifier.storage import books, workers
from notifier.storage.dead_letters import bury
from notifier.storage.engine import writing
from notifier.storage.tables import notifications
from notifier.storage.types import db_now
from tests.acceptance.fleet import Fleet, message_id
from tests.conformance.storage_kit import EMAIL_LOW, keep, new
from tests.nodes.waiting import wait_until

ALL, MATCHING, RATE = 1000, 300, 20.0
FILTER = {"reason": "provider_rejected", "channel": "email"}
#: Two clocks read one after the other, to the microsecond.
CLOCKS = 0.001


def fail(fleet: Fleet, number: int, reason: Reason) -> set[str]:
    """So many notifications that finally failed."""
    made = keep(
        fleet.engine,
        [
            new(EMAIL_LOW, tenant="default", recipient=EmailAddress(f"reader{place}@example.com"))
            for place in range(number)
        ],
    )
    ids = [one.id for one in made]
    with writing(fleet.engine) as connection:
        connection.execute(
            update(notifications)
            .where(notifications.c.id.in_(ids))
            .values(status=Status.FAILED, reason=reason, finished_at=db_now(), queued_at=None)
        )
        bury(connection, ids)
    return {notification_id(one) for one in ids}


def ask(fleet: Fleet, key: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What a route answers."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{fleet.ports[0]}{path}",
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read())


def relays(fleet: Fleet) -> set[int]:
    """The processes of the relays that beat."""
    return {one.pid for one in workers.living(fleet.engine, 1.5, "relay")}


def gaps(fleet: Fleet) -> list[float]:
    """Seconds between messages, by the provider's own clock."""
    times = sorted(float(line.split()[3]) for line in fleet.ledger.read_text().splitlines())
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_a_replay_whose_process_dies_is_carried_on_and_each_is_sent_once(
    tmp_path, postgres_url, rabbitmq_vhost_url
):
    """1,000 failures of which 300 match: the dry run says 300, the provider sees 300, never closer than was
    asked, though each relay in turn is killed with -9; asked for again there is nothing left to replay.
    """
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url, NOTIFIER_RELAY_MISSING_SECONDS="2") as fleet:
        fleet.migrate()
        fail(fleet, ALL - MATCHING, Reason.CONTENT_REJECTED)
        ours = fail(fleet, MATCHING, Reason.PROVIDER_REJECTED)
        fleet.sink()
        fleet.serve()
        key = fleet.key()
        for _ in range(2):
            fleet.work(threads=4)
        fleet.wait_for_workers(2)
        wait_until(lambda: len(relays(fleet)) == 2, 60, "two relays")
        doomed = relays(fleet)

        told = ask(fleet, key, "/v1/failures/replay", {"filter": FILTER, "dry_run": True})
        assert (told["matched"], told["dropped"], told["forgotten"]) == (MATCHING, 0, 0)
        begun = ask(fleet, key, "/v1/failures/replay", {"filter": FILTER, "rate": RATE})
        assert begun["matched"] == MATCHING
        path = begun["links"]["self"]
        for part, relay in enumerate(doomed, 1):
            wait_until(
                lambda part=part: ask(fleet, key, path)["replayed"] > part * MATCHING // 4, 60, "some replays"
            )
            # By its number: on a crowded machine one that lives may not have beaten in time.
            os.kill(relay, signal.SIGKILL)
            wait_until(lambda relay=relay: relay not in relays(fleet), 60, "the death of a relay")
        wait_until(lambda: ask(fleet, key, path)["state"] == "done", 120, "the end of the replay")
        counts = fleet.wait_for_final(ALL + MATCHING, timeout=60)

        assert counts == {"failed": ALL, "sent": MATCHING}
        assert books.read(fleet.engine).balanced
        done = ask(fleet, key, path)
        assert (done["replayed"], done["left"]) == (MATCHING, 0)
        replayed = replays_of(fleet, key)
        assert set(replayed) == ours
        assert fleet.delivered() == dict.fromkeys(map(message_id, replayed.values()), 1)
        assert min(gaps(fleet)) >= 1 / RATE - CLOCKS
        assert ask(fleet, key, "/v1/failures/replay", {"filter": FILTER})["matched"] == 0


def test_a_relay_that_dies_between_a_release_and_its_message_repeats_nothing(
    tmp_path, postgres_url, rabbitmq_vhost_url
):
    """The release is committed with the bell it owes: whoever comes later rings it, once."""
    # Nobody stands in for it, so that what it left can be looked at.
    alone = {"NOTIFIER_OUTBOX_GRACE_SECONDS": "1", "NOTIFIER_RELAY_MISSING_SECONDS": "120"}
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url, **alone) as fleet:
        fleet.migrate()
        ours = fail(fleet, 5, Reason.PROVIDER_REJECTED)
        fleet.sink()
        fleet.serve()
        key = fleet.key()
        fleet.settings["NOTIFIER_CRASH_AT"] = "relay_after_update"
        doomed = fleet.work(threads=2)
        wait_until(lambda: len(relays(fleet)) == 1, 30, "the relay that will die")
        begun = ask(fleet, key, "/v1/failures/replay", {"filter": FILTER, "rate": 1000})
        wait_until(lambda: not relays(fleet), 30, "its death")
        path = begun["links"]["self"]
        assert ask(fleet, key, path)["replayed"] == 1
        fleet.kill([doomed])

        del fleet.settings["NOTIFIER_CRASH_AT"]
        fleet.work(threads=2)
        wait_until(lambda: ask(fleet, key, path)["state"] == "done", 60, "the end of the replay")
        assert fleet.wait_for_final(10, timeout=60) == {"failed": 5, "sent": 5}
        replayed = replays_of(fleet, key)
        assert set(replayed) == ours
        assert fleet.delivered() == dict.fromkeys(map(message_id, replayed.values()), 1)
        assert books.read(fleet.engine).balanced


def replays_of(fleet: Fleet, key: str) -> dict[str, str]:
    """The new notification of each failure, by the failure's id."""
    found: dict[str, str] = {}
    cursor = ""
    while True:
        page = ask(fleet, key, f"/v1/failures?state=replayed&limit=250{cursor}")
        found |= {one["id"]: one["replayed_as"] for one in page["data"]}
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
