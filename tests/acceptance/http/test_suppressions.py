"""Suppressions by hand: made, found, shown, taken away; no address in any answer or log, nothing of others."""

import json

import pytest
import structlog

from notifier.domain.ids import parse_notification_id, suppression_id
from notifier.domain.keys import key_id_of
from notifier.storage import suppressions as rules

PATH, SEARCH = "/v1/suppressions", "/v1/suppressions/search"
ADA = {"email": "ada@example.com"}
NOBODY = "/v1/suppressions/sup_6f1de7a2-41f7-4a35-9c09-0f0a51f3c2d8"


@pytest.fixture
def admin(door):
    return door.new_key(scopes=("admin",))


async def suppress(door, key, status=201, **given):
    body = {"channel": "email", "to": ADA, **given}
    answer = await door.post(json.dumps(body), path=PATH, key=key)
    assert answer.status == status, answer.body
    return answer.json()


async def found(door, to=ADA, key=None):
    answer = await door.post(json.dumps({"to": to}), path=SEARCH, key=key)
    assert answer.status == 200, answer.body
    assert answer.json()["more"] is False
    return answer.json()["data"]


async def test_a_recipient_is_suppressed_found_shown_and_let_go(door, admin):
    """One way there and back; the log names who did it and never whom it was about."""
    with structlog.testing.capture_logs() as logs:
        made = await suppress(door, admin)
        assert (made["reason"], made["source"], made["topic"]) == ("recipient_opted_out", "operator", None)
        assert await found(door, {"email": "ADA@example.com"}) == [made], "one mailbox however it is written"
        path = f"{PATH}/{made['id']}"
        assert (await door.ask("GET", path)).json() == made
        gone = await door.ask("DELETE", path, key=admin)
        assert (gone.status, gone.json()) == (200, made)
    assert await found(door) == []
    for method in ("GET", "DELETE"):
        assert (await door.ask(method, path, key=admin)).status == 404
    told = [(one["event"], one["suppression"], one["by"]) for one in logs if "suppression" in one]
    by = key_id_of(admin)
    assert told == [("suppression_added", made["id"], by), ("suppression_removed", made["id"], by)]
    assert "ada@" not in str(logs).lower()


async def test_the_second_time_gives_what_stands(door, admin):
    """200, the same id, and the reason that was said first."""
    first = await suppress(door, admin, reason="invalid_recipient")
    assert await suppress(door, admin, status=200, reason="unreachable_recipient") == first


async def test_topics_stand_beside_each_other_and_the_one_for_everything_is_first(door, admin):
    for topic in ("news", None, "billing"):
        await suppress(door, admin, topic=topic)
    assert [one["topic"] for one in await found(door)] == [None, "billing", "news"]


async def test_an_id_tells_nothing_of_the_recipient(door, admin):
    """Taken away and made again it is another one: it can't be worked out from an address."""
    first = await suppress(door, admin)
    await door.ask("DELETE", f"{PATH}/{first['id']}", key=admin)
    assert (await suppress(door, admin))["id"] != first["id"]


async def test_what_a_reader_said_is_found_and_names_its_email(door, admin):
    body = {"channel": "email", "to": ADA, "topic": "news", "content": {"subject": "s", "text": "t"}}
    sent = (await door.post(json.dumps(body))).json()["id"]
    assert rules.leave_topic(door.engine, parse_notification_id(sent))
    (one,) = await found(door)
    assert (one["source"], one["topic"], one["notification_id"]) == ("recipient", "news", sent)
    assert await found(door) == [one], "an id stays once it was given"


async def test_another_tenants_are_not_there(door, admin):
    made = await suppress(door, admin)
    stranger = door.new_key(tenant="other", scopes=("admin",))
    assert await found(door, key=stranger) == []
    for method in ("GET", "DELETE"):
        assert (await door.ask(method, f"{PATH}/{made['id']}", key=stranger)).status == 404
    assert await found(door) == [made]


@pytest.mark.parametrize("scopes", [("read",), ("send",), ("send", "read")])
async def test_only_an_admin_may_change_them(door, admin, scopes):
    """Reading needs `read`; a refused request changes nothing."""
    made = await suppress(door, admin)
    key = door.new_key(scopes=scopes)
    await suppress(door, key, status=403, topic="news")
    assert (await door.ask("DELETE", f"{PATH}/{made['id']}", key=key)).status == 403
    assert (await door.ask("GET", f"{PATH}/{made['id']}", key=key)).status == (
        200 if "read" in scopes else 403
    )
    assert await found(door) == [made]


async def test_a_key_for_one_channel_changes_no_others(door, admin):
    made = await suppress(door, admin)
    key = door.new_key(scopes=("admin",), channels=("sms",))
    await suppress(door, key, status=403, topic="news")
    assert (await door.ask("DELETE", f"{PATH}/{made['id']}", key=key)).status == 403
    await suppress(door, key, channel="sms", to={"phone": "+14155552671"})
    assert await found(door) == [made]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"to": {"phone": "+14155552671"}}, "/to/phone"),
        ({"to": {"email": "nobody"}}, "/to/email"),
        ({"channel": "fax"}, "/channel"),
        ({"reason": "throttled"}, "/reason"),
        ({"topic": ""}, "/topic"),
        ({"topic": "a\nb"}, "/topic"),
        ({"topic": "x" * 101}, "/topic"),
        ({"address": "ada@example.com"}, "/address"),
    ],
)
async def test_a_wrong_field_is_named(door, admin, wrong, pointer):
    problem = await suppress(door, admin, status=422, **wrong)
    assert pointer in {one["pointer"] for one in problem["errors"]}
    assert await found(door) == []


@pytest.mark.parametrize("path", [NOBODY, NOBODY.upper().replace("/V1/SUPPRESSIONS/SUP_", "/v1/suppressions/sup_"),
                                  "/v1/suppressions/sup_x", "/v1/suppressions/ada@example.com"])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_is_no_id_is_not_found(door, admin, method, path):
    answer = await door.ask(method, path, key=admin)
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


async def test_without_storage_nothing_is_said_to_be_done(door, admin):
    made = await suppress(door, admin)
    door.lose_storage()
    assert (await door.ask("DELETE", f"{PATH}/{made['id']}", key=admin)).status == 503
    door.find_storage()
    assert await found(door) == [made]


def test_the_public_form_is_read_back():
    from uuid import uuid4

    from notifier.domain.ids import parse_suppression_id

    value = uuid4()
    assert parse_suppression_id(suppression_id(value)) == value
    assert parse_suppression_id(f"ntf_{value}") is None
