"""Test keys through the whole pipeline of `notifier dev`: every ending in every channel, and nothing leaves."""

import pytest

from notifier.domain.lanes import Channel
from notifier.domain.simulator import Ending
from tests.acceptance.dev.test_dev import Dev
from tests.acceptance.simulated import EXPECTED, Client, to_of, told
from tests.nodes.smtp import smtp_server
from tests.nodes.waiting import wait_until

ADA = {"email": "ada@example.com"}


@pytest.fixture
def server():
    with smtp_server() as running:
        yield running


@pytest.fixture
def limit():
    """The options of the real server's URL: no limit, unless a test says otherwise."""
    return ""


@pytest.fixture
def dev(tmp_path, server, limit):
    """`notifier dev` with a real server for e-mail."""
    running = Dev(
        tmp_path,
        NOTIFIER_EMAIL_PROVIDERS=f"smtp://127.0.0.1:{server.port}{limit}",
        NOTIFIER_CHAT_PROVIDERS="console://?name=ops",
    )
    yield running
    running.end(15)


def clients(dev):
    """One with the test key that was printed, one with the live one."""
    found = dev._found(r"test\s+(nk_test_\S+)")
    return Client(dev.address, found[1]), Client(dev.address, dev.key)


def test_each_magic_recipient_ends_as_it_is_written_down_and_nothing_leaves(dev, server):
    """Every ending in four channels; beside them one live e-mail, the only one that the server gets."""
    test, live = clients(dev)
    made = {(channel, one): test.send(channel, to_of(channel, one)) for channel in Channel for one in Ending}
    real = live.send(Channel.EMAIL, ADA)
    assert live.ended(real)["attempts"][0]["provider"].startswith("smtp")
    found = {key: told(test.ended(one)) for key, one in made.items()}
    assert found == {(channel, ending): EXPECTED[ending] for channel, ending in made}
    (mail,) = server.mailbox.wait_for(1)
    assert mail.recipients == ("ada@example.com",)
    assert not [one for one in dev.lines if "simulator.notifier" in one or "+4477009" in one]


def test_a_bounce_bounces_each_time_and_suppresses_nobody(dev, server):
    """Nor does what a test key's reader did reach the same address live."""
    test, live = clients(dev)
    for _ in range(2):
        assert (
            told(test.ended(test.send(Channel.EMAIL, to_of(Channel.EMAIL, Ending.BOUNCE))))
            == (EXPECTED[Ending.BOUNCE])
        )
    assert told(test.ended(test.send(Channel.EMAIL, ADA)))[0] == "delivered", (
        "any other recipient is accepted"
    )
    assert server.mailbox.mails == []
    assert live.ended(live.send(Channel.EMAIL, ADA))["status"] == "sent"
    assert len(server.mailbox.mails) == 1
    assert live.status_of(Channel.EMAIL, to_of(Channel.EMAIL, Ending.DELIVERED)) == 422


@pytest.mark.parametrize("limit", ["?rate=20/m&burst=1"])
def test_test_messages_use_up_none_of_a_real_accounts_permits(dev, server):
    """Forty at 20 a minute would take two minutes: each gives back the permit that it was started with."""
    test, _ = clients(dev)
    made = [test.send(Channel.EMAIL, ADA) for _ in range(40)]
    wait_until(
        lambda: (
            {one["status"] for one in test.ask("/v1/notifications?limit=100")["data"]}
            <= {"sent", "delivered"}
        ),
        60,
        "their end",
    )
    assert len(test.ask("/v1/notifications?limit=100")["data"]) == len(made)
    assert server.mailbox.mails == []
