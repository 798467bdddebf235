"""E-mail through the whole corridor to a look-alike of SendGrid on loopback, and what it reports, signed, in batches."""

import json
import time
import urllib.error
import urllib.request

from notifier.providers.sendgrid_receipts import SIGNATURE, TIMESTAMP
from notifier.storage import books
from tests.acceptance.fleet import Fleet, post_many
from tests.nodes.web import Heard, Said, web_server
from tests.unit.providers.test_sendgrid_receipts import event, shown, signature

KEY, TEXT = "SG.s3cret-k3y", "Your order is on its way"


def mail(number: int) -> dict[str, object]:
    """A small request for the high e-mail lane."""
    content = {"subject": "Your order", "text": TEXT}
    return {
        "channel": "email",
        "priority": "high",
        "to": {"email": f"ada{number}@example.com"},
        "content": content,
    }


def to(heard: Heard) -> str:
    """The number of the recipient that a request names."""
    (one,) = json.loads(heard.body)["personalizations"][0]["to"]
    return str(one["email"]).removeprefix("ada")[0]


def problem(status: int, field: str | None, heard: Heard) -> Said:
    """An error in SendGrid's form that repeats what it was sent."""
    said = {"message": f"no: {heard.body.decode()}", "field": field, "help": None}
    return Said(status, json.dumps({"errors": [said]}).encode())


def report(port: int, *events: dict[str, object], signed: bytes | None = None) -> int:
    """Post a batch, as SendGrid does; the status of the answer."""
    moment, body = int(time.time()), json.dumps(events).encode() + b"\r\n"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/receipts/sendgrid",
        data=body,
        headers={
            "Content-Type": "application/json",
            SIGNATURE: signature(signed or body, moment),
            TIMESTAMP: str(moment),
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def told(word: str, number: int, **fields: object) -> dict[str, object]:
    """An event of the message to this recipient."""
    return event(word, sg_message_id=f"taken-{number}.recvd-5f9ffdf494-1.0", **fields)


def test_e_mails_are_sent_by_sendgrid_and_end_as_it_reports(tmp_path, postgres_url, rabbitmq_vhost_url):
    """A fault is tried again, a wrong address refused; a batch ends the others, and nothing private is logged."""
    unwell: list[str] = []

    def sendgrid(heard: Heard) -> Said:
        if to(heard) == "1":
            return problem(400, "personalizations.0.to.0.email", heard)
        if to(heard) == "2" and not unwell:
            unwell.append("2")
            return problem(503, None, heard)
        return Said(202, headers={"X-Message-Id": f"taken-{to(heard)}"})

    with web_server(sendgrid) as server, Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.settings["NOTIFIER_EMAIL_PROVIDERS"] = (
            f"sendgrid://:{KEY}@127.0.0.1:{server.port}?from=a@acme.example&name=sendgrid&dangerous_plain=true"
            f"&verification_key={shown()}"
        )
        fleet.migrate()
        fleet.serve()
        key = fleet.key()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        post_many(fleet.ports, key, [mail(number) for number in range(1, 6)])
        assert fleet.wait_for_final(5, 60) == {"sent": 4, "failed": 1}
        assert sorted(to(heard) for heard in server.heard) == ["1", "2", "2", "3", "4", "5"]
        again = [json.loads(heard.body) for heard in server.heard if to(heard) == "2"]
        assert again[0] == again[1], "by which a mailbox can fold them"

        (port,) = fleet.ports
        assert report(port, told("delivered", 2), signed=b"another") == 403
        batch = (
            told("processed", 2),
            told("delivered", 2),
            told("bounce", 3, type="bounce", bounce_classification="Invalid Address", status="5.1.1"),
            told("delivered", 4),
            told("spamreport", 4),
            told("deferred", 5),
        )
        assert report(port, *batch) == 204
        assert report(port, *batch) == 204, "what comes again changes nothing"
        assert fleet.counts() == {"sent": 1, "delivered": 2, "undelivered": 1, "failed": 1}
        assert books.read(fleet.engine).balanced
        # Who can't be reached, or wants no more, is not written to again.
        # With a key of their own: `post_many` numbers its Idempotency-Keys anew each time.
        post_many(fleet.ports, fleet.key(), [mail(number) for number in (1, 3, 4)])
        ended = {"sent": 1, "delivered": 2, "undelivered": 1, "failed": 1, "suppressed": 3}
        assert fleet.wait_for_final(8, 60) == ended
        assert len(server.heard) == 6
        assert "receipt_forged" in fleet.log
        assert not [private for private in (KEY, "@example.com", TEXT, "Your order") if private in fleet.log]
