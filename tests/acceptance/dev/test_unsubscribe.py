"""From an e-mail's header to silence: a reader leaves a topic, and the next e-mail of it is not sent."""

import email
import json
import urllib.request

import pytest

from tests.acceptance.dev.test_dev import Dev
from tests.nodes.smtp import smtp_server
from tests.nodes.waiting import wait_until

URL = "https://notify.example.com"


@pytest.fixture
def server():
    with smtp_server() as running:
        yield running


@pytest.fixture
def dev(tmp_path, server):
    """`notifier dev` behind a public address, sending to a real server."""
    running = Dev(
        tmp_path,
        NOTIFIER_PUBLIC_URL=f"{URL}/",
        NOTIFIER_UNSUBSCRIBE_SECRET="s" * 32,
        NOTIFIER_EMAIL_PROVIDERS=f"smtp://127.0.0.1:{server.port}",
    )
    yield running
    running.end(15)


def post(url, body, headers):
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
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

    wait_until(lambda: status() in {"sent", "failed", "suppressed"}, 30, "its end")
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
