"""Text messages through the whole corridor to an SMS provider on loopback."""

import json

from tests.acceptance.fleet import Fleet, post_many
from tests.nodes.web import Heard, Said, web_server

SECRET = "s3cret-t0ken"
TEXT = "Your code is on its way"


def text_message(number: int) -> dict[str, object]:
    """A small request for the high SMS lane."""
    phone = {"phone": f"+1415555{2670 + number}"}
    return {"channel": "sms", "priority": "high", "to": phone, "content": {"text": TEXT}}


def problem(status: int, code: int, heard: Heard) -> Said:
    """An error in Twilio's form that repeats whom it was for, as Twilio does."""
    return Said(status, json.dumps({"code": code, "message": f"'To' {heard.form['To']}: no"}).encode())


def test_text_messages_are_sent_tried_again_or_suppressed(tmp_path, postgres_url, rabbitmq_vhost_url):
    """A temporary error is tried again, a number that is none is refused and then suppressed, nothing private is logged."""
    unwell: list[str] = []

    def twilio(heard: Heard) -> Said:
        to = heard.form["To"]
        if to == "+14155552671":
            return problem(400, 21211, heard)
        if to == "+14155552672" and not unwell:
            unwell.append(to)
            return problem(503, 20503, heard)
        return Said(201, json.dumps({"sid": f"SM{to[-4:]}", "status": "queued"}).encode())

    with (
        web_server(twilio) as server,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet,
    ):
        url = f"twilio://AC1:{SECRET}@127.0.0.1:{server.port}?from=Acme&dangerous_plain=true"
        fleet.settings["NOTIFIER_SMS_PROVIDERS"] = url
        fleet.migrate()
        fleet.serve()
        key = fleet.key()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        post_many(fleet.ports, key, [text_message(number) for number in range(1, 5)])
        assert fleet.wait_for_final(4, 60) == {"sent": 3, "failed": 1}
        asked = sorted(heard.form["To"][-1] for heard in server.heard)
        assert asked == ["1", "2", "2", "3", "4"]
        # The number that is none is not asked for again, whoever wants to.
        post_many(fleet.ports, fleet.key(), [text_message(1)])
        assert fleet.wait_for_final(5, 60) == {"sent": 3, "failed": 1, "suppressed": 1}
        assert len(server.heard) == 5
        assert all(0 < int(heard.form["ValidityPeriod"]) <= 3_600 for heard in server.heard)
        assert "attempt_refused" in fleet.log
        assert not [private for private in (SECRET, "+1415555", "%2B1415", TEXT) if private in fleet.log]
