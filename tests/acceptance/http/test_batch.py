"""`POST /v1/notifications/batch`: the good ones in one transaction, the bad ones answered in place."""

import json

import msgspec
import pytest

from notifier.domain.lanes import Channel
from notifier.http.answer_types import BatchAccepted, Problem
from tests.acceptance.http.test_sending import EMAIL

PATH = "/v1/notifications/batch"
SMS = {"channel": "sms", "to": {"phone": "+14155552671"}, "content": {"text": "hi"}}
BAD = EMAIL | {"channel": "fax"}


async def batch(door, items, query="", **more):
    return await door.post(json.dumps({"items": items} | more), path=PATH + query)


async def test_good_and_bad_items_are_answered_in_order(door):
    """202: each item by its index with id or error; each keeps its own lane."""
    answer = await batch(door, [EMAIL, BAD, SMS, 5, EMAIL | {"ttl": 0}])
    found = msgspec.json.decode(answer.body, type=BatchAccepted)
    assert (answer.status, found.accepted, found.rejected) == (202, 2, 3)
    assert [result.index for result in found.results] == [0, 1, 2, 3, 4]
    assert [bool(result.id) for result in found.results] == [True, False, True, False, False]
    assert found.results[1].error.errors[0].pointer == "/channel"
    shown = await door.ask("GET", f"/v1/notifications/{found.results[2].id}")
    assert (shown.json()["channel"], shown.json()["batch_id"]) == ("sms", found.batch_id)
    listed = await door.ask("GET", f"/v1/notifications?batch_id={found.batch_id}")
    assert len(listed.json()["data"]) == door.rows() == 2


async def test_lines_are_taken_as_well(door):
    """NDJSON: one item a line; a broken line is that item's error alone."""
    lines = [json.dumps(EMAIL), "{", "", json.dumps(SMS), '{"channel": "\\u0000"}']
    answer = await door.post("\n".join(lines), path=PATH, headers={"Content-Type": "application/x-ndjson"})
    found = msgspec.json.decode(answer.body, type=BatchAccepted)
    assert [bool(result.id) for result in found.results] == [True, False, True, False]
    assert [result.error.code for result in found.results if result.error] == ["invalid_json"] * 2


async def test_defaults_are_merged_under_each_item(door):
    """An item's field replaces the default's whole field."""
    defaults = {name: EMAIL[name] for name in ("channel", "content")} | {"tags": ["x"], "priority": "low"}
    items = [{"to": {"email": f"a{n}@example.com"}} for n in range(3)] + [{**SMS, "priority": "high"}]
    found = (await batch(door, items, defaults=defaults)).json()
    shown = [
        (await door.ask("GET", f"/v1/notifications/{result['id']}")).json() for result in found["results"]
    ]
    assert [(row["channel"], row["priority"], row["tags"]) for row in shown] == [
        ("email", "low", ["x"]),
        ("email", "low", ["x"]),
        ("email", "low", ["x"]),
        ("sms", "high", ["x"]),
    ]


@pytest.mark.parametrize("query", ["?atomic=true"])
async def test_an_atomic_batch_with_a_bad_item_keeps_nothing(door, query):
    """422 with every wrong field of every item."""
    answer = await batch(door, [EMAIL, BAD, EMAIL | {"ttl": 0}], query)
    problem = msgspec.json.decode(answer.body, type=Problem)
    assert (answer.status, problem.code) == (422, "invalid_request")
    assert [error.pointer for error in problem.errors] == ["/items/1/channel", "/items/2/ttl"]
    assert door.rows() == 0
    assert (await batch(door, [EMAIL, SMS], query)).status == 202


async def test_a_thousand_at_once_are_one_transaction(door):
    """The largest batch: all kept, all answered, in order."""
    items = [EMAIL | {"reference": f"r{n}"} for n in range(1000)]
    answer = await batch(door, items)
    found = msgspec.json.decode(answer.body, type=BatchAccepted)
    assert (answer.status, found.accepted, door.rows()) == (202, 1000, 1000)
    assert len({result.id for result in found.results}) == 1000
    last = await door.ask("GET", f"/v1/notifications/{found.results[999].id}")
    assert last.json()["reference"] == "r999"


async def test_a_batch_replays_byte_for_byte(door):
    """Its batch id too; another body with the key is 422."""
    headers = {"Idempotency-Key": "b"}
    sent = json.dumps({"items": [EMAIL, BAD]})
    first = await door.post(sent, path=PATH, headers=headers)
    again = await door.post(sent, path=PATH, headers=headers)
    assert (first.body, again.headers["Idempotency-Replayed"]) == (again.body, "true")
    assert door.rows() == 1
    other = await door.post(json.dumps({"items": [EMAIL]}), path=PATH, headers=headers)
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_items_that_the_key_may_not_send_are_refused_in_place(door):
    """`forbidden` as the item's error."""
    key = door.new_key(channels=[Channel.SMS])
    answer = await door.post(json.dumps({"items": [EMAIL, SMS]}), path=PATH, key=key)
    found = msgspec.json.decode(answer.body, type=BatchAccepted)
    assert [result.error.code if result.error else None for result in found.results] == ["forbidden", None]


async def test_a_name_that_stands_twice_is_refused_here_too(door):
    """In a small document as a whole, in a line by itself; also beside other mistakes."""
    twice = json.dumps(SMS)[:-1] + ', "channel": "email"}'
    whole = await door.post(f'{{"items": [{twice}]}}', path=PATH)
    assert (whole.status, whole.json()["code"]) == (400, "invalid_json")
    lines = f"{twice}\n{json.dumps(SMS)}"
    answer = await door.post(lines, path=PATH, headers={"Content-Type": "application/x-ndjson"})
    found = msgspec.json.decode(answer.body, type=BatchAccepted)
    assert [result.error.code if result.error else None for result in found.results] == ["invalid_json", None]
