"""A recipient that can't be reached is not tried again: the answer that said so suppresses, the claim looks."""

from uuid import uuid4

import pytest
from sqlalchemy import select, update

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode, Reason, Status
from notifier.domain.recipients import EmailAddress, address_key
from notifier.storage import recording, suppression_list
from notifier.storage import suppressions as rules
from notifier.storage.engine import reading, writing
from notifier.storage.notifications import search_hash
from notifier.storage.suppression_list import Whom
from notifier.storage.tables import notifications, suppressions
from notifier.storage.types import db_now_plus
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, TENANT, claim_one, ending, keep_one

ADA, BOB = EmailAddress("ada@example.com"), EmailAddress("bob@example.com")


def fail(engine, reason, recipient=ADA, **given):
    """One that ends for this reason."""
    one = claim_one(engine, keep_one(engine, EMAIL_HIGH, recipient=recipient, **given))
    with writing(engine) as connection:
        assert recording.record(connection, [ending(one, Status.FAILED, reason=str(reason))]) == []
    return one.id


def suppressed(engine, recipient=ADA, lane=EMAIL_LOW, **given):
    """What a claim of another one for the recipient says."""
    return claim_one(engine, keep_one(engine, lane, recipient=recipient, **given), lane).suppressed


def rows(engine):
    with reading(engine) as connection:
        return connection.execute(select(suppressions)).all()


@pytest.mark.parametrize("reason", [Reason.INVALID_RECIPIENT, Reason.RECIPIENT_OPTED_OUT])
def test_one_such_answer_suppresses_the_recipient_in_all_lanes_of_the_channel(engine, reason):
    assert suppressed(engine) is None
    failed = fail(engine, reason)
    assert suppressed(engine) == reason
    assert suppressed(engine, EmailAddress("ADA@example.com")) == reason, "one mailbox however it is written"
    (row,) = rows(engine)
    assert (row.tenant, row.channel, row.reason, row.source) == (TENANT, "email", reason, "provider")
    assert row.notification_id == failed


def test_what_was_accepted_before_is_not_sent_either(engine):
    waiting = keep_one(engine, EMAIL_LOW, recipient=ADA)
    fail(engine, Reason.INVALID_RECIPIENT)
    assert claim_one(engine, waiting, EMAIL_LOW).suppressed == Reason.INVALID_RECIPIENT


def test_others_are_sent_to(engine):
    """Another address, another tenant's same address, and another channel."""
    fail(engine, Reason.INVALID_RECIPIENT)
    assert suppressed(engine, BOB) is None
    assert suppressed(engine, ADA, tenant="other") is None
    sms = Lane(Channel.SMS, Priority.LOW)
    assert claim_one(engine, keep_one(engine, sms), sms).suppressed is None


@pytest.mark.parametrize(
    "reason", [Reason.PROVIDER_REJECTED, Reason.CONTENT_REJECTED, Reason.UNCERTAIN, Reason.RETRIES_EXHAUSTED]
)
def test_a_failure_that_is_not_the_recipients_suppresses_nobody(engine, reason):
    for _ in range(4):
        fail(engine, reason)
    assert rows(engine) == []


@pytest.mark.parametrize("reason", [Reason.INVALID_RECIPIENT, Reason.UNREACHABLE_RECIPIENT])
def test_a_test_keys_failures_suppress_nobody(engine, reason):
    """A forced bounce bounces each time."""
    for _ in range(4):
        fail(engine, reason, mode=Mode.TEST)
    assert rows(engine) == []


def test_a_full_mailbox_suppresses_with_the_third_time_in_seven_days(engine):
    long_ago = fail(engine, Reason.UNREACHABLE_RECIPIENT)
    with writing(engine) as connection:
        connection.execute(
            update(notifications)
            .where(notifications.c.id == long_ago)
            .values(finished_at=db_now_plus(-8 * 86_400))
        )
    fail(engine, Reason.UNREACHABLE_RECIPIENT)
    fail(engine, Reason.UNREACHABLE_RECIPIENT, BOB)
    fail(engine, Reason.UNREACHABLE_RECIPIENT)
    assert suppressed(engine) is None
    fail(engine, Reason.UNREACHABLE_RECIPIENT)
    assert suppressed(engine) == Reason.UNREACHABLE_RECIPIENT
    assert suppressed(engine, BOB) is None


def test_many_answers_for_one_recipient_in_one_group_suppress_once(engine):
    ids = [claim_one(engine, keep_one(engine, recipient=ADA)) for _ in range(3)]
    with writing(engine) as connection:
        records = [ending(one, Status.FAILED, reason=str(Reason.INVALID_RECIPIENT)) for one in ids]
        assert recording.record(connection, sorted(records, key=lambda one: one.id)) == []
    assert len(rows(engine)) == 1


def leave(engine, topic="news", **given):
    """The reader of an e-mail of this topic leaves it; the e-mail."""
    made = keep_one(engine, EMAIL_LOW, recipient=ADA, topic=topic, **given)
    assert rules.leave_topic(engine, made)
    return made


