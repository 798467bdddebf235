"""E-mails through the whole corridor to Amazon SES's look-alike on loopback, which checks every signature."""

from tests.acceptance.fleet import Fleet, email, post_many
from tests.nodes.aws import Ses, problem
from tests.nodes.web import Heard, Said, web_server

SECRET = "wJalr/XUtn+FEMI"


def test_e_mails_are_sent_tried_again_or_suppressed(tmp_path, postgres_url, rabbitmq_vhost_url):
    """SES's throttle is tried again, an address that is none is refused and then suppressed, nothing private is logged."""
    ses = Ses(id="AKIDEXAMPLE", secret=SECRET)
    throttled: list[bytes] = []

    def answer(heard: Heard) -> Said:
        if b"reader1@example.com" in heard.body:
            return problem(
                400, "BadRequestException", "reader1@example.com: Domain contains control or whitespace"
            )
        if b"reader2@example.com" in heard.body and not throttled:
            throttled.append(heard.body)
            return problem(429, "TooManyRequestsException", "Maximum sending rate exceeded.")
        return ses(heard)

    with (
        web_server(answer) as server,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet,
    ):
        options = "region=eu-west-1&configuration_set=events&dangerous_plain=true&from=news@acme.example"
        url = f"ses://AKIDEXAMPLE:wJalr%2FXUtn+FEMI@127.0.0.1:{server.port}?{options}"
        fleet.settings["NOTIFIER_EMAIL_PROVIDERS"] = url
        fleet.migrate()
        fleet.serve()
        key = fleet.key()
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        ids = post_many(fleet.ports, key, [email(number, priority="high") for number in range(1, 5)])
        assert fleet.wait_for_final(4, 60) == {"sent": 3, "failed": 1}
        tags = {one["EmailTags"][0]["Value"] for one in ses.taken}
        assert len(tags) == 3
        assert tags < set(ids)
        # The address that is none is not asked for again, whoever wants to.
        asked = len(server.heard)
        post_many(fleet.ports, fleet.key(), [email(1, priority="high")])
        assert fleet.wait_for_final(5, 60) == {"sent": 3, "failed": 1, "suppressed": 1}
        assert len(server.heard) == asked == 5
        assert "attempt_refused" in fleet.log
        assert not [private for private in (SECRET, "wJalr", "reader1@", "reader2@") if private in fleet.log]
