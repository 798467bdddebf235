"""Chat at the door: a destination by its name, and nothing of it where Settings name none."""

import dataclasses
import json
import shutil

import pytest

from notifier.domain.lanes import Channel, Lane
from notifier.domain.lifecycle import Mode
from notifier.http.openapi import document
from tests.acceptance.http.conftest import CONFIG, Door

WITH_CHAT = dataclasses.replace(CONFIG, providers={**CONFIG.providers, Channel.CHAT: ("ops", "dev")})
URL = "https://hooks.example.com/s3cret-path"


def chat(name="ops", **more):
    return {"channel": "chat", "to": {"chat": name}, "content": {"title": "Deploy", "text": "Done"}} | more


async def post(door, body, **how):
    return await door.post(json.dumps(body), **how)


def wrong(answer):
    return {one["pointer"]: (one["code"], one["detail"]) for one in answer.json()["errors"]}


class TestWithChat:
    @pytest.fixture
    def config(self):
        return WITH_CHAT

    async def test_a_destination_is_taken_by_its_name_and_asked_for_as_its_account(self, door):
        """So no other can ever stand in for it, and a dead worker's claim says whose it was."""
        answer = await post(door, chat(options={"chat": {"format": "markdown"}}))
        assert answer.status == 202
        assert (answer.json()["channel"], answer.json()["priority"]) == ("chat", "medium")
        with door.engine.connect() as connection:
            row = connection.exec_driver_sql("SELECT channel, provider, recipient FROM notifications").one()
        assert (row.channel, row.provider, json.loads(row.recipient)) == ("chat", "ops", {"chat": "ops"})

    async def test_a_name_that_settings_do_not_know_is_refused_with_those_they_do(self, door):
        for key in (door.key, door.new_key(mode=Mode.TEST)):
            answer = await post(door, chat("finance"), key=key)
            assert answer.status == 422
            assert wrong(answer) == {"/to/chat": ("not_allowed", "must be one of ops, dev")}
        assert door.rows() == 0

    async def test_no_url_is_ever_a_destination(self, door):
        answer = await post(door, chat(URL))
        assert wrong(answer)["/to/chat"][0] == "invalid_recipient"
        assert b"s3cret-path" not in answer.body

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"to": {}}, {"/to/chat": "required"}),
            ({"to": {"chat": "ops", "email": "a@example.com"}}, {"/to/email": "not_allowed"}),
            ({"to": {"chat": 5}}, {"/to/chat": "invalid_type"}),
            ({"provider": "dev"}, {"/provider": "not_allowed"}),
            ({"content": {"text": "x" * 4001}}, {"/content/text": "too_long"}),
            ({"content": {"subject": "x", "text": "y"}}, {"/content/subject": "not_allowed"}),
            ({"options": {"chat": {"format": "html"}}}, {"/options/chat/format": "not_allowed"}),
            ({"options": {"push": {}}}, {"/options/push": "not_allowed"}),
            ({"to": {"chat": "simulator-bounce"}}, {"/to/chat": "invalid_recipient"}),
        ],
    )
    async def test_every_mistake_is_named(self, door, change, expected):
        answer = await post(door, chat() | change)
        assert answer.status == 422
        assert {pointer: code for pointer, (code, _) in wrong(answer).items()} == expected
        assert door.rows() == 0

    async def test_its_own_account_may_be_named_and_a_dry_run_says_it(self, door):
        answer = await post(door, chat("dev", provider="dev"), path="/v1/notifications?dry_run=true")
        assert answer.json()["provider"] == "dev"
        test = door.new_key(mode=Mode.TEST)
        answer = await post(door, chat("simulator-bounce"), path="/v1/notifications?dry_run=true", key=test)
        assert answer.json()["provider"] == "simulator"

    async def test_its_lanes_are_there_and_may_be_paused(self, door):
        found = (await door.ask("GET", "/v1/lanes")).json()["data"]
        assert [one["lane"] for one in found] == [lane.name for lane in Lane.all((*Channel,))]
        admin = door.new_key(scopes=("read", "admin"))
        paused = await door.ask("POST", "/v1/lanes/chat/low/pause", key=admin)
        assert (paused.status, paused.json()["paused"]) == (200, True)

    async def test_what_went_there_can_be_searched_and_the_destination_suppressed(self, door):
        made = (await post(door, chat())).json()["id"]
        found = await post(door, {"to": {"chat": "ops"}}, path="/v1/notifications/search")
        assert [one["id"] for one in found.json()["data"]] == [made]
        admin = door.new_key(scopes=("send", "read", "admin"))
        body = {"channel": "chat", "to": {"chat": "ops"}}
        assert (await post(door, body, path="/v1/suppressions", key=admin)).status == 201
        assert (await post(door, {"to": {"chat": "ops"}}, path="/v1/suppressions/search")).json()["data"]

    async def test_the_document_knows_it(self, door):
        told = (await door.ask("GET", "/openapi.json")).json()
        schemas = told["components"]["schemas"]
        assert "chat" in schemas["To"]["properties"]
        assert "chat" in schemas["Options"]["properties"]
        assert "chat" in schemas["Channel"]["enum"]
        taken = told["paths"]["/v1/notifications"]["post"]["requestBody"]["content"]["application/json"]
        assert (await post(door, taken["examples"]["chat"]["value"])).status == 202