def test_who_leaves_a_topic_is_sent_nothing_more_of_it(engine):
    """What was accepted before too; other topics, what has none, and other readers go on."""
    waiting = keep_one(engine, EMAIL_HIGH, recipient=ADA, topic="news")
    made = leave(engine)
    assert claim_one(engine, waiting).suppressed == Reason.RECIPIENT_OPTED_OUT
    assert suppressed(engine, topic="news") == Reason.RECIPIENT_OPTED_OUT
    assert suppressed(engine, EmailAddress("ADA@example.com"), topic="news") is not None
    assert suppressed(engine, topic="billing") is None
    assert suppressed(engine) is None
    assert suppressed(engine, BOB, topic="news") is None
    assert suppressed(engine, topic="news", tenant="other") is None
    (row,) = rows(engine)
    assert (row.tenant, row.channel, row.topic, row.source) == (TENANT, "email", "news", "recipient")
    assert row.notification_id == made


def test_leaving_twice_is_the_same_as_once(engine):
    made = leave(engine)
    before = rows(engine)
    assert rules.leave_topic(engine, made)
    leave(engine)
    assert rows(engine) == before


def test_who_left_topics_and_can_not_be_reached_is_suppressed_for_everything(engine):
    """Several reasons at once are one answer, and the one for all topics goes first."""
    for topic in ("news", "billing"):
        leave(engine, topic)
    assert suppressed(engine, topic="news") == Reason.RECIPIENT_OPTED_OUT
    fail(engine, Reason.INVALID_RECIPIENT, topic="news")
    for topic in ("news", "billing", "other", None):
        assert suppressed(engine, topic=topic) == Reason.INVALID_RECIPIENT
    assert {row.topic for row in rows(engine)} == {"", "news", "billing"}


def test_only_an_email_with_a_topic_can_be_left(engine):
    """A text message has its own word for it, and nothing is known by an id that is gone."""
    sms = Lane(Channel.SMS, Priority.LOW)
    for made in (keep_one(engine, sms, topic="news"), keep_one(engine, EMAIL_LOW), uuid4()):
        assert not rules.leave_topic(engine, made)
    assert rows(engine) == []


def whom(recipient=ADA, tenant=TENANT, channel=Channel.EMAIL):
    return Whom(tenant, channel, search_hash(tenant, address_key(recipient)))


def test_who_is_suppressed_by_hand_is_not_sent_to_until_it_is_taken_away(engine):
    """It goes by the digest that notifications are kept with; only this tenant, channel and address."""
    row, added = suppression_list.add(engine, whom(), Reason.RECIPIENT_OPTED_OUT, None)
    assert (added, row.source, row.topic) == (True, "operator", None)
    assert suppressed(engine) == Reason.RECIPIENT_OPTED_OUT
    assert suppressed(engine, BOB) is None
    assert suppressed(engine, tenant="other") is None
    assert suppression_list.remove(engine, TENANT, row.id) == row
    assert suppression_list.remove(engine, TENANT, row.id) is None
    assert suppressed(engine) is None


def test_by_hand_for_one_topic_only(engine):
    suppression_list.add(engine, whom(), Reason.RECIPIENT_OPTED_OUT, "news")
    assert suppressed(engine, topic="news") == Reason.RECIPIENT_OPTED_OUT
    assert suppressed(engine) is None


def test_what_stands_already_stays_as_it_was_said(engine):
    """Also what a provider said, whose row has no id before somebody looks."""
    failed = fail(engine, Reason.INVALID_RECIPIENT)
    row, added = suppression_list.add(engine, whom(), Reason.RECIPIENT_OPTED_OUT, None)
    assert (added, row.reason, row.source, row.notification_id) == (
        False,
        Reason.INVALID_RECIPIENT,
        "provider",
        failed,
    )
    assert suppression_list.get(engine, TENANT, row.id) == row
    assert suppression_list.of_recipient(engine, whom()) == ([row], False)


def test_a_look_gives_each_its_own_id_once_and_no_one_elses(engine):
    for topic in ("news", "billing"):
        leave(engine, topic)
    leave(engine, "news", tenant="other")
    first, more = suppression_list.of_recipient(engine, whom())
    assert ([one.topic for one in first], more) == (["billing", "news"], False)
    assert suppression_list.of_recipient(engine, whom())[0] == first
    assert len({one.id for one in first}) == 2
    assert [row.id is None for row in rows(engine) if row.tenant == "other"] == [True]


def test_an_id_of_another_tenant_is_unknown(engine):
    row, _ = suppression_list.add(engine, whom(), Reason.RECIPIENT_OPTED_OUT, None)
    assert suppression_list.get(engine, "other", row.id) is None
    assert suppression_list.remove(engine, "other", row.id) is None
    assert suppression_list.get(engine, TENANT, row.id) == row


def test_a_list_is_bounded_and_says_so(engine, monkeypatch):
    monkeypatch.setattr(suppression_list, "MOST", 2)
    for topic in ("a", "b", "c"):
        suppression_list.add(engine, whom(), Reason.RECIPIENT_OPTED_OUT, topic)
    found, more = suppression_list.of_recipient(engine, whom())
    assert ([one.topic for one in found], more) == (["a", "b"], True)
