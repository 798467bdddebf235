"""Nothing private in what `notifier dev` writes of notifications that are not sent by the console: marked secrets again."""

import signal
from urllib.parse import urlsplit

from tests.acceptance.canary import PASSWORD, Sender, bad_requests, found, sms_provider
from tests.acceptance.canary_console import visit
from tests.acceptance.dev.test_dev import Dev
from tests.nodes.smtp import smtp_server
from tests.nodes.waiting import wait_until
from tests.nodes.web import web_server

ENDED = {"sent", "failed", "expired"}


def test_no_line_of_notifier_dev_holds_a_secret(tmp_path):
    """One process, SQLite, the embedded queue: good and bad requests, providers that repeat all they hear."""
    with web_server(sms_provider) as provider, smtp_server() as mails:
        options = "from=Acme&name=twilio&dangerous_plain=true"
        dev = Dev(
            tmp_path,
            log_level="debug",
            NOTIFIER_LOG_FORMAT="json",
            NOTIFIER_METRICS_PORT="0",
            NOTIFIER_SMS_PROVIDERS=f"twilio://AC1:{PASSWORD}@127.0.0.1:{provider.port}?{options}",
            NOTIFIER_EMAIL_PROVIDERS=f"smtp://127.0.0.1:{mails.port}",
        )
        try:
            sender = Sender(int(urlsplit(dev.address).port or 0), dev.key)
            made = [sender.good("sms", number, ttl=8) for number in range(9)]
            made += [sender.good("email", number) for number in range(2)]
            bad_requests(sender)
            for one in made:
                wait_until(lambda one=one: status(sender, one) in ENDED, 60, "its end")
            assert {status(sender, one) for one in made} >= {"sent", "failed"}
            seals = visit(sender.port, dev.key)
        finally:
            dev.end(signal.SIGTERM)
    said = "".join(dev.lines)
    assert '"event":"attempt_refused"' in said
    assert '"event":"auth_failed"' in said
    assert '"event":"http_request"' in said
    assert '"event":"console_logout"' in said
    assert found(said, *seals) == []


def status(sender: Sender, made: str) -> str:
    return str(sender.ask("GET", f"/v1/notifications/{made}")[1]["status"])
