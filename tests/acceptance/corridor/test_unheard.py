"""A send whose answer got lost, through the whole corridor: a look-alike of Twilio takes it, breaks off and reports later."""

from urllib.parse import urlencode

from notifier.domain.lanes import Channel
from notifier.storage import books
from tests.acceptance.corridor.test_receipts import ACCOUNT, ENDS, PUBLIC, report
from tests.acceptance.corridor.test_sms import SECRET, TEXT
from tests.acceptance.fleet import Fleet
from tests.acceptance.simulated import Client
from tests.nodes.waiting import wait_until
from tests.nodes.web import Fault, Heard, web_server

ARRIVES, IS_LOST = "+14155552672", "+14155552673"


def test_a_report_ends_a_send_that_was_never_answered(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Both wait for a person until Twilio reports; a forged id and another's move neither; nothing is sent twice."""
    told_to: dict[str, str] = {}

    def twilio(heard: Heard) -> Fault:
        told_to[heard.form["To"]] = heard.form["StatusCallback"]
        return Fault.CLOSE

    with web_server(twilio) as server, Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        options = {"from": "Acme", "name": "twilio", "dangerous_plain": "true", "receipts_url": PUBLIC}
        fleet.settings["NOTIFIER_SMS_PROVIDERS"] = (
            f"twilio://{ACCOUNT}:{SECRET}@127.0.0.1:{server.port}?{urlencode(options)}"
        )
        fleet.migrate()
        fleet.serve()
        key = fleet.key()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        (port,) = fleet.ports
        client = Client(f"http://127.0.0.1:{port}", key)
        content = {"content": {"text": TEXT}, "on_uncertain": "hold"}
        made = {to: client.send(Channel.SMS, {"phone": to}, **content) for to in (ARRIVES, IS_LOST)}
        wait_until(lambda: fleet.counts() == {"held": 2}, 60, "that nobody knows how they ended")

        # Only the id stands between what is reported and what it is about, so it is signed.
        forged = told_to[ARRIVES].replace(made[ARRIVES], made[IS_LOST])
        assert report(port, ARRIVES, ENDS["2"], token="forged", told=forged) == 403
        foreign = PUBLIC + "&notification=ntf_00000000-0000-7000-8000-000000000000"
        assert report(port, "+14155559999", ENDS["2"], told=foreign) == 204
        assert fleet.counts() == {"held": 2}

        assert report(port, ARRIVES, ENDS["2"], told=told_to[ARRIVES]) == 204
        assert report(port, IS_LOST, ENDS["3"], told=told_to[IS_LOST]) == 204
        assert fleet.counts() == {"delivered": 1, "undelivered": 1}
        assert report(port, ARRIVES, ENDS["2"], told=told_to[ARRIVES]) == 204, "again changes nothing"
        assert fleet.counts() == {"delivered": 1, "undelivered": 1}
        assert books.read(fleet.engine).balanced

        arrived = client.ask(f"/v1/notifications/{made[ARRIVES]}")
        assert [one["outcome"] for one in arrived["attempts"]] == ["uncertain"]
        assert [one["event"] for one in arrived["timeline"]][-2:] == ["sent", "delivered"]
        (failure,) = client.ask("/v1/failures")["data"]
        assert (failure["id"], failure["reason"]) == (made[IS_LOST], "invalid_recipient")
        assert len(server.heard) == 2
        assert not [private for private in (SECRET, "+1415555", "%2B1415", TEXT) if private in fleet.log]
