"""Failures one can work with: counted, listed, replayed, put aside; nothing of another tenant's."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
import structlog
from sqlalchemy import select, update

from notifier.domain.ids import operation_id, parse_notification_id, parse_operation_id
from notifier.domain.keys import key_id_of
from notifier.http.failure_answers import FailurePage, FailureSummary, Operation, Preview
from notifier.storage import replaying
from notifier.storage.dead_letters import bury
from notifier.storage.engine import reading, writing
from notifier.storage.tables import notifications
from notifier.storage.types import db_now_plus
from tests.acceptance.http.test_reading import ATTEMPT, STRANGER, kept

REPLAY, DISCARD = "/v1/failures/replay", "/v1/failures/discard"
REFUSED = {"reason": "content_rejected"}


@pytest.fixture
def admin(door):
    return door.new_key(scopes=("admin",))


async def failed(door, number, reason="content_rejected", provider="smtp-main", **changes):
    """Some that have finally failed, oldest first."""
    names = await kept(door, number, **changes)
    ids = [parse_notification_id(name) for name in names]
    with writing(door.engine) as connection:
        connection.execute(
            update(notifications)
            .where(notifications.c.id.in_(ids))
            .values(
                status="failed",
                reason=reason,
                attempt=1,
                last_attempt=ATTEMPT | {"provider": provider, "reason": reason},
                finished_at=datetime.now(UTC),
            )
        )
        bury(connection, ids)
    return names


async def asked(door, key, path=REPLAY, status=202, kind=Operation, **body):
    answer = await door.post(json.dumps({"filter": REFUSED, **body}), path=path, key=key)
    assert answer.status == status, answer.body
    return msgspec.json.decode(answer.body, type=kind)


async def shown(door, operation, key=None):
    answer = await door.ask("GET", f"/v1/operations/{operation.operation_id}", key=key)
    assert answer.status == 200
    return msgspec.json.decode(answer.body, type=Operation)


async def listed(door, query=""):
    answer = await door.ask("GET", f"/v1/failures{query}")
    return msgspec.json.decode(answer.body, type=FailurePage).data


def carry_on(door, steps=1000):
    """What a relay would release."""
    for _ in range(steps):
        with reading(door.engine) as connection:
            _, found = replaying.running(connection, 10)
        if not found:
            return
        with writing(door.engine) as connection:
            replaying.release(connection, found[0], parse_operation_id(operation_id(found[0].id)), 100)


async def test_a_replay_takes_what_matches_and_the_same_again_takes_nothing(door, admin):
    """A dry run says how many and changes nothing; the operation shows how far it has come, and who asked."""
    await failed(door, 4, reason="provider_rejected")
    names = await failed(door, 3)
    told = await asked(door, admin, status=200, kind=Preview, dry_run=True)
    assert (told.matched, told.dropped, told.forgotten, told.more) == (3, 0, 0, False)
    with structlog.testing.capture_logs() as logs:
        made = await asked(door, admin, rate=5, limit=100)
    assert (made.state, made.matched, made.left, made.rate, made.limit) == ("running", 3, 3, 5.0, 100)
    assert made.by == key_id_of(admin)
    assert msgspec.to_builtins(made.filter) == REFUSED
    assert [
        (one["kind"], one["by"], one["matched"]) for one in logs if one["event"] == "operation_begun"
    ] == [("replay", key_id_of(admin), 3)]
    again = await asked(door, admin)
    assert (again.state, again.matched, again.left) == ("done", 0, 0)

    carry_on(door, 2)
    assert (await shown(door, made)).left == 1
    carry_on(door)
    done = await shown(door, made)
    assert (done.state, done.replayed, done.left) == ("done", 3, 0)
    assert door.rows() == 10
    replayed = await listed(door, "?state=replayed")
    assert [one.id for one in replayed] == names[::-1]
    assert {one.operation_id for one in replayed} == {made.operation_id}
    new = (await door.ask("GET", f"/v1/notifications/{replayed[0].replayed_as}")).json()
    assert (new["status"], new["resent_from"]) == ("queued", replayed[0].id)
    assert len(await listed(door)) == 4, "without a state: what is open"
    assert len(await listed(door, "?state=all")) == 7


async def test_where_an_operation_is_read_is_told(door, admin):
    answer = await door.post(json.dumps({"filter": {}}), path=REPLAY, key=admin)
    assert answer.headers["Location"] == f"/v1/operations/{answer.json()['operation_id']}"


async def test_what_can_no_longer_be_sent_is_said_beforehand_and_afterwards(door, admin):
    """Expired ones are dropped unless they get a new ttl; forgotten content can't be replayed."""
    old, bare, _ = await failed(door, 3)
    with writing(door.engine) as connection:
        for name, change in ((old, {"expires_at": db_now_plus(-1)}), (bare, {"content": None})):
            connection.execute(
                update(notifications).where(notifications.c.id == parse_notification_id(name)).values(change)
            )
    told = await asked(door, admin, status=200, kind=Preview, dry_run=True)
    assert (told.matched, told.dropped, told.forgotten) == (3, 1, 1)
    assert (await asked(door, admin, status=200, kind=Preview, dry_run=True, ttl=60)).dropped == 0
    made = await asked(door, admin)
    carry_on(door)
    done = await shown(door, made)
    assert (done.replayed, done.dropped, done.forgotten, done.left) == (1, 1, 1, 0)
    assert [one.id for one in await listed(door, "?state=dropped")] == [old]


