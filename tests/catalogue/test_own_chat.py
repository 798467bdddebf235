"""Cases of our own for chats: at a door that has some, nothing but one of their names is taken."""

import dataclasses

import pytest

from notifier.domain.lanes import Channel
from tests.catalogue.conftest import PATIENT
from tests.catalogue.kit import CANARY, SEARCH, SEND, Case, check, email, parts, post, request, table, talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: What leads to a chat, and must never be what a request says.
URL = f"https://hooks.example.com/{CANARY}"


@pytest.fixture(scope="module")
def config():
    """A door with two chats."""
    return dataclasses.replace(PATIENT, providers={**PATIENT.providers, Channel.CHAT: ("ops", "dev")})


def chat(**changes):
    made = {"channel": "chat", "to": {"chat": "ops"}, "content": {"title": "Deploy", "text": CANARY}}
    return {name: value for name, value in (made | changes).items() if value is not ...}


def wrong(name, body, errors, path=SEND):
    return Case(name, post(body, path), wrong=errors)


def no_name(name, text):
    return wrong(name, chat(to={"chat": text}), {"/to/chat": "invalid_recipient"})


OWN = [
    Case("OWN-246 a chat", post(chat()), status=202),
    Case("OWN-247 a chat by Markdown", post(chat(options={"chat": {"format": "markdown"}})), status=202),
    Case("OWN-248 a chat without a title", post(chat(content={"text": CANARY})), status=202),
    wrong("OWN-249 a chat that nobody named", chat(to={"chat": "finance"}), {"/to/chat": "not_allowed"}),
    wrong("OWN-250 a chat in capitals", chat(to={"chat": "OPS"}), {"/to/chat": "invalid_recipient"}),
    no_name("OWN-251 a URL for a chat", URL),
    no_name("OWN-252 Apprise's URL for a chat", f"slack://{CANARY}/{CANARY}/{CANARY}"),
    no_name("OWN-253 an empty name", ""),
    no_name("OWN-254 a name with a blank", "ops "),
    no_name("OWN-255 a name with a line's end", "ops\n"),
    no_name("OWN-256 two names", "ops,dev"),
    no_name("OWN-257 a name of 64 characters", "o" * 64),
    no_name("OWN-258 a name of 100,000 characters", "o" * 100_000),
    no_name("OWN-259 a name with a path in it", "../ops"),
    no_name("OWN-260 a name that only looks alike", "\u043eps"),
    wrong("OWN-261 a number for a chat", chat(to={"chat": 1}), {"/to/chat": "invalid_type"}),
    wrong("OWN-262 several chats", chat(to={"chat": ["ops", "dev"]}), {"/to/chat": "invalid_type"}),
    wrong("OWN-263 no chat", chat(to={}), {"/to/chat": "required"}),
    wrong("OWN-264 a null chat", chat(to={"chat": None}), {"/to/chat": "required"}),
    wrong("OWN-265 a chat and a phone", chat(to={"chat": "ops", "phone": "+14155552671"}), {"/to/phone": "not_allowed"}),
    wrong("OWN-266 an e-mail to a chat", email(to={"chat": "ops"}), {"/to/chat": "not_allowed", "/to/email": "required"}),
    wrong("OWN-267 the simulator's chat", chat(to={"chat": "simulator-bounce"}), {"/to/chat": "invalid_recipient"}),
    wrong("OWN-268 another chat's account", chat(provider="dev"), {"/provider": "not_allowed"}),
    wrong("OWN-269 an account by its URL", chat(provider=URL), {"/provider": "not_allowed"}),
    wrong("OWN-270 4,001 characters", chat(content={"text": "x" * 4001}), {"/content/text": "too_long"}),
    wrong("OWN-271 a title of two lines", chat(content={"title": "a\nb", "text": "x"}), {"/content/title": "control_characters"}),
    wrong("OWN-272 a title of 256 characters", chat(content={"title": "a" * 256, "text": "x"}), {"/content/title": "too_long"}),
    wrong("OWN-273 a subject in a chat", chat(content={"subject": "a", "text": "x"}), {"/content/subject": "not_allowed"}),
    wrong("OWN-274 HTML in a chat", chat(content={"html": "<b>x</b>"}), {"/content/html": "not_allowed", "/content/text": "required"}),
    wrong("OWN-275 a text of blanks", chat(content={"text": "\u200b \n"}), {"/content/text": "blank"}),
    wrong("OWN-276 another form of text", chat(options={"chat": {"format": "html"}}), {"/options/chat/format": "not_allowed"}),
    wrong("OWN-277 a form that is no text", chat(options={"chat": {"format": 1}}), {"/options/chat/format": "invalid_type"}),
    wrong("OWN-278 an option that none knows", chat(options={"chat": {"url": URL}}), {"/options/chat/url": "unknown_field"}),
    wrong("OWN-279 another channel's options", chat(options={"sms": {"sender_id": "Acme"}}), {"/options/sms": "not_allowed"}),
    wrong("OWN-280 a search for a URL", {"to": {"chat": URL}}, {"/to/chat": "invalid_recipient"}, SEARCH),
    Case("OWN-281 a search for a chat that is gone", post({"to": {"chat": "finance"}}, SEARCH), status=200),
    Case("OWN-282 a file in a chat", post(chat(content={"text": "x", "attachments": [{"filename": "a.txt", "content_type": "text/plain", "data": "eA=="}]})), wrong={"/content/attachments": "not_allowed"}),
]  # fmt: skip


@pytest.mark.parametrize(**table(OWN))
async def test_a_chat_is_a_name(door, case):
    """422 with the field's pointer; what was sent for a name is not repeated."""
    await check(door, case)


async def test_a_name_that_is_none_is_answered_with_those_that_are(door):
    """OWN-283: they are no secrets, and whoever writes `opps` should not have to ask."""
    answer = parts(await talk(door.port, post(chat(to={"chat": "opps"}))))
    assert answer.json()["errors"][0]["detail"] == "must be one of ops, dev"


async def test_its_lane_pauses_and_goes_on(door):
    """OWN-284: as every other, at a door that has it."""
    for what in ("pause", "resume"):
        answer = parts(await talk(door.port, request("POST", f"/v1/lanes/chat/low/{what}")))
        assert (answer.status, answer.json()["paused"]) == (200, what == "pause")
