"""Chat with no servers: the tour takes its lanes along, and they are gone when it is not set any more."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from notifier.domain.lanes import Channel, Lane
from tests.acceptance.dev.test_dev import Dev
from tests.acceptance.fleet import SHORT_TIMES
from tests.acceptance.simulated import Client
from tests.nodes import programs
from tests.nodes.waiting import wait_until

CHATS = "console://?name=ops console://?name=dev"


@contextmanager
def running(folder: Path, chats: str = "") -> Iterator[tuple[Dev, Client]]:
    """`notifier dev` with these chats, and a caller with its key; it ends in order."""
    dev = Dev(folder, NOTIFIER_CHAT_PROVIDERS=chats)
    code = None
    try:
        yield dev, Client(dev.address, dev.key)
    finally:
        code = dev.end(15)
    assert code == 0


def lanes_of(client: Client) -> list[str]:
    return [one["lane"] for one in client.ask("/v1/lanes")["data"]]


def test_a_chat_goes_through_one_process(tmp_path):
    """To the destination that it names, printed by its console."""
    with running(tmp_path, CHATS) as (_, client):
        made = client.send(Channel.CHAT, {"chat": "dev"})
        ended = client.ended(made)
        assert (ended["status"], [one["provider"] for one in ended["attempts"]]) == ("sent", ["dev"])
        shown = client.ask("/v1/dev/messages")["data"]
        assert [(one["provider"], one["to"]) for one in shown] == [("dev", {"chat": "dev"})]
        assert lanes_of(client) == [lane.name for lane in Lane.all(Channel)]


def test_what_waits_for_a_chat_outlives_a_time_without_the_channel(tmp_path):
    """It is kept, can be read and is no trouble to anybody; with the channel back it is sent."""
    with running(tmp_path, CHATS) as (_, client):
        # However long the stop takes, it is not sent before: a pause is known long before it is due.
        client.ask("/v1/lanes/chat/high/pause", {})
        due = datetime.now(UTC) + timedelta(seconds=8)
        made = client.send(Channel.CHAT, {"chat": "ops"}, ttl=3600, send_at=due.isoformat())
    with running(tmp_path) as (dev, client):
        wait_until(lambda: client.ask(f"/v1/notifications/{made}")["status"] == "queued", 30, "it to be due")
        other = client.ended(client.send(Channel.EMAIL, {"email": "ada@example.com"}))
        assert other["status"] == "sent"
        assert client.ask(f"/v1/notifications/{made}")["status"] == "queued"
        assert lanes_of(client) == [lane.name for lane in Lane.all()]
    assert not [line for line in dev.lines if "Traceback" in line or "[error" in line]
    with running(tmp_path, CHATS) as (_, client):
        client.ask("/v1/lanes/chat/high/resume", {})
        assert client.ended(made, 30)["status"] == "sent"


def test_the_tour_takes_every_lane_that_there_is(tmp_path):
    """Twelve with chat."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    env = clean | SHORT_TIMES | {"NOTIFIER_CHAT_PROVIDERS": CHATS}
    done = programs.run(
        *("notifier", "dev", "--port", "0", "--tour", "--once"), cwd=tmp_path, env=env, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 of 12 delivered." in done.stdout
    assert len(re.findall(r"^  chat\.\w+ +ntf_\S+  sent +by ops$", done.stdout, re.MULTILINE)) == 3
