"""E-mails from the door to a real server: files, and the link by which a reader leaves a topic."""

import base64
import email
import json
import random
import urllib.request

import pytest

from tests.acceptance.dev.test_dev import Dev
from tests.nodes.smtp import smtp_server
from tests.nodes.waiting import wait_until

URL = "https://notify.example.com"


@pytest.fixture
def server():
    with smtp_server(data_size_limit=30_000_000) as running:
        yield running


@pytest.fixture
def dev(tmp_path, server):
    """`notifier dev` behind a public address, sending to a real server."""
    running = Dev(
        tmp_path,
        NOTIFIER_PUBLIC_URL=f"{URL}/",
        NOTIFIER_UNSUBSCRIBE_SECRET="s" * 32,
        NOTIFIER_EMAIL_PROVIDERS=f"smtp://127.0.0.1:{server.port}",
        # For five megabytes on a crowded machine: how soon a call must end is told elsewhere.
        NOTIFIER_PROVIDER_TIMEOUT_SECONDS="30",
        NOTIFIER_SMTP_TIMEOUT_SECONDS="30",
        NOTIFIER_DRAIN_SECONDS="40",
        NOTIFIER_LEASE_SECONDS="60",
        NOTIFIER_ORPHAN_SECONDS="60",
        NOTIFIER_RING_AGAIN_SECONDS="60",
    )
    yield running
    running.end(15)


def post(url, body, headers):
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def send(dev, **more):
    """One to Ada, to its end; how it ended."""
    body = {
        "channel": "email",
        "priority": "high",
        "to": {"email": "ada@example.com"},
        "content": {"subject": "s", "text": "t"},
    }
    headers = {"Authorization": f"Bearer {dev.key}", "Content-Type": "application/json"}
    made = json.loads(post(f"{dev.address}/v1/notifications", json.dumps(body | more).encode(), headers))[
        "id"
    ]

    def status():
        return dev.get(f"/v1/notifications/{made}")["status"]

    wait_until(lambda: status() in {"sent", "failed", "suppressed"}, 90, "its end")
    return status()


def test_a_reader_leaves_a_topic(dev, server):
    """RFC 8058 from end to end: only that topic, only from then on."""
    assert send(dev, topic="news") == "sent"
    assert send(dev) == "sent"
    with_topic, without = (email.message_from_bytes(mail.data) for mail in server.mailbox.wait_for(2))
    assert without["List-Unsubscribe"] is None
    assert with_topic["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = with_topic["List-Unsubscribe"].strip("<>")
    assert link.startswith(f"{URL}/v1/unsubscribe/")
    assert "ada" not in link
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    post(dev.address + link.removeprefix(URL), b"List-Unsubscribe=One-Click", form)
    assert send(dev, topic="news") == "suppressed"
    assert send(dev, topic="billing") == "sent"
    assert send(dev) == "sent"
    assert len(server.mailbox.mails) == 4
    token = link.rpartition("/")[2]
    assert token not in "".join(dev.lines), "whoever reads logs can't leave for others"


def test_a_file_arrives_byte_equal(dev, server):
    """Five megabytes through the door, the database and the worker, and what the log says holds none of it."""
    data = random.Random(5).randbytes(5_000_000)
    file = {
        "filename": "größe.bin",
        "content_type": "application/pdf",
        "data": base64.b64encode(data).decode(),
    }
    assert send(dev, content={"subject": "s", "text": "t", "attachments": [file]}) == "sent"
    (mail,) = server.mailbox.wait_for(1)
    text, attached = email.message_from_bytes(mail.data).get_payload()
    assert text.get_payload(decode=True) == b"t"
    assert (attached.get_filename(), attached.get_content_type()) == ("größe.bin", "application/pdf")
    assert attached.get_payload(decode=True) == data
    log = "".join(dev.lines)
    assert file["data"][:40] not in log
    assert "größe.bin" not in log
