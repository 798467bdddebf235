"""Nothing private in any output of any process, in a queue or in a span: marked secrets over RabbitMQ and PostgreSQL."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlencode

import pika
from sqlalchemy import text

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.storage import workers
from tests.acceptance import canary
from tests.acceptance.canary import PASSWORD, POISON, Sender, bad_requests, found, sms_provider
from tests.acceptance.canary_console import visit
from tests.acceptance.fleet import Fleet
from tests.nodes import apple
from tests.nodes.collector import collector
from tests.nodes.http2 import http2_server
from tests.nodes.ports import free_port
from tests.nodes.smtp_control import SmtpControl
from tests.nodes.waiting import wait_until
from tests.nodes.web import Fault, Heard, Said, web_server
from tests.unit.providers.test_twilio_receipts import signature

PREFIX = "notifier.v1"
LOW = Lane(Channel.SMS, Priority.LOW)
#: What Twilio is told to call, and signs.
PUBLIC = "https://notify.example.com/v1/receipts/twilio"
#: What must have been seen, or the test looked at nothing.
EVENTS = {
    *("attempt_accepted", "attempt_deferred", "attempt_refused", "attempt_uncertain", "http_request"),
    *("http_bad_framing", "auth_failed", "bad_message", "console_login", "console_logout", "worker_buried"),
    *("receipts_taken", "receipt_forged", "receipts_matched"),
}
#: What an SMTP server says, one after another, with the address and the text in it.
REPLIES = (
    {"RCPT": f"550 5.1.1 <{canary.ADDRESS}> unknown {canary.TEXT}"},
    {"MAIL": f"451 4.3.0 {canary.ADDRESS} {PASSWORD} later"},
    {"DATA": f"554 5.6.0 {canary.SUBJECT} {canary.TEXT} refused"},
)


def bodies_of(broker_url: str, queue: str) -> list[bytes]:
    """Every message that waits in a queue, left where it is."""
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        channel = connection.channel()
        bodies = []
        while (found := channel.basic_get(queue))[0] is not None:
            bodies.append(found[2])
        return bodies


def put(broker_url: str, queue: str, body: bytes) -> None:
    """A message that is none of ours."""
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        connection.channel().basic_publish("", queue, body)


def every_ending(fleet: Fleet, sender: Sender) -> int:
    """Attempts that are accepted, refused, deferred, uncertain and unreadable, over both protocols; how many were sent."""
    for number in range(9):
        sender.good("sms", number, ttl=8)
    control = SmtpControl(fleet.folder / "smtp.json")
    for number, reply in enumerate(REPLIES):
        control.set(reply=reply)
        made = sender.good("email", number, ttl=4)
        wait_until(lambda made=made: tried(sender, made), 30, "an attempt")
    control.set(close_after_accept=True)
    made = sender.good("email", 8, ttl=4)
    wait_until(lambda: tried(sender, made), 30, "an attempt")
    control.clear()
    sender.good("email", 9)
    sender.good("push", 1)
    return 9 + len(REPLIES) + 3


def tried(sender: Sender, made: str) -> bool:
    return bool(sender.ask("GET", f"/v1/notifications/{made}")[1]["attempts"])


def outages(fleet: Fleet, broker_url: str) -> None:
    """Sessions cut in the middle, a worker killed, a strange message in a queue."""
    put(broker_url, f"{PREFIX}.email.high", f'{{"kwargs": "{POISON} {canary.ADDRESS}"}}'.encode())
    with fleet.engine.begin() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(text(cut))


def receipts(port: int) -> None:
    """Of what was sent, of what nobody knows, and forged: with the number, the text and a mark in each."""
    for sid, status, token, answer in (
        ("SM1", "delivered", PASSWORD, 204),
        ("SM1", "undelivered", PASSWORD, 204),
        (canary.REPORT, "undelivered", PASSWORD, 204),
        ("SM1", "delivered", canary.POISON, 403),
    ):
        told = {"MessageSid": sid, "MessageStatus": status, "ErrorCode": "30007", "ErrorMessage": canary.TEXT}
        assert report(port, told, token) == answer


def report(port: int, told: dict[str, str], token: str = PASSWORD) -> int:
    """Call back, as Twilio does; the status of the answer."""
    fields = {"AccountSid": "AC1", "To": f"{canary.PHONE[:-1]}0", "From": "Acme", "Body": canary.TEXT} | told
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/receipts/twilio",
        data=urlencode(fields).encode(),
        headers={"X-Twilio-Signature": signature(PUBLIC, fields, token), "X-Canary": canary.HEADER},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def kill_in_the_middle(
    fleet: Fleet, sender: Sender, launch: subprocess.Popen[bytes]
) -> subprocess.Popen[bytes]:
    """-9 to the worker's process while it waits for a provider's answer; what it had claimed goes to a new one."""
    control = SmtpControl(fleet.folder / "smtp.json")
    control.set(hang=True)
    made = sender.good("email", 7)
    wait_until(
        lambda: sender.ask("GET", f"/v1/notifications/{made}")[1]["status"] == "sending",
        30,
        "a call that hangs",
    )
    (worker,) = workers.living(fleet.engine, 10, "worker")
    os.kill(worker.pid, signal.SIGKILL)
    control.clear()
    fleet.stop([launch])
    other = fleet.work(threads=4)
    wait_until(lambda: "worker_buried" in fleet.log, 60, "somebody to miss it")
    wait_until(lambda: sender.ask("GET", f"/v1/notifications/{made}")[1]["status"] == "sent", 60, "its end")
    return other


def metrics_of(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return str(answer.read(), "utf-8")


def test_no_output_of_any_process_holds_a_secret(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Logs at their loudest, spans, metrics, queue bodies, outbox, and what the command line shows of failures."""
    metrics = free_port()
    refused = Said(400, json.dumps({"reason": f"BadDeviceToken {canary.TOKEN}"}).encode())
    settings = {
        "NOTIFIER_LOG_LEVEL": "debug",
        "NOTIFIER_TRACE_RATIO": "1",
        "NOTIFIER_METRICS_PORT": str(metrics),
        "NOTIFIER_RETRY_HIGH_BASE_SECONDS": "0.5",
        "NOTIFIER_BREAKER_PERCENT": "100",
    }
    doors: list[int] = []

    def twilio(heard: Heard) -> Said | Fault:
        """The usual one, but for 7: what becomes of it is reported before we know its id."""
        if not heard.form["To"].endswith("7"):
            return sms_provider(heard)
        assert report(doors[0], {"MessageSid": "SM7", "MessageStatus": "delivered"}) == 204
        return Said(201, json.dumps({"sid": "SM7", "status": "queued", "body": canary.TEXT}).encode())

    with (
        web_server(twilio) as provider,
        http2_server(lambda _: refused) as apns,
        collector() as spans,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url, **settings) as fleet,
    ):
        keys = apple.options(apple.key_file(tmp_path))
        options = urlencode(
            {"from": "Acme", "name": "twilio", "dangerous_plain": "true", "receipts_url": PUBLIC}
        )
        fleet.settings |= {
            **spans.environment,
            "NOTIFIER_SMS_PROVIDERS": f"twilio://AC1:{PASSWORD}@127.0.0.1:{provider.port}?{options}",
            "NOTIFIER_EMAIL_PROVIDERS": f"smtp://127.0.0.1:{fleet.smtp_port}",
            "NOTIFIER_PUSH_PROVIDERS": f"apns://{apple.TEAM}@127.0.0.1:{apns.port}?{keys}&dangerous_plain=true",
        }
        fleet.migrate()
        arguments = ["--port", str(fleet.smtp_port), "--ledger", str(fleet.ledger)]
        fleet.start("tests.nodes.smtp", *arguments, "--control", str(tmp_path / "smtp.json"))
        fleet.serve()
        doors += fleet.ports
        sender = Sender(fleet.ports[0], fleet.key())
        worker = fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        sender.ask("POST", "/v1/lanes/sms/low/pause")
        sent = every_ending(fleet, sender)
        bad_requests(sender)
        outages(fleet, rabbitmq_vhost_url)
        fleet.wait_for_final(sent, 120)
        receipts(fleet.ports[0])
        seals = visit(fleet.ports[0], sender.key)
        fleet.wait_for_final(sent + 1, 60)
        told = metrics_of(metrics)
        worker = kill_in_the_middle(fleet, sender, worker)
        fleet.wait_for_final(sent + 2, 60)
        told += metrics_of(metrics)
        fleet.stop([worker])
        for number in range(3):
            sender.good("sms", number, "low")
        waiting = wait_until_waiting(rabbitmq_vhost_url)
        with fleet.engine.connect() as connection:
            owed = [str(row) for row in connection.execute(text("SELECT * FROM outbox"))]
            owed += [str(row) for row in connection.execute(text("SELECT * FROM operator_events"))]
        shown = [
            fleet.run("notifier", *command)
            for command in (
                ("tail", "sms.high", "--once", "-n", "250", "--json"),
                ("failures", "list"),
                ("failures", "summary"),
                ("providers",),
                ("lanes", "--once"),
                ("config", "show"),
            )
        ]
        check(
            fleet, sender, seals, spans=str(spans.spans), metrics=told, queues=waiting, owed=owed, shown=shown
        )


def wait_until_waiting(broker_url: str) -> list[str]:
    """The bodies of three messages that no worker takes."""
    wait_until(lambda: len(bodies_of(broker_url, LOW.queue(PREFIX))) == 3, 30, "three messages")
    return [str(body) for body in bodies_of(broker_url, LOW.queue(PREFIX))]


def check(fleet: Fleet, sender: Sender, seals: list[str], **outputs: object) -> None:
    """Everything was there to be seen, and no mark is."""
    events = {json.loads(line).get("event") for line in fleet.log.splitlines() if line.startswith("{")}
    assert events >= EVENTS, EVENTS - events
    secret = sender.key.rsplit("_", 1)[1]
    outputs["log"] = fleet.log
    leaks = {name: found(str(output), secret, *seals) for name, output in outputs.items()}
    # Whoever may read failures is shown what a provider said: without address, number or secret, in its own words.
    leaks["shown"] = [mark for mark in leaks["shown"] if mark not in {canary.SUBJECT, "canary-text-7h2"}]
    assert {name: marks for name, marks in leaks.items() if marks} == {}
    assert all(len(str(output)) > 10 for output in outputs.values())
