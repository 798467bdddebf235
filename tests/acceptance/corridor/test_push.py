"""Push messages through the whole corridor: each token to its own platform's provider on loopback."""

import json
import re
import urllib.error
import urllib.request

import pytest

from tests.acceptance.fleet import Fleet, post_many
from tests.nodes import apple, browser
from tests.nodes.google import PROJECT, google, token
from tests.nodes.http2 import http2_server
from tests.nodes.web import Heard, Said, web_server

ACCESS = "ya29.s3cret-access"
TEXT = "Your parcel is on its way"
#: One that FCM takes, one that has died.
FCM, DEAD = "dGVzdA-good_token:APA91b", "dGVzdA-dead_token:APA91b"
APNS = "ab12" * 16
ENDPOINT = "https://push.example.com/wpush/s3cret-endpoint"


def push(to: object, platform: str) -> dict[str, object]:
    """A request for the high push lane."""
    return {
        "channel": "push",
        "priority": "high",
        "to": {"push_token": to, "platform": platform},
        "content": {"title": "Parcel", "text": TEXT},
    }


def fcm(heard: Heard) -> Said:
    """FCM, which has forgotten one token."""
    if json.loads(heard.body)["message"]["token"] == DEAD:
        details = [{"errorCode": "UNREGISTERED"}]
        return Said(404, json.dumps({"error": {"status": "NOT_FOUND", "details": details}}).encode())
    return Said(200, json.dumps({"name": f"projects/{PROJECT}/messages/1"}).encode())


def refused(fleet: Fleet, key: str, body: dict[str, object]) -> dict[str, object]:
    """The problem that a request is answered with."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{fleet.ports[0]}/v1/notifications",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as found:
        urllib.request.urlopen(request, timeout=60)
    with found.value as answer:
        assert answer.code == 422
        problem: dict[str, object] = json.loads(answer.read())
        return problem


def test_each_token_goes_to_its_own_platform(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Whichever account the gate has granted; a dead token is suppressed, and nothing private is logged."""
    subscription = browser.Subscription(ENDPOINT)
    apns = http2_server(lambda heard: Said(200, headers={"apns-id": heard.headers["apns-id"]}))
    with (
        web_server(fcm) as fcm_server,
        google(tmp_path, token(ACCESS)) as tokens,
        apns as apns_server,
        web_server(Said(201)) as push_server,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet,
    ):
        plain = "dangerous_plain=true"
        keys = apple.options(apple.key_file(tmp_path))
        vapid = browser.options(browser.vapid_file(tmp_path))
        accounts = [
            f"apns://{apple.TEAM}@127.0.0.1:{apns_server.port}?{keys}&{plain}",
            f"fcm://127.0.0.1:{fcm_server.port}?{tokens.option}&{plain}",
            f"webpush://127.0.0.1:{push_server.port}?{vapid}&hosts=push.example.com&{plain}",
        ]
        fleet.settings["NOTIFIER_PUSH_PROVIDERS"] = accounts[0]
        fleet.migrate()
        key = fleet.key()
        first = fleet.serve()
        problem = refused(fleet, key, push(FCM, "fcm"))
        assert "/to/platform" in json.dumps(problem)
        assert "must be one of apns" in json.dumps(problem)
        fleet.stop([first])
        fleet.ports.clear()
        fleet.settings["NOTIFIER_PUSH_PROVIDERS"] = " ".join(accounts)
        fleet.serve()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        keys_of = subscription.recipient.subscription
        bodies = [push(FCM, "fcm"), push(APNS, "apns"), push(keys_of, "webpush"), push(DEAD, "fcm")]
        post_many(fleet.ports, key, bodies)
        assert fleet.wait_for_final(4, 60) == {"sent": 3, "failed": 1}
        assert sorted(json.loads(heard.body)["message"]["token"] for heard in fcm_server.heard) == [DEAD, FCM]
        assert [heard.path for heard in apns_server.heard] == [f"/3/device/{APNS}"]
        (to_browser,) = push_server.heard
        assert subscription.decrypted(to_browser.body)["notification"] == {"title": "Parcel", "body": TEXT}
        post_many(fleet.ports, fleet.key(), [push(DEAD, "fcm")])
        assert fleet.wait_for_final(5, 60) == {"sent": 3, "failed": 1, "suppressed": 1}
        assert len(fcm_server.heard) == 2
        assert "attempt_refused" in fleet.log
        private = (ACCESS, FCM, DEAD, APNS, "s3cret-endpoint", TEXT, keys_of["keys"]["auth"])
        assert not [one for one in private if re.search(re.escape(one), fleet.log)]