async def test_the_same_key_gets_the_same_operation(door, admin):
    """Once it was taken, whoever did not hear of it can ask again; another body is refused."""
    await failed(door, 2)
    sent, key = json.dumps({"filter": REFUSED}), {"Idempotency-Key": "once"}
    first = await door.post(sent, path=REPLAY, key=admin, headers=key)
    carry_on(door, 1)
    again = await door.post(sent, path=REPLAY, key=admin, headers=key)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json()["operation_id"] == first.json()["operation_id"]
    assert (first.json()["left"], again.json()["left"]) == (2, 1)
    other = await door.post(json.dumps({"filter": {}}), path=REPLAY, key=admin, headers=key)
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")
    aside = await door.post(sent, path=DISCARD, key=admin, headers=key)
    assert (aside.status, aside.json()["matched"]) == (200, 0), "another route, another key"


async def test_without_storage_nobody_says_that_nothing_was_taken(door, admin):
    await door.ask("GET", "/v1/failures", key=admin)
    door.lose_storage()
    answer = await door.post(json.dumps({"filter": {}}), path=REPLAY, key=admin)
    assert answer.status == 503
    door.find_storage()
    assert (await door.post(json.dumps({"filter": {}}), path=REPLAY, key=admin)).status == 202


async def test_a_priority_of_ones_own(door, admin):
    await failed(door, 1)
    await asked(door, admin, priority="low")
    carry_on(door)
    with reading(door.engine) as connection:
        found = connection.execute(select(notifications.c.priority, notifications.c.resent_from)).all()
    assert [priority for priority, origin in found if origin] == ["low"]


async def test_a_discard_puts_failures_aside(door, admin):
    """The dry run first; afterwards no list shows them unless asked, and no replay takes them."""
    names = await failed(door, 2)
    told = await asked(door, admin, path=DISCARD, status=200, kind=Preview, dry_run=True)
    assert told.matched == 2
    done = await asked(door, admin, path=DISCARD, status=200)
    assert (done.kind, done.state, done.matched, done.discarded, done.left) == ("discard", "done", 2, 2, 0)
    assert await listed(door) == []
    assert [one.id for one in await listed(door, "?state=discarded")] == names[::-1]
    assert (await asked(door, admin)).matched == 0
    assert (await door.ask("GET", f"/v1/notifications/{names[0]}")).json()["status"] == "failed"


async def test_a_replay_is_stopped_and_the_rest_is_open_again(door, admin):
    await failed(door, 3)
    made = await asked(door, admin)
    carry_on(door, 1)
    for _ in range(2):
        answer = await door.ask("POST", f"/v1/operations/{made.operation_id}/cancel", key=admin)
        stopped = msgspec.json.decode(answer.body, type=Operation)
        assert (stopped.state, stopped.replayed, stopped.left) == ("cancelled", 1, 0)
    carry_on(door)
    assert len(await listed(door)) == 2
    assert (await asked(door, admin)).matched == 2


async def test_failures_are_counted_by_what_is_asked(door):
    await failed(door, 2)
    await failed(door, 1, reason="throttled", provider="smtp-spare")
    answer = await door.ask("GET", "/v1/failures/summary")
    found = msgspec.json.decode(answer.body, type=FailureSummary)
    assert found.group_by == ["reason", "provider"]
    assert [(one.by, one.count) for one in found.data] == [
        ({"reason": "content_rejected", "provider": "smtp-main"}, 2),
        ({"reason": "throttled", "provider": "smtp-spare"}, 1),
    ]
    answer = await door.ask("GET", "/v1/failures/summary?group_by=channel,state&reason=throttled")
    assert answer.json()["data"][0]["by"] == {"channel": "email", "state": "open"}


async def test_a_failure_tells_lane_provider_answer_and_age(door):
    await failed(door, 1)
    (found,) = await listed(door, "?priority=high&status=failed")
    assert (found.channel, found.priority, found.provider) == ("email", "high", "smtp-main")
    assert (found.last_attempt.answer, found.attempts) == ("no", 1)
    assert 0 <= found.age_seconds < 600