async def test_without_one_a_chat_is_refused_and_says_which_setting(door):
    """Not accepted and never sent: there is no lane for it."""
    answer = await post(door, chat())
    assert answer.status == 422
    found = wrong(answer)
    assert {pointer: code for pointer, (code, _) in found.items()} == {
        "/channel": "not_supported",
        "/to/chat": "not_supported",
    }
    assert "email, sms, push" in found["/channel"][1]
    assert "NOTIFIER_CHAT_PROVIDERS" in found["/to/chat"][1]
    assert door.rows() == 0
    for path in ("/v1/notifications/search", "/v1/suppressions"):
        admin = door.new_key(scopes=("read", "admin"))
        body = {"to": {"chat": "ops"}} | ({"channel": "chat"} if "suppress" in path else {})
        assert (await post(door, body, path=path, key=admin)).status == 422


@pytest.mark.parametrize(("chats", "status"), [((), 200), (("ops",), 403)])
async def test_a_key_for_all_other_channels_may_replay_everything_only_without_one(
    migrated_file, tmp_path, chats, status
):
    """With chats a replay of everything would send down lanes that the key does not reach."""
    shutil.copy(migrated_file, tmp_path / "notifier.db")
    config = dataclasses.replace(CONFIG, providers={**CONFIG.providers, Channel.CHAT: chats})
    door = Door(f"sqlite:///{tmp_path}/notifier.db", config, wait=20.0)
    await door.start()
    key = door.new_key(scopes=("send", "admin"), channels=["email", "sms", "push"])
    body = {"filter": {}, "dry_run": True}
    answer = await post(door, body, path="/v1/failures/replay", key=key)
    await door.close()
    assert answer.status == status


async def test_without_one_no_lane_of_it_is_there(door):
    found = (await door.ask("GET", "/v1/lanes")).json()["data"]
    assert [one["lane"] for one in found] == [lane.name for lane in Lane.all()]
    admin = door.new_key(scopes=("read", "admin"))
    assert (await door.ask("POST", "/v1/lanes/chat/low/pause", key=admin)).status == 404


async def test_without_one_the_document_says_nothing_of_it(door):
    """Neither a field nor a value nor an example."""
    told = (await door.ask("GET", "/openapi.json")).json()
    assert told == document("1.2.3")
    for where in (told["components"]["schemas"], told["components"]["parameters"], told["paths"]):
        assert '"chat"' not in json.dumps(where)
        assert "ChatOptions" not in json.dumps(where)
