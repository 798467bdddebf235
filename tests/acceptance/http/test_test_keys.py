"""Test keys at the door: what they may send to, and that their data and live data never meet."""

import json

import pytest

from notifier.domain.lifecycle import Mode
from tests.acceptance.http.test_failures import REPLAY, asked, failed
from tests.acceptance.http.test_sending import body

MAGIC = [
    {"channel": "email", "to": {"email": "bounce@simulator.notifier"}},
    {"channel": "sms", "to": {"phone": "+447700900001"}, "content": {"text": "x"}},
    {
        "channel": "push",
        "to": {"push_token": "simulator-bounce", "platform": "apns"},
        "content": {"text": "x"},
    },
    {
        "channel": "push",
        "to": {"push_token": "simulator-bounce", "platform": "webpush"},
        "content": {"text": "x"},
    },
]


@pytest.fixture
def test_key(door):
    return door.new_key(mode=Mode.TEST)


async def sent(door, key, **changes):
    answer = await door.post(body(**changes), key=key)
    assert answer.status == 202, answer.body
    return answer.json()["id"]


async def listed(door, key, path="/v1/notifications"):
    return [one["id"] for one in (await door.ask("GET", path, key=key)).json()["data"]]


async def refused(door, key, **changes):
    """The single field at fault and what is said of it."""
    answer = await door.post(body(**changes), key=key)
    assert answer.status == 422, answer.body
    (error,) = answer.json()["errors"]
    return error["pointer"], error["detail"]


@pytest.mark.parametrize("magic", MAGIC)
async def test_a_magic_recipient_is_taken_from_a_test_key_and_refused_to_a_live_one(door, test_key, magic):
    """Nobody is reached by mistake: the field is named, and what it is."""
    made = await sent(door, test_key, **magic)
    assert (await door.ask("GET", f"/v1/notifications/{made}", key=test_key)).json()["mode"] == "test"
    pointer, detail = await refused(door, door.key, **magic)
    assert pointer.startswith("/to/")
    assert "simulator.notifier" in detail
    assert door.rows() == 1


async def test_a_slip_in_a_magic_recipient_is_named(door, test_key):
    pointer, detail = await refused(door, test_key, to={"email": "bounces@simulator.notifier"})
    assert pointer == "/to/email"
    assert "soft-bounce@" in detail


async def test_a_batch_is_held_to_the_same(door):
    one = json.loads(body(to={"email": "bounce@simulator.notifier"}))
    answer = await door.post(json.dumps({"notifications": [one]}), path="/v1/notifications/batch")
    assert (answer.status, door.rows()) == (422, 0)


async def test_a_test_key_names_a_provider_that_is_there_or_the_simulator(door, test_key):
    """No field is accepted and ignored: a name that a live key could not use is refused here too."""
    for name in ("smtp-spare", "simulator"):
        await sent(door, test_key, provider=name)
    assert (await refused(door, test_key, provider="gone"))[0] == "/provider"
    pointer, detail = await refused(door, door.key, provider="simulator")
    assert pointer == "/provider"
    assert "smtp-main" in detail


async def test_a_dry_run_says_that_the_simulator_would_send(door, test_key):
    for key, provider in ((test_key, "simulator"), (door.key, "smtp-main")):
        answer = await door.post(body(), path="/v1/notifications?dry_run=true", key=key)
        assert answer.json()["provider"] == provider


async def test_neither_sees_what_the_other_sent(door, test_key):
    """Lists, searches, single ones and cancels; a tenant's test keys see each other's."""
    tried, real = await sent(door, test_key), await sent(door, door.key)
    assert await listed(door, test_key) == [tried]
    assert await listed(door, door.new_key(mode=Mode.TEST)) == [tried]
    assert await listed(door, door.key) == [real]
    assert await listed(door, door.new_key(mode=Mode.TEST, tenant="other")) == []
    for key, foreign in ((test_key, real), (door.key, tried)):
        assert (await door.ask("GET", f"/v1/notifications/{foreign}", key=key)).status == 404
        assert (await door.post(b"", path=f"/v1/notifications/{foreign}/cancel", key=key)).status == 404
    search = json.dumps({"to": {"email": "ada@example.com"}})
    answer = await door.post(search, path="/v1/notifications/search", key=test_key)
    assert [one["id"] for one in answer.json()["data"]] == [tried]
    assert (await door.post(b"", path=f"/v1/notifications/{tried}/cancel", key=test_key)).status == 200


async def test_a_test_key_works_on_its_own_failures_only(door):
    """A replay with it leaves what failed for real alone."""
    await failed(door, 2)
    admin = door.new_key(mode=Mode.TEST, scopes=("admin",))
    assert await listed(door, admin, "/v1/failures") == []
    operation = await asked(door, admin, path=REPLAY)
    assert operation.matched == 0
    assert len((await door.ask("GET", "/v1/failures")).json()["data"]) == 2


@pytest.mark.parametrize(
    "path", ["/v1/lanes/email/low/pause", "/v1/lanes/email/low/resume", "/v1/providers/smtp-main/disable"]
)
async def test_a_test_key_steers_nothing_that_live_ones_go_through(door, path):
    """403, whatever its scopes: pausing a lane holds up real messages."""
    admin = door.new_key(mode=Mode.TEST, scopes=("admin",))
    answer = await door.post(b"", path=path, key=admin)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert (await door.post(b"", path=path, key=door.new_key(scopes=("admin",)))).status == 200