@pytest.mark.parametrize("path", [REPLAY, DISCARD])
@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/filter"]),
        ({"filter": {"colour": "red"}}, ["/filter/colour"]),
        ({"filter": {"reason": "bad mood", "chanel": "email"}}, ["/filter/chanel", "/filter/reason"]),
        ({"filter": {"status": "sent"}}, ["/filter/status"]),
        ({"filter": {"since": "yesterday"}}, ["/filter/since"]),
        (
            {"filter": {"since": "2027-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}},
            ["/filter/until"],
        ),
        ({"filter": {"provider": ""}}, ["/filter/provider"]),
        ({"filter": {}, "limit": 0}, ["/limit"]),
        ({"filter": {}, "limit": 10_001}, ["/limit"]),
        ({"filter": {}, "limit": 1.0, "dry_run": "yes"}, ["/dry_run", "/limit"]),
        ({"filter": [], "everything": True}, ["/everything", "/filter"]),
    ],
)
async def test_a_wrong_filter_is_422_and_takes_nothing(door, admin, path, body, pointers):
    """Every wrong field is named."""
    await failed(door, 1)
    answer = await door.post(json.dumps(body), path=path, key=admin)
    assert answer.status == 422
    assert sorted(one["pointer"] for one in answer.json()["errors"]) == pointers
    assert len(await listed(door)) == 1


async def test_an_unknown_field_of_a_filter_is_told_what_is_allowed(door, admin):
    answer = await door.post(json.dumps({"filter": {"colour": "red", "chanel": "x"}}), path=REPLAY, key=admin)
    details = {one["pointer"]: one["detail"] for one in answer.json()["errors"]}
    assert details["/filter/colour"] == (
        "is not a field here; the fields are: channel, priority, provider, reason, since, status, until"
    )
    assert details["/filter/chanel"].endswith("did you mean channel?")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate", 0),
        ("rate", 1001),
        ("rate", "5"),
        ("rate", True),
        ("ttl", 0),
        ("ttl", 1.5),
        ("priority", "urgent"),
    ],
)
async def test_a_wrong_way_to_replay_is_422(door, admin, field, value):
    """A discard knows none of these at all."""
    answer = await door.post(json.dumps({"filter": {}, field: value}), path=REPLAY, key=admin)
    assert [one["pointer"] for one in answer.json()["errors"]] == [f"/{field}"]
    answer = await door.post(json.dumps({"filter": {}, field: value}), path=DISCARD, key=admin)
    assert (answer.status, answer.json()["errors"][0]["code"]) == (422, "unknown_field")


@pytest.mark.parametrize(
    "query",
    ["colour=red", "state=lost", "status=sent", "group_by=colour", "group_by=", "limit=3", "since=now"],
)
async def test_a_wrong_query_is_422(door, query):
    assert (await door.ask("GET", f"/v1/failures/summary?{query}")).status == 422


async def test_another_tenants_failures_and_operations_are_not_there(door, admin):
    """404, never 403; nothing of theirs is counted, taken or put aside."""
    await failed(door, 2)
    stranger = door.new_key(tenant="other", scopes=["admin"])
    for path, status in ((REPLAY, 202), (DISCARD, 200)):
        assert (await asked(door, stranger, path=path, status=status, filter={})).matched == 0
    assert (await door.ask("GET", "/v1/failures/summary", key=stranger)).json()["data"] == []
    made = await asked(door, admin)
    for method, path in (("GET", ""), ("POST", "/cancel")):
        answer = await door.ask(method, f"/v1/operations/{made.operation_id}{path}", key=stranger)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
    assert (await shown(door, made)).left == 2


@pytest.mark.parametrize(
    "name", [f"opn_{STRANGER}", f"ntf_{STRANGER}", f"opn_{STRANGER.upper()}", "opn_", "x"]
)
async def test_an_operation_that_is_not_there_is_404(door, admin, name):
    assert (await door.ask("GET", f"/v1/operations/{name}")).status == 404
    assert (await door.ask("POST", f"/v1/operations/{name}/cancel", key=admin)).status == 404


async def test_reading_needs_a_reader_and_acting_an_admin(door, admin):
    """And a replay down a lane needs a key that reaches it."""
    await failed(door, 1)
    body = json.dumps({"filter": {}})
    for path in (REPLAY, DISCARD):
        assert (await door.post(body, path=path)).status == 403
    made = await asked(door, admin, filter={}, dry_run=False)
    assert (await door.ask("POST", f"/v1/operations/{made.operation_id}/cancel")).status == 403
    sender = door.new_key(scopes=("send",))
    for path in ("/v1/failures/summary", f"/v1/operations/{made.operation_id}"):
        assert (await door.ask("GET", path, key=sender)).status == 403
        assert (await door.ask("GET", path)).status == 200
    narrow = door.new_key(scopes=("admin",), channels=["sms"], highest_priority="low")
    for asks, status in (
        ({}, 403),
        ({"filter": {"channel": "sms"}}, 403),
        ({"filter": {"channel": "email"}, "priority": "low"}, 403),
        ({"filter": {"channel": "sms"}, "priority": "low"}, 202),
        ({"filter": {"channel": "sms", "priority": "low"}}, 202),
    ):
        answer = await door.post(json.dumps({"filter": {}, **asks}), path=REPLAY, key=narrow)
        assert answer.status == status, asks
