"""Receipts through the whole corridor: a look-alike of Twilio on loopback that reports, signed, what became of each."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlencode

from notifier.storage import books
from tests.acceptance.corridor.test_sms import SECRET, TEXT, text_message
from tests.acceptance.fleet import Fleet, post_many
from tests.acceptance.simulated import Client
from tests.nodes.waiting import wait_until
from tests.nodes.web import Heard, Said, web_server
from tests.unit.providers.test_twilio_receipts import signature

ACCOUNT = "AC" + "1" * 32
#: What Twilio is told, and signs; a proxy brings it to the door.
PUBLIC = "https://notify.example.com/v1/receipts/twilio?way=proxy"
#: By the last digit of the number: what is reported; 1 so early that our own commit comes after it.
ENDS = {
    "1": {"MessageStatus": "delivered"},
    "2": {"MessageStatus": "delivered"},
    "3": {"MessageStatus": "undelivered", "ErrorCode": "30005"},
    "4": {"MessageStatus": "sent"},
}


def fields_of(to: str, said: Mapping[str, str]) -> dict[str, str]:
    """A status callback's form; the SID is made from the number."""
    return {"AccountSid": ACCOUNT, "MessageSid": f"SM{to[-4:]}", "To": to, "From": "Acme", **said}


def report(port: int, to: str, said: Mapping[str, str], token: str = SECRET, told: str = PUBLIC) -> int:
    """Call back where Twilio was `told`, as it does; the proxy changes all but our id. The status of the answer."""
    fields = fields_of(to, said)
    own = told.removeprefix(PUBLIC)
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/receipts/twilio?way=changed{own}",
        data=urlencode(fields).encode(),
        headers={"X-Twilio-Signature": signature(told, fields, token)},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_what_twilio_reports_ends_each_message(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Too early, twice, forged and unknown: each ends once as it was reported, a wrong number is suppressed."""
    doors: list[int] = []
    early: list[int] = []
    told_to: dict[str, str] = {}

    def twilio(heard: Heard) -> Said:
        to = heard.form["To"]
        told_to[to] = heard.form["StatusCallback"]
        assert told_to[to].startswith(f"{PUBLIC}&notification=ntf_")
        if to[-1] == "1":
            early.append(report(doors[0], to, ENDS["1"], told=told_to[to]))
        return Said(201, json.dumps({"sid": f"SM{to[-4:]}", "status": "queued"}).encode())

    with web_server(twilio) as server, Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        options = urlencode(
            {"from": "Acme", "name": "twilio", "dangerous_plain": "true", "receipts_url": PUBLIC}
        )
        fleet.settings["NOTIFIER_SMS_PROVIDERS"] = (
            f"twilio://{ACCOUNT}:{SECRET}@127.0.0.1:{server.port}?{options}"
        )
        fleet.migrate()
        first = fleet.serve()
        doors += fleet.ports
        key = fleet.key()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        post_many(fleet.ports, key, [text_message(number) for number in range(1, 5)])
        # The early one is over as soon as the relay has looked again.
        wait_until(lambda: fleet.counts() == {"sent": 3, "delivered": 1}, 60, "the early receipt's match")
        assert early == [204]
        (port,) = fleet.ports
        assert report(port, "+14155552672", ENDS["2"], token="forged") == 403
        assert fleet.counts() == {"sent": 3, "delivered": 1}
        for digit in "234":
            to = f"+1415555267{digit}"
            assert report(port, to, ENDS[digit], told=told_to[to]) == 204
        assert fleet.counts() == {"sent": 1, "delivered": 2, "undelivered": 1}
        # What was answered with 204 outlives the door, and what comes again changes nothing.
        fleet.kill([first])
        fleet.serve()
        for digit in "123":
            assert report(fleet.ports[-1], f"+1415555267{digit}", ENDS[digit]) == 204
        assert report(fleet.ports[-1], "+14155559999", ENDS["2"]) == 204, "another's message"
        assert fleet.counts() == {"sent": 1, "delivered": 2, "undelivered": 1}
        assert books.read(fleet.engine).balanced

        client = Client(f"http://127.0.0.1:{fleet.ports[-1]}", key)
        (failure,) = client.ask("/v1/failures")["data"]
        assert (failure["status"], failure["reason"]) == ("undelivered", "invalid_recipient")
        told = client.ask(f"/v1/notifications/{failure['id']}")["timeline"][-1]
        assert (told["provider"], told["code"]) == ("twilio", "30005")
        again = client.send("sms", {"phone": "+14155552673"})
        assert client.ended(again)["status"] == "suppressed"
        assert len(server.heard) == 4
        assert "receipt_forged" in fleet.log
        assert not [private for private in (SECRET, "+1415555", "%2B1415", TEXT) if private in fleet.log]
