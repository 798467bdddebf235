"""Operators see the lanes of all workers as one, and pause one of them: through the outer doors only."""

import json
import urllib.request
from typing import Any

from notifier.domain.keys import key_id_of
from notifier.storage import workers
from tests.acceptance.fleet import Fleet, email, message_id, post_many
from tests.nodes.waiting import wait_until

EACH = 20


def ask(fleet: Fleet, key: str, path: str, method: str = "GET") -> Any:
    """What a route answers with 200."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{fleet.ports[0]}{path}", headers={"Authorization": f"Bearer {key}"}, method=method
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert answer.status == 200
        return json.loads(answer.read())


def lane(fleet: Fleet, key: str, name: str) -> dict[str, Any]:
    return {one["lane"]: one for one in ask(fleet, key, "/v1/lanes")["data"]}[name]


def all_told(fleet: Fleet, number: int, *, paused: bool) -> bool:
    """Whether so many running workers say that they know."""
    reports = [one.report for one in workers.living(fleet.engine, 3, "worker")]
    known = [
        one["scheduler"]["lanes"]["email.low"]["paused"] == paused
        for one in reports
        if one["stage"] == "running"
    ]
    return len(known) == number and all(known)


def send(fleet: Fleet, key: str, priority: str, first: int) -> list[str]:
    bodies = [email(first + number, priority=priority) for number in range(EACH)]
    return post_many(fleet.ports, key, bodies)


def all_sent(fleet: Fleet, ids: list[str]) -> bool:
    return all(fleet.delivered()[message_id(one)] for one in ids)


def test_a_paused_lane_waits_on_every_worker_and_over_their_restart(
    tmp_path, postgres_url, rabbitmq_vhost_url
):
    """Nothing of it starts, the others go on; all that was accepted is sent once it goes on."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.migrate()
        fleet.sink()
        fleet.serve()
        key = fleet.key()
        launches = [fleet.work(threads=4), fleet.work(threads=4)]
        wait_until(lambda: all_told(fleet, 2, paused=False), 60, "two workers")
        assert lane(fleet, key, "email.high")["workers"] == 2
        told = [one for one in ask(fleet, key, "/v1/workers")["data"] if one["role"] == "worker"]
        assert [one["threads"] for one in told] == [4, 4]

        paused = ask(fleet, key, "/v1/lanes/email/low/pause", "POST")
        assert (paused["paused"], paused["paused_by"]) == (True, key_id_of(key))
        wait_until(lambda: all_told(fleet, 2, paused=True), 60, "both workers to know")
        low = send(fleet, key, "low", 0)
        high = send(fleet, fleet.key(), "high", EACH)
        wait_until(lambda: all_sent(fleet, high), 60, "the other lane to go on")
        # What one worker holds and what the other holds is one lane; the rest stays at the broker.
        wait_until(lambda: held(fleet, key) == EACH, 30, "the paused lane to be counted")
        found = lane(fleet, key, "email.low")
        assert (found["running"], found["why"]) == (0, ["paused"])
        assert found["oldest_seconds"] > 0
        assert small_beats(fleet)

        assert fleet.stop(launches) == [0, 0]
        fleet.work(threads=4)
        wait_until(lambda: all_told(fleet, 1, paused=True), 60, "a new worker, which knows at once")
        after = send(fleet, fleet.key(), "high", 2 * EACH)
        wait_until(lambda: all_sent(fleet, after), 60, "the other lane to go on after the restart")
        assert not [one for one in low if fleet.delivered()[message_id(one)]]

        assert not ask(fleet, key, "/v1/lanes/email/low/resume", "POST")["paused"]
        assert fleet.wait_for_final(3 * EACH, timeout=60) == {"sent": 3 * EACH}
        assert fleet.delivered() == dict.fromkeys(map(message_id, low + high + after), 1)
        said = [one for one in events(fleet) if one.get("event") in {"lane_paused", "lane_resumed"}]
        assert [(one["event"], one["lane"], one["by"]) for one in said] == [
            ("lane_paused", "email.low", key_id_of(key)),
            ("lane_resumed", "email.low", key_id_of(key)),
        ]


def held(fleet: Fleet, key: str) -> int:
    found = lane(fleet, key, "email.low")
    return int(found["waiting"] + (found["ready"] or 0))


def small_beats(fleet: Fleet) -> bool:
    """A beat is written every second by every worker."""
    return all(len(json.dumps(one.report)) < 8192 for one in workers.living(fleet.engine, 3, "worker"))


def events(fleet: Fleet) -> list[dict[str, Any]]:
    return [json.loads(line) for line in fleet.log.splitlines() if line.startswith("{")]
