"""Chat from the command line: sent by name, looked at by doctor, and none of its secrets is shown."""

import base64
from urllib.parse import quote

import pytest

from tests.nodes.peers import closes, peer
from tests.nodes.web import Said, web_server

SECRET = "whsec_" + base64.b64encode(b"a-secret-of-24-bytes-here").decode()
TOKEN = "s3cret-t0ken"


def webhook(port, name="ops"):
    return (
        f"webhook+https://127.0.0.1:{port}/{TOKEN}?name={name}&secret={quote(SECRET, safe='')}"
        f"&query=key%3D{TOKEN}&dangerous_plain=true"
    )


def apprise(service, name="dev"):
    return f"apprise://?name={name}&url={quote(service, safe='')}"


@pytest.fixture
def chats(migrated):
    migrated.env["NOTIFIER_CHAT_PROVIDERS"] = (
        f"{webhook(9)} {apprise(f'json://ada:{TOKEN}@127.0.0.1:9/{TOKEN}')}"
    )
    return migrated


def test_one_is_sent_by_its_name(chats):
    plan = chats.run(
        "send", "--chat", "dev", "--text", "**Done**", "--format", "markdown", "--dry-run", "--json"
    )
    assert (plan.json()["channel"], plan.json()["provider"]) == ("chat", "dev")
    name = chats.run("send", "--chat", "ops", "--title", "Deploy", "--text", "Done").out.strip()
    assert chats.run("status", name).out.splitlines()[0] == f"{name}  chat.medium  queued"


def test_a_name_that_is_none_is_an_error_of_its_option(chats):
    ended = chats.run("send", "--chat", "finance", "--text", "Done", code=2)
    assert "--chat: must be one of ops, dev" in ended.err


def test_without_a_destination_there_is_no_chat_and_no_lane(migrated):
    ended = migrated.run("send", "--chat", "ops", "--text", "Done", code=2)
    assert "NOTIFIER_CHAT_PROVIDERS" in ended.err
    assert "chat." not in migrated.run("lanes", "--once").out
    migrated.run("lanes", "pause", "chat.low", code=1)


def test_its_lanes_and_accounts_stand_in_the_tables(chats):
    assert [line.split()[0] for line in chats.run("lanes", "--once").out.splitlines()][-3:] == [
        "chat.high",
        "chat.medium",
        "chat.low",
    ]
    assert "chat.low is paused" in chats.run("lanes", "pause", "chat.low").out
    rows = [line.split()[:3] for line in chats.run("providers").out.splitlines() if line.startswith("chat")]
    assert rows == [["chat", "1", "ops"], ["chat", "2", "dev"]]
    assert "dev is disabled" in chats.run("providers", "disable", "dev").out


def test_no_secret_is_shown(chats):
    """Neither by the settings nor by doctor, whatever is wrong; names are no secrets."""
    shown = chats.run("config", "show").out
    line = next(one for one in shown.splitlines() if "CHAT_PROVIDERS" in one)
    assert "name=ops" in line
    assert "name=dev" in line
    for out in (shown, chats.run("doctor", code=1).out):
        assert not [one for one in (TOKEN, SECRET, quote(SECRET, safe=""), SECRET[10:]) if one in out]


def test_doctor_connects_to_a_webhook_and_has_apprise_read_its_url(chats):
    """And sends nothing."""
    with web_server(Said(204)) as server:
        chats.env["NOTIFIER_CHAT_PROVIDERS"] = f"{webhook(server.port)} {apprise('json://127.0.0.1:9/')}"
        found = [
            one for one in chats.run("doctor", "--json").json()["checks"] if one["check"] == "chat provider"
        ]
        assert [one["state"] for one in found] == ["ok", "ok"]
        assert f"ops (webhook+https, 127.0.0.1:{server.port}) answers" in found[0]["detail"]
        assert server.heard == []
    with peer(closes) as gone:
        port = gone.port
    chats.env["NOTIFIER_CHAT_PROVIDERS"] = f"{webhook(port)} {apprise('nothing://x')}"
    found = [
        one
        for one in chats.run("doctor", "--json", code=1).json()["checks"]
        if one["check"] == "chat provider"
    ]
    assert [one["state"] for one in found] == ["failed", "failed"]
    assert "no connection" in found[0]["detail"]
    assert "Apprise" in found[1]["detail"]
