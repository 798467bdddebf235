"""Reading, cancelling, resolving: each tenant sees its own, page by page, and no more."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from notifier.domain.ids import parse_notification_id
from notifier.http.answer_types import ListedNotification, Notification, NotificationPage
from notifier.http.failure_answers import FailurePage
from notifier.storage.dead_letters import bury
from notifier.storage.engine import writing
from tests.acceptance.http.test_sending import body

#: An id of nothing that is kept here; one value, so that every run has the same tests.
STRANGER = "0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11"

ATTEMPT = {
    "n": 1,
    "provider": "smtp-main",
    "started_at": "2027-01-01T00:00:00.000Z",
    "duration_ms": 12,
    "outcome": "refused",
    "reason": "content_rejected",
    "possible_duplicate": False,
    "code": "550",
    "answer": "no",
    "next_attempt_at": None,
}


async def kept(door, count=1, **changes):
    """Keep some notifications and give their ids, oldest first."""
    made = [await door.post(body(**changes)) for _ in range(count)]
    return [answer.json()["id"] for answer in made]


async def test_another_tenants_notification_is_not_there(door):
    """404, never 403, on every route that takes an id; lists, searches and failures are empty."""
    (name,) = await kept(door)
    stranger = door.new_key(tenant="other", scopes=["admin"])
    held = json.dumps({"as": "sent"})
    for method, path, sent in (
        ("GET", f"/v1/notifications/{name}", None),
        ("POST", f"/v1/notifications/{name}/cancel", None),
        ("POST", f"/v1/notifications/{name}/resolve", held),
    ):
        headers = {"Content-Type": "application/json"} if sent else {}
        answer = await door.ask(method, path, key=stranger, data=sent, headers=headers)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
    assert (await door.ask("GET", "/v1/notifications", key=stranger)).json()["data"] == []
    assert (await door.ask("GET", "/v1/failures", key=stranger)).json()["data"] == []
    found = await door.post(
        json.dumps({"to": {"email": "ada@example.com"}}), path="/v1/notifications/search", key=stranger
    )
    assert found.json()["data"] == []
    assert (await door.ask("GET", f"/v1/notifications/{name}")).json()["status"] == "queued"


async def test_an_id_in_capitals_is_404(door):
    """An id has one form."""
    (name,) = await kept(door)
    upper = "ntf_" + name.removeprefix("ntf_").upper()
    assert (await door.ask("GET", f"/v1/notifications/{upper}")).status == 404


async def test_attempts_and_timeline_are_shown(door):
    """Each attempt with its outcome, and what happened when, in order."""
    (name,) = await kept(door)
    door.set_rows(
        status="failed",
        reason="content_rejected",
        last_attempt=ATTEMPT,
        attempt=1,
        finished_at=datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC),
    )
    found = msgspec.json.decode((await door.ask("GET", f"/v1/notifications/{name}")).body, type=Notification)
    assert [attempt.outcome for attempt in found.attempts] == ["refused"]
    events = [moment.event for moment in found.timeline]
    assert events == ["accepted", "attempt 1 started", "attempt 1 refused: content_rejected", "failed"]
    assert [moment.at for moment in found.timeline] == sorted(moment.at for moment in found.timeline)


async def test_a_list_is_walked_newest_first_to_its_end(door):
    """Every row once, in order, by cursor; no totals."""
    names = await kept(door, 5)
    seen, cursor = [], None
    for _ in range(3):
        path = "/v1/notifications?limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = msgspec.json.decode((await door.ask("GET", path)).body, type=NotificationPage)
        seen += [row.id for row in page.data]
        cursor = page.next_cursor
    assert (seen, cursor) == (names[::-1], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("channel=email&priority=high&status=queued", 2),
        ("channel=sms", 0),
        ("reference=order-1", 1),
        ("tag=checkout", 1),
        ("created_after=2000-01-01T00:00:00Z", 2),
        ("created_before=2000-01-01T00:00:00Z", 0),
        ("provider=smtp-main", 0),
        ("reason=uncertain", 0),
        (f"batch_id=bat_{STRANGER}", 0),
    ],
)
async def test_a_list_is_filtered(door, query, found):
    """Each filter of the interface."""
    await kept(door, reference="order-1", tags=["checkout"])
    await kept(door)
    answer = await door.ask("GET", f"/v1/notifications?{query}")
    assert (answer.status, len(answer.json()["data"])) == (200, found), answer.body


async def test_a_search_finds_a_recipient_without_an_address_in_any_url(door):
    """By e-mail address in whatever case; the pages work the same way."""
    await kept(door, 3)
    await kept(door, to={"email": "bob@example.com"})
    sent = json.dumps({"to": {"email": "ADA@Example.com"}})
    first = await door.post(sent, path="/v1/notifications/search?limit=2")
    page = msgspec.json.decode(first.body, type=NotificationPage)
    assert len(page.data) == 2
    rest = await door.post(sent, path=f"/v1/notifications/search?limit=2&cursor={page.next_cursor}")
    assert len(rest.json()["data"]) == 1
    other = json.dumps({"to": {"email": "bob@example.com"}})
    foreign = await door.post(other, path=f"/v1/notifications/search?cursor={page.next_cursor}")
    assert (foreign.status, foreign.json()["code"]) == (400, "invalid_cursor")


async def test_a_cancel_is_truthful(door):
    """200 before the claim, the same again; 409 `too_late` with the present state after it."""
    (name,) = await kept(door)
    for _ in range(2):
        answer = await door.ask("POST", f"/v1/notifications/{name}/cancel")
        found = msgspec.json.decode(answer.body, type=ListedNotification)
        assert (answer.status, found.status) == (200, "cancelled")
    door.set_rows(status="sending", finished_at=None, reason=None)
    late = await door.ask("POST", f"/v1/notifications/{name}/cancel")
    assert (late.status, late.json()["code"], late.json()["state"]) == (409, "too_late", "sending")


async def test_a_cancel_takes_no_body(door):
    """Nothing is accepted and ignored; an empty object is nothing."""
    (name,) = await kept(door)
    path = f"/v1/notifications/{name}/cancel"
    assert (await door.post(b'{"why": "x"}', path=path)).status == 400
    assert (await door.post(b"{}", path=path)).status == 200


@pytest.mark.parametrize(
    ("verdict", "status"), [("sent", "sent"), ("failed", "failed"), ("resend", "queued")]
)
async def test_a_held_notification_is_resolved(door, verdict, status):
    """A person says what became of it; once only."""
    (name,) = await kept(door)
    path = f"/v1/notifications/{name}/resolve"
    early = await door.post(json.dumps({"as": verdict}), path=path)
    assert (early.status, early.json()["code"], early.json()["state"]) == (409, "not_held", "queued")
    door.set_rows(status="held", reason="uncertain")
    answer = await door.post(json.dumps({"as": verdict}), path=path)
    assert (answer.status, answer.json()["status"]) == (200, status)
    assert (await door.post(json.dumps({"as": verdict}), path=path)).status == 409


@pytest.mark.parametrize("sent", [{}, {"as": "done"}, {"as": None}, {"as": "sent", "x": 1}])
async def test_a_wrong_verdict_is_422(door, sent):
    """One of three words."""
    (name,) = await kept(door)
    answer = await door.post(json.dumps(sent), path=f"/v1/notifications/{name}/resolve")
    assert answer.status == 422


async def test_failures_are_listed(door):
    """What finally failed, with its last attempt; filtered and paged."""
    names = await kept(door, 3)
    door.set_rows(
        status="failed",
        reason="content_rejected",
        last_attempt=ATTEMPT,
        attempt=1,
        finished_at=datetime.now(UTC),
    )
    with writing(door.engine) as connection:
        bury(connection, [parse_notification_id(name) for name in names])
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"/v1/failures?reason=content_rejected&channel=email&provider=smtp-main&since={since}&limit=2"
    page = msgspec.json.decode((await door.ask("GET", path)).body, type=FailurePage)
    assert [row.id for row in page.data] == names[:0:-1]
    rest = await door.ask("GET", f"{path}&cursor={page.next_cursor}")
    assert [row["id"] for row in rest.json()["data"]] == names[:1]
    assert (await door.ask("GET", "/v1/failures?channel=sms")).json()["data"] == []


async def test_what_is_not_built_yet_is_404(door):
    """PATCH, resend, content, batches: none pretends."""
    (name,) = await kept(door)
    own = f"/v1/notifications/{name}"
    for method, path in (
        ("PATCH", own),
        ("POST", f"{own}/resend"),
        ("DELETE", f"{own}/content"),
        ("GET", f"/v1/batches/bat_{STRANGER}"),
    ):
        assert (await door.ask(method, path)).status == 404, path
