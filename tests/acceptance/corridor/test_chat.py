"""Chat messages through the whole corridor: each to the destination that it names, over RabbitMQ and PostgreSQL."""

import base64
import hashlib
import hmac
import json
import time
from collections import Counter
from urllib.parse import quote

from notifier.domain.lanes import Channel, Lane
from notifier.domain.lifecycle import Mode
from tests.acceptance.corridor.test_lanes import ask
from tests.acceptance.fleet import Fleet, post_many
from tests.nodes.waiting import wait_until
from tests.nodes.web import Heard, Said, web_server

SECRET = b"a-secret-with-32-bytes-in-it-xyz"
TEXT, TOKEN = "The-deploy-is-done", "s3cret-t0ken"


def chat(name: str, priority: str = "high", **more: object) -> dict[str, object]:
    """A small request for a chat."""
    content = {"title": "Deploy", "text": TEXT}
    return {"channel": "chat", "priority": priority, "to": {"chat": name}, "content": content, **more}


def destinations(webhook: int, service: int, limit: str = "") -> str:
    """`ops` by webhook, `dev` over Apprise."""
    secret = quote("whsec_" + base64.b64encode(SECRET).decode(), safe="")
    url = quote(f"json://ada:{TOKEN}@127.0.0.1:{service}/{TOKEN}", safe="")
    return (
        f"webhook+https://127.0.0.1:{webhook}/{TOKEN}?name=ops&secret={secret}&dangerous_plain=true{limit} "
        f"apprise://?name=dev&url={url}"
    )


def is_signed(heard: Heard) -> bool:
    """As a receiver checks it."""
    signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    digest = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    return heard.headers["webhook-signature"] == f"v1,{digest}"


def test_each_message_goes_to_the_chat_that_it_names(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Down all three lanes; a test key's to nobody; an error is tried again; nothing private is logged."""
    unwell: list[str] = []

    def receiver(heard: Heard) -> Said:
        if not unwell:
            unwell.append(heard.headers["webhook-id"])
            return Said(503, json.dumps({"message": f"not now: {heard.path} {TEXT}"}).encode())
        return Said(204)

    with (
        web_server(receiver) as ops,
        web_server(Said(200)) as dev,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet,
    ):
        fleet.settings["NOTIFIER_CHAT_PROVIDERS"] = destinations(ops.port, dev.port)
        fleet.settings["NOTIFIER_RETRY_MEDIUM_BASE_SECONDS"] = "1"
        fleet.settings["NOTIFIER_RETRY_LOW_BASE_SECONDS"] = "1"
        fleet.migrate()
        fleet.serve()
        key = fleet.key()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        bodies = [chat(name, priority) for name in ("ops", "dev") for priority in ("high", "medium", "low")]
        ids = post_many(fleet.ports, key, bodies)
        post_many(fleet.ports, fleet.key(mode=Mode.TEST), [chat("ops"), chat("simulator-bounce")])
        # What the test key sent gets its receipt, too.
        ends = {"sent": 6, "delivered": 1, "failed": 1}
        wait_until(lambda: fleet.counts() == ends, 90, f"{ends}")
        copies = Counter(heard.headers["webhook-id"] for heard in ops.heard)
        assert copies == dict.fromkeys(ids[:3], 1) | {unwell[0]: 2}
        assert all(map(is_signed, ops.heard))
        assert {json.loads(heard.body)["data"]["text"] for heard in ops.heard} == {TEXT}
        assert [json.loads(heard.body)["message"] for heard in dev.heard] == [TEXT] * 3
        lanes = [one["lane"] for one in ask(fleet, key, "/v1/lanes")["data"]]
        assert lanes == [lane.name for lane in Lane.all(Channel)]
        found = {
            one["name"]: one for one in ask(fleet, key, "/v1/providers")["data"] if one["channel"] == "chat"
        }
        assert found.keys() == {"ops", "dev"}
        secrets = (
            TOKEN,
            TEXT,
            base64.b64encode(SECRET).decode(),
            base64.b64encode(f"ada:{TOKEN}".encode()).decode(),
        )
        assert "attempt_deferred" in fleet.log
        assert not [one for one in secrets if one in fleet.log]


def test_a_chat_that_is_out_or_slow_holds_up_no_other(tmp_path, postgres_url, rabbitmq_vhost_url):
    """`ops` takes two a second and is gone at first; `dev`'s go at once, and all of them arrive once, within the rate."""
    gone, at = [True], list[float]()

    def receiver(_heard: Heard) -> Said:
        at.append(time.monotonic())
        return Said(410 if gone[0] else 204)

    with (
        web_server(receiver) as ops,
        web_server(Said(200)) as dev,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet,
    ):
        fleet.settings["NOTIFIER_CHAT_PROVIDERS"] = destinations(ops.port, dev.port, "&rate=2/s")
        fleet.migrate()
        fleet.serve()
        key = fleet.key()
        fleet.work(threads=2)
        fleet.wait_for_workers(1, 60)
        first = post_many(fleet.ports, key, [chat("ops")])
        wait_until(lambda: len(ops.heard) >= 1, 30, "the one that is gone to say so")
        opened = lambda: {  # noqa: E731
            one["name"]: one["breaker"]
            for one in ask(fleet, key, "/v1/providers")["data"]
            if one["channel"] == "chat"
        }
        wait_until(lambda: opened() == {"ops": "open", "dev": "closed"}, 60, "its breaker to open")
        post_many(fleet.ports, fleet.key(), [chat("ops") for _ in range(8)])
        post_many(fleet.ports, fleet.key(), [chat("dev") for _ in range(20)])
        wait_until(lambda: len(dev.heard) == 20, 30, "the other chat's messages")
        assert len(ops.heard) < 9, "who is out is only probed"
        gone[0] = False
        asked = len(ops.heard)
        assert fleet.wait_for_final(29, 120) == {"sent": 29}
        arrived = [heard.headers["webhook-id"] for heard in ops.heard[asked:]]
        assert len(arrived) == len(set(arrived)) == 9
        assert first[0] in arrived
        # Nine at two a second, the burst of one and a lease's lead apart.
        assert at[-1] - at[asked] >= 8 / 2 - 0.5
