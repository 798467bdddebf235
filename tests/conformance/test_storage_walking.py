"""Lists: stable pages newest first, every filter, one tenant only, and no walk without an end."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.recipients import EmailAddress
from notifier.storage import changes, dead_letters, notifications
from notifier.storage.dead_letters import FailureFilter
from notifier.storage.notifications import Filter, search_hash
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    EMAIL_LOW,
    SMS_HIGH,
    TENANT,
    change,
    claim_one,
    ending,
    keep,
    keep_one,
    new,
    store,
)


def walk(engine, limit=50, before=None, tenant=TENANT, **wanted):
    return notifications.walk(engine, tenant, Filter(**wanted), limit, before)


def ids(page):
    return [one.id for one in page.rows]


def everything(engine, limit, **wanted):
    found, before = [], None
    for _ in range(100):
        page = walk(engine, limit, before, **wanted)
        found += ids(page)
        before = page.next
        if before is None:
            return found
    raise AssertionError("the walk never ends")


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 50])
def test_pages_are_newest_first_with_nothing_twice_and_nothing_missed(engine, limit):
    made = sorted((keep_one(engine) for _ in range(20)), reverse=True)
    assert everything(engine, limit) == made


def test_what_comes_in_meanwhile_changes_no_later_page(engine):
    made = sorted((keep_one(engine) for _ in range(6)), reverse=True)
    first = walk(engine, 3)
    newer = keep_one(engine)
    rest = walk(engine, 10, first.next)
    assert ids(first) + ids(rest) == made
    assert newer not in ids(rest)


def test_a_page_holds_one_tenants_only(engine):
    mine, theirs = keep_one(engine), keep_one(engine, tenant="other")
    assert ids(walk(engine)) == [mine]
    assert ids(walk(engine, tenant="other")) == [theirs]
    assert walk(engine, tenant="nobody").rows == []
    assert notifications.get(engine, "other", mine) is None
    assert notifications.get(engine, TENANT, uuid4()) is None


def test_each_filter_finds_its_own(engine):
    batch = uuid4()
    odd = keep_one(
        engine, SMS_HIGH, reference="order-1", tags=("a", "b ' \" c"), batch_id=batch, provider="p"
    )
    low = keep_one(engine, EMAIL_LOW, reference="order-2", tags=("ab",))
    failed = keep_one(engine)
    store(engine, [ending(claim_one(engine, failed), Status.FAILED, reason="content_rejected")])
    for wanted, expected in (
        ({"channel": Channel.SMS}, [odd]),
        ({"priority": Priority.LOW}, [low]),
        ({"reference": "order-1"}, [odd]),
        ({"tag": "b ' \" c"}, [odd]),
        ({"tag": "a"}, [odd]),
        ({"tag": "none"}, []),
        ({"batch_id": batch}, [odd]),
        ({"status": Status.FAILED}, [failed]),
        ({"reason": Reason.CONTENT_REJECTED}, [failed]),
        ({"provider": "console"}, [failed]),
        ({"provider": "nobody"}, []),
        ({"channel": Channel.EMAIL, "status": Status.QUEUED}, [low]),
    ):
        assert ids(walk(engine, **wanted)) == expected, wanted


def test_a_recipients_notifications_are_found_by_the_hash_of_tenant_and_address(engine):
    made = keep_one(engine, recipient=EmailAddress("Bob@example.com"))
    keep_one(engine)
    assert ids(walk(engine, recipient_hash=search_hash(TENANT, "bob@example.com"))) == [made]
    assert ids(walk(engine, recipient_hash=search_hash("other", "bob@example.com"))) == []
    assert "bob" not in search_hash(TENANT, "bob@example.com")


def test_a_span_of_time_holds_its_beginning_and_not_its_end(engine):
    made = keep(engine, [new(EMAIL_HIGH)])[0]
    at, step = made.created_at, timedelta(milliseconds=1)
    assert ids(walk(engine, created_after=at)) == [made.id]
    assert ids(walk(engine, created_after=at + step)) == []
    assert ids(walk(engine, created_before=at)) == []
    assert ids(walk(engine, created_before=at + step)) == [made.id]


def test_a_page_that_examined_enough_ends_early_and_says_where_to_go_on(engine, monkeypatch):
    monkeypatch.setattr(notifications, "EXAMINED", 5)
    rare = keep_one(engine, SMS_HIGH)
    for _ in range(12):
        keep_one(engine)
    first = walk(engine, 10, channel=Channel.SMS)
    assert first.rows == []
    assert first.next is not None
    assert everything(engine, 10, channel=Channel.SMS) == [rare]


def test_a_full_page_without_a_filter_is_not_cut_by_what_was_examined(engine, monkeypatch):
    monkeypatch.setattr(notifications, "EXAMINED", 5)
    made = sorted((keep_one(engine) for _ in range(12)), reverse=True)
    assert ids(walk(engine, 10)) == made[:10]
    assert everything(engine, 10) == made


def test_failures_are_walked_the_same_way(engine):
    made = []
    for reason in ("content_rejected", "invalid_recipient", "content_rejected"):
        made.append(keep_one(engine))
        store(engine, [ending(claim_one(engine, made[-1]), Status.FAILED, reason=reason)])
    made.sort(reverse=True)
    first = dead_letters.walk(engine, TENANT, FailureFilter(), 2, None)
    rest = dead_letters.walk(engine, TENANT, FailureFilter(), 2, first.next)
    found = [one.notification_id for one in first.rows + rest.rows]
    assert found == made
    assert rest.next is None
    since = first.rows[0].finished_at
    late = dead_letters.walk(engine, TENANT, FailureFilter(since=since), 9, None)
    assert all(one.finished_at >= since for one in late.rows)
    assert dead_letters.walk(engine, "other", FailureFilter(), 9, None).rows == []
    rejected = dead_letters.walk(engine, TENANT, FailureFilter(reason=Reason.INVALID_RECIPIENT), 9, None)
    assert len(rejected.rows) == 1


def test_every_state_and_reason_can_be_read(engine):
    made = keep_one(engine)
    for status in Status:
        for reason in (None, *Reason):
            change(engine, made, status=status, reason=reason)
            found = notifications.get(engine, TENANT, made)
            assert found is not None
            assert (found.status, found.reason) == (status, reason)


def test_no_list_nor_lookup_reads_what_was_written_to_the_recipient(engine):
    """A page of 250 e-mails with files would be gigabytes."""
    made = keep_one(engine)
    sent = []

    def note(connection, cursor, statement, parameters, context, executemany):
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert ids(walk(engine)) == [made]
        assert notifications.get(engine, TENANT, made) is not None
        assert changes.cancel(engine, TENANT, made).id == made
    finally:
        event.remove(engine, "before_cursor_execute", note)
    read = [statement for statement in sent if "notifications.recipient" in statement]
    assert len(read) == 3
    assert not [statement for statement in read if "notifications.content" in statement]
