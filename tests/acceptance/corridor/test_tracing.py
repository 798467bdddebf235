"""One trace from a request to the provider's word, over processes, RabbitMQ and PostgreSQL."""

import json
from typing import Any
from urllib.parse import urlencode

import urllib3

from tests.acceptance.corridor.test_receipts import ACCOUNT, PUBLIC, report
from tests.acceptance.corridor.test_sms import SECRET, TEXT
from tests.acceptance.fleet import Fleet
from tests.nodes.collector import Collector, Told, collector
from tests.nodes.web import Heard, Said, web_server

OPTIONS = urlencode({"from": "Acme", "name": "twilio", "dangerous_plain": "true", "receipts_url": PUBLIC})
PHONE = "+14155552671"
#: Number, and trace, of the one that is reported before its call has ended.
EARLY, EARLY_TRACE = 9, "0af7651916cd43dd8448eb211c80319c"
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


def post(fleet: Fleet, key: str, path: str, body: object, **headers: str) -> dict:
    """What the door answers."""
    answer = urllib3.request(
        "POST",
        f"http://127.0.0.1:{fleet.ports[0]}{path}",
        json=body,
        headers={"Authorization": f"Bearer {key}", **headers},
        retries=False,
    )
    assert answer.status == 202, answer.data
    return answer.json()


def message(number: int = 1) -> dict[str, Any]:
    return {
        "channel": "sms",
        "priority": "high",
        "to": {"phone": f"+1415555{2670 + number}"},
        "content": {"text": TEXT},
    }


def below(spans: Collector, parent: Told) -> list[str]:
    """The names of a span's own parts."""
    return sorted(one.name for one in spans.spans if one.parent == parent.id)


def check_request(spans: Collector) -> None:
    """The door's span is the caller's, and has the way of the notification below it."""
    (request,) = spans.wait_for("POST /v1/notifications", 1)
    assert {one.trace for one in spans.spans} == {CALLER}
    assert (request.parent, request.kind) == ("00f067aa0ba902b7", "server")
    assert request.process["notifier.role"] == "http"
    assert request.facts["http.response.status_code"] == 202
    # The first publish is the door's, the retry's a relay's.
    publishes = spans.wait_for("publish notifier.v1.sms.high", 2)
    assert [one.process["notifier.role"] for one in publishes] == ["http", "relay"]
    assert below(spans, request) == sorted(
        ["accept", *["publish notifier.v1.sms.high"] * 2, *["process notifier.v1.sms.high"] * 2]
    )


def check_attempts(spans: Collector, sent: str) -> None:
    """Each attempt is a span of its own with the same parts."""
    first, second = spans.wait_for("process notifier.v1.sms.high", 2)
    spans.wait_for("record", 2)
    parts = ["claim", "permit", "queue notifier.v1.sms.high", "record", "send twilio"]
    assert below(spans, first) == below(spans, second) == parts
    assert [one.facts["notifier.attempt"] for one in (first, second)] == [1, 2]
    assert [one.facts["notifier.outcome"] for one in (first, second)] == ["deferred", "accepted"]
    assert [one.facts["notifier.status"] for one in (first, second)] == ["queued", "sent"]
    assert [one.failed for one in (first, second)] == [True, False]
    assert first.facts["error.type"] == "provider_unavailable"
    assert (first.kind, first.process["notifier.role"]) == ("consumer", "worker")
    assert first.facts["messaging.system"] == "rabbitmq"
    assert {one.facts["messaging.message.id"] for one in (first, second)} == {sent}
    assert all(one.stop >= one.start for one in spans.spans)


def check_receipt(fleet: Fleet, spans: Collector) -> None:
    """What the provider reports is part of the notification's trace, once, and not of the report's request."""
    for _ in range(2):
        assert report(fleet.ports[0], PHONE, {"MessageStatus": "delivered"}) == 204
    assert fleet.counts() == {"sent": 1, "delivered": 1}
    (request,) = spans.named("POST /v1/notifications")
    (receipt,) = spans.wait_for("receipt twilio", 1)
    assert (receipt.trace, receipt.parent) == (CALLER, request.id)
    told = {"notifier.provider": "twilio", "notifier.status": "delivered"}
    assert receipt.facts == {**told, "notifier.receipt.early": False}
    assert receipt.process["notifier.role"] == "http"


