"""`?strict=true`: a caller that would rather know at once that nothing will be sent."""

import json

import pytest

from notifier.domain.ids import parse_notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.recipients import EmailAddress, address_key
from notifier.storage import suppression_list
from notifier.storage.notifications import search_hash
from notifier.storage.suppression_list import Whom

SEND, STRICT = "/v1/notifications", "/v1/notifications?strict=true"
BODY = {"channel": "email", "to": {"email": "Ada@example.com"}, "content": {"subject": "s", "text": "t"}}


def suppress(door, topic=None, tenant="acme", address="ada@example.com"):
    digest = search_hash(tenant, address_key(EmailAddress.parse(address)))
    suppression_list.add(door.engine, Whom(tenant, Channel.EMAIL, digest), Reason.RECIPIENT_OPTED_OUT, topic)


async def send(door, path=STRICT, key=None, name=None, **more):
    headers = {} if name is None else {"Idempotency-Key": name}
    return await door.post(json.dumps({**BODY, **more}), path=path, key=key, headers=headers)


async def kept(door):
    return len((await door.ask("GET", SEND)).json()["data"])


async def test_a_suppressed_recipient_is_refused_and_nothing_is_kept(door):
    """422 that names the field and the reason and never the address; without `strict` it is kept as ever."""
    assert (await send(door)).status == 202
    suppress(door)
    answer = await send(door)
    assert (answer.status, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"] == [
        {
            "pointer": "/to",
            "code": "suppressed",
            "detail": "nothing is sent to this recipient: recipient_opted_out",
        }
    ]
    assert b"ada@" not in answer.body.lower()
    assert (await send(door, f"{STRICT}&dry_run=true")).status == 422
    assert await kept(door) == 1
    for path in (SEND, f"{SEND}?strict=false"):
        assert (await send(door, path)).status == 202


@pytest.mark.parametrize(("topic", "status"), [("news", 422), ("billing", 202), (None, 202)])
async def test_who_left_a_topic_is_refused_for_that_topic_only(door, topic, status):
    suppress(door, "news")
    assert (await send(door, topic=topic) if topic else await send(door)).status == status


async def test_what_others_suppressed_is_nothing_to_this_tenant(door):
    suppress(door, tenant="other")
    assert (await send(door)).status == 202
    assert (await send(door, key=door.new_key(tenant="other"))).status == 422


async def test_a_refusal_uses_up_no_key_and_a_first_answer_is_owed(door):
    """What was accepted before the suppression gets the same 202 again (promise 4)."""
    first = await send(door, name="order-1")
    suppress(door)
    again = await send(door, name="order-1")
    assert (again.status, again.body) == (202, first.body)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await send(door, name="order-2")).status == 422
    (row,), _ = suppression_list.of_recipient(door.engine, Whom("acme", Channel.EMAIL, digest_of_ada()))
    suppression_list.remove(door.engine, "acme", row.id)
    later = await send(door, name="order-2")
    assert (later.status, parse_notification_id(later.json()["id"]) is None) == (202, False)


def digest_of_ada():
    return search_hash("acme", address_key(EmailAddress.parse("ada@example.com")))


async def test_if_nobody_can_know_nothing_is_accepted(door):
    """Fail closed: 503, never a send to somebody who has left."""
    door.lose_storage()
    assert (await send(door)).status == 503