def check_early(fleet: Fleet, key: str, spans: Collector) -> None:
    """What was reported before our own commit is told by the relay that matched it, from when it came."""
    traced = f"00-{EARLY_TRACE}-00f067aa0ba902b7-01"
    post(fleet, key, "/v1/notifications", message(EARLY), traceparent=traced)
    receipt = next(one for one in spans.wait_for("receipt twilio", 2) if one.trace == EARLY_TRACE)
    (request,) = [one for one in spans.named("POST /v1/notifications") if one.trace == EARLY_TRACE]
    (send,) = [one for one in spans.named("send twilio") if one.trace == EARLY_TRACE]
    assert (receipt.parent, receipt.process["notifier.role"]) == (request.id, "relay")
    assert receipt.facts["notifier.receipt.early"] is True
    # Parked while the call still ran; matched a second later at the earliest. Clocks of two servers: some slack.
    assert receipt.start < send.stop + 500_000_000
    assert receipt.stop - receipt.start > 500_000_000


def check_batch(fleet: Fleet, key: str, spans: Collector) -> None:
    """A batch is one request and so one trace, with an attempt for each of its notifications."""
    traced = f"00-{CALLER[::-1]}-00f067aa0ba902b7-01"
    many = {"items": [message(number) for number in range(3, 8)]}
    post(fleet, key, "/v1/notifications/batch", many, traceparent=traced)
    fleet.wait_for_final(7, 60)
    (batch,) = spans.wait_for("POST /v1/notifications/batch", 1)
    spans.wait_for("process notifier.v1.sms.high", 7)
    found = [one for one in spans.named("process") if one.trace == CALLER[::-1]]
    assert [one.parent for one in found] == [batch.id] * 5
    published = [one for one in spans.named("publish") if one.parent == batch.id]
    assert [one.facts["messaging.batch.message_count"] for one in published] == [5]


def test_one_trace_from_the_request_to_sent(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Joined by traceparent over door, relay and worker, and over a retry; sampled as the caller says; nothing private in it."""
    unwell: list[str] = []

    def twilio(heard: Heard) -> Said:
        if heard.form["To"] == message(EARLY)["to"]["phone"]:
            report(fleet.ports[0], heard.form["To"], {"MessageStatus": "delivered"})
        if not unwell:
            unwell.append("once")
            return Said(503, json.dumps({"code": 20503, "message": f"{PHONE}: {TEXT}"}).encode())
        return Said(201, json.dumps({"sid": f"SM{heard.form['To'][-4:]}", "status": "queued"}).encode())

    with (
        web_server(twilio) as provider,
        collector() as spans,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url, NOTIFIER_TRACE_RATIO="0") as fleet,
    ):
        fleet.settings |= {
            **spans.environment,
            "NOTIFIER_SMS_PROVIDERS": f"twilio://{ACCOUNT}:{SECRET}@127.0.0.1:{provider.port}?{OPTIONS}",
            "NOTIFIER_RETRY_HIGH_BASE_SECONDS": "0.1",
        }
        fleet.migrate()
        fleet.serve()
        key = fleet.key()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        traced = f"00-{CALLER}-00f067aa0ba902b7-01"
        sent = post(fleet, key, "/v1/notifications", message(), traceparent=traced)["id"]
        fleet.wait_for_final(1, 60)
        untraced = post(fleet, key, "/v1/notifications", message(2))["id"]
        assert fleet.wait_for_final(2, 60) == {"sent": 2}
        check_attempts(spans, sent)
        check_request(spans)
        assert untraced not in str(spans.spans)
        check_receipt(fleet, spans)
        check_batch(fleet, key, spans)
        check_early(fleet, key, spans)
        private = (SECRET, "1415555", TEXT, key, key[12:], "Bearer")
        assert not [one for one in private if one in str(spans.spans)]
        line = json.loads(next(line for line in fleet.log.splitlines() if "attempt_deferred" in line))
        assert line["trace_id"] == CALLER
