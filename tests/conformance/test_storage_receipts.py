"""A receipt ends its notification once, however often and in whichever order it comes; early ones wait for it."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text, update

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import FINAL, Mode, Reason, Status
from notifier.domain.receipts import MAX_KEPT, Receipt, Verdict
from notifier.domain.recipients import EmailAddress
from notifier.domain.replays import FailureStatus
from notifier.storage import dead_letters, notifications, parked_receipts, receipt_rows, receipts, recording
from notifier.storage.dead_letters import FailureFilter
from notifier.storage.engine import reading, writing
from notifier.storage.provider_states import ProviderKey
from notifier.storage.receipts import Reported
from notifier.storage.tables import parked_receipts as parked_table
from notifier.storage.tables import suppressions
from notifier.storage.types import db_now_plus
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    EMAIL_LOW,
    TENANT,
    change,
    claim_one,
    ending,
    keep_one,
    row,
    shown,
    store,
    together,
)
from tests.conformance.test_storage_relay import relay_of

ADA = EmailAddress("ada@example.com")
KEY = ProviderKey(Channel.EMAIL, "console")


def delivered(reference, **given):
    return Receipt(reference, Status.DELIVERED, **given)


def undelivered(reference, reason=Reason.PROVIDER_REJECTED, code="30007"):
    return Receipt(reference, Status.UNDELIVERED, reason, code)


def complaint(reference):
    return Receipt(reference, Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT, "complaint")


def sent(engine, reference="SM1", lane=EMAIL_HIGH, **given):
    """One that was sent under this reference."""
    claimed = claim_one(engine, keep_one(engine, lane, **given), lane)
    store(engine, [record_of(claimed, reference)])
    return claimed.id


def record_of(claimed, reference="SM1", **given):
    return ending(claimed, shown=shown(claimed, reference=reference), awaits=reference, **given)


def take(engine, *said, key=KEY):
    with writing(engine) as connection:
        return parked_receipts.take(connection, [Reported(key, receipt) for receipt in said])


def verdicts(effects):
    return list(effects.verdicts.values())


def look_again(engine, limit=100):
    """As though the time of all parked ones had come."""
    with writing(engine) as connection:
        connection.execute(update(parked_table).values(look_at=db_now_plus(-1.0)))
        return parked_receipts.look_again(connection, limit)


def postpone(engine):
    """So that no time comes while a test runs, however slowly."""
    with writing(engine) as connection:
        connection.execute(update(parked_table).values(look_at=db_now_plus(3600.0)))


def now_of(engine):
    """The database's time."""
    with reading(engine) as connection:
        return connection.execute(select(db_now_plus(0.0))).scalar_one()


def parked(engine):
    with reading(engine) as connection:
        return connection.execute(select(parked_table)).all()


def failures(engine, tenant=TENANT):
    return dead_letters.walk(engine, tenant, FailureFilter(), 50, None).rows


def suppressed(engine):
    with reading(engine) as connection:
        return {(found.tenant, found.reason) for found in connection.execute(select(suppressions))}


def test_what_arrived_is_delivered_and_tells_how_it_is_known(engine):
    wanted = sent(engine)
    before = row(engine, wanted)
    assert verdicts(take(engine, delivered("SM1"))) == [Verdict.MOVES]
    found = notifications.get(engine, TENANT, wanted)
    assert (found.status, found.reason) == (Status.DELIVERED, None)
    assert found.finished_at == before.finished_at, "we were done when it was sent"
    (told,) = found.receipts
    assert told.pop("at") >= before.finished_at.isoformat()
    assert told == {"provider": "console", "status": "delivered", "reason": None, "code": None}
    assert failures(engine) == []


def test_what_did_not_arrive_is_a_failure_to_work_with(engine):
    wanted = sent(engine)
    change(engine, wanted, finished_at=-100_000)
    take(engine, undelivered("SM1"))
    found = notifications.get(engine, TENANT, wanted)
    assert (found.status, found.reason) == (Status.UNDELIVERED, Reason.PROVIDER_REJECTED)
    assert found.receipts[0]["code"] == "30007"
    (failure,) = failures(engine)
    assert (failure.notification_id, failure.status) == (wanted, Status.UNDELIVERED)
    assert (failure.reason, failure.provider) == (Reason.PROVIDER_REJECTED, "console")
    assert failure.age_seconds < 60, "it failed with the receipt, not when it was sent"
    only = FailureFilter(status=FailureStatus.UNDELIVERED)
    assert len(dead_letters.walk(engine, TENANT, only, 50, None).rows) == 1


def test_a_receipt_without_a_reason_still_says_why_it_failed(engine):
    wanted = sent(engine)
    take(engine, Receipt("SM1", Status.UNDELIVERED))
    assert row(engine, wanted).reason == Reason.PROVIDER_REJECTED


def test_the_same_receipt_twice_changes_nothing_the_second_time(engine):
    wanted = sent(engine)
    assert verdicts(take(engine, undelivered("SM1", Reason.INVALID_RECIPIENT))) == [Verdict.MOVES]
    with writing(engine) as connection:
        connection.execute(suppressions.delete())
    before = row(engine, wanted)
    assert verdicts(take(engine, undelivered("SM1", Reason.INVALID_RECIPIENT))) == [Verdict.KNOWN]
    assert row(engine, wanted) == before
    assert suppressed(engine) == set(), "what an operator took away a replay does not bring back"
    assert len(failures(engine)) == 1


def test_twice_in_one_request_is_once(engine):
    sent(engine)
    assert verdicts(take(engine, delivered("SM1"), delivered("SM1"))) == [Verdict.MOVES]


@pytest.mark.parametrize("first", ["delivered", "undelivered"])
def test_a_later_receipt_takes_no_state_back(engine, first):
    said = [delivered("SM1"), undelivered("SM1")]
    if first == "undelivered":
        said.reverse()
    wanted = sent(engine)
    assert verdicts(take(engine, said[0])) == [Verdict.MOVES]
    assert verdicts(take(engine, said[1])) == [Verdict.NOTED]
    found = notifications.get(engine, TENANT, wanted)
    assert found.status == first
    assert [one["status"] for one in found.receipts] == [said[0].status, said[1].status]
    assert len(failures(engine)) == (first == "undelivered")


def test_a_provider_that_goes_on_for_ever_fills_no_row(engine):
    wanted = sent(engine)
    for number in range(MAX_KEPT + 5):
        take(engine, undelivered("SM1", code=str(number)))
    assert len(notifications.get(engine, TENANT, wanted).receipts) == MAX_KEPT


@pytest.mark.parametrize(
    "key", [ProviderKey(Channel.EMAIL, "other"), ProviderKey(Channel.SMS, "console")], ids=str
)
def test_one_account_says_nothing_of_anothers_messages(engine, key):
    wanted = sent(engine)
    assert take(engine, delivered("SM1"), key=key).verdicts == {}
    assert row(engine, wanted).status == Status.SENT


@pytest.mark.parametrize(
    "status", sorted((FINAL - set(receipt_rows._HEARING)) | {Status.SENDING, Status.QUEUED})
)
def test_only_what_was_sent_hears_of_receipts(engine, status):
    wanted = sent(engine)
    change(engine, wanted, status=str(status))
    assert take(engine, delivered("SM1"), undelivered("SM1")).verdicts == {}
    found = row(engine, wanted)
    assert (found.status, found.receipts) == (status, None)


@pytest.mark.parametrize("reason", [Reason.INVALID_RECIPIENT, Reason.RECIPIENT_OPTED_OUT])
def test_what_is_true_for_good_suppresses_within_its_tenant(engine, reason):
    sent(engine, "SM1", tenant="acme", recipient=ADA)
    sent(engine, "SM2", tenant="other", recipient=ADA)
    take(engine, undelivered("SM1", reason))
    assert suppressed(engine) == {("acme", reason)}
    assert claim_one(engine, keep_one(engine, EMAIL_LOW, recipient=ADA), EMAIL_LOW).suppressed == reason
    other = claim_one(engine, keep_one(engine, EMAIL_LOW, recipient=ADA, tenant="other"), EMAIL_LOW)
    assert other.suppressed is None


def test_a_complaint_follows_a_delivery_and_suppresses(engine):
    wanted = sent(engine)
    take(engine, delivered("SM1"))
    assert suppressed(engine) == set()
    assert verdicts(take(engine, complaint("SM1"))) == [Verdict.NOTED]
    assert suppressed(engine) == {(TENANT, Reason.RECIPIENT_OPTED_OUT)}
    found = notifications.get(engine, TENANT, wanted)
    assert (found.status, found.reason) == (Status.DELIVERED, None)


def test_the_third_time_out_of_reach_suppresses(engine):
    for number in range(2):
        sent(engine, f"SM{number}")
        take(engine, undelivered(f"SM{number}", Reason.UNREACHABLE_RECIPIENT))
    assert suppressed(engine) == set()
    sent(engine, "SM2")
    take(engine, undelivered("SM2", Reason.UNREACHABLE_RECIPIENT))
    assert suppressed(engine) == {(TENANT, Reason.UNREACHABLE_RECIPIENT)}


def test_what_a_test_key_sent_suppresses_nobody(engine):
    sent(engine, mode=Mode.TEST)
    take(engine, undelivered("SM1", Reason.INVALID_RECIPIENT), complaint("SM1"))
    assert suppressed(engine) == set()
    assert len(failures(engine)) == 1


def test_a_receipt_before_our_commit_waits_and_is_matched(engine):
    claimed = claim_one(engine, keep_one(engine))
    early = take(engine, delivered("SM1"))
    assert [one.receipt for one in early.unmatched] == [delivered("SM1")]
    assert take(engine, delivered("SM1")).unmatched
    assert len(parked(engine)) == 1, "twice is the same as once"
    found, number = look_again(engine)
    assert (len(found.unmatched), number) == (1, 1)
    store(engine, [record_of(claimed)])
    found, _ = look_again(engine)
    assert verdicts(found) == [Verdict.MOVES]
    assert row(engine, claimed.id).status == Status.DELIVERED
    assert parked(engine) == []


def test_how_long_it_took_is_told_once_with_its_lane(engine):
    """From acceptance to the first receipt that says delivered; a complaint and the same again tell nothing."""
    wanted = sent(engine)
    change(engine, wanted, created_at=-90.0)
    ((lane, seconds),) = take(engine, delivered("SM1")).delivered
    assert lane == EMAIL_HIGH
    assert 90 <= seconds < 100
    assert take(engine, delivered("SM1"), complaint("SM1")).delivered == []


def test_a_scheduled_one_takes_from_its_moment(engine):
    """What somebody wanted to wait for is no delay of ours."""
    wanted = sent(engine)
    change(engine, wanted, created_at=-9000.0, send_at=-50.0)
    ((_, seconds),) = take(engine, delivered("SM1")).delivered
    assert 50 <= seconds < 60


def test_what_did_not_arrive_tells_no_duration(engine):
    sent(engine)
    assert take(engine, undelivered("SM1")).delivered == []


def test_an_early_receipt_tells_when_it_came_not_when_it_was_matched(engine):
    """How long it was parked is known with it, for its span too."""
    claimed = claim_one(engine, keep_one(engine))
    take(engine, delivered("SM1"))
    with writing(engine) as connection:
        connection.execute(update(parked_table).values(received_at=db_now_plus(-30.0)))
    store(engine, [record_of(claimed)])
    change(engine, claimed.id, created_at=-90.0)
    found, _ = look_again(engine)
    ((_, seconds),) = found.delivered
    assert 55 <= seconds < 65
    (waited,) = found.waited.values()
    assert 30 <= waited < 40


def test_an_early_receipt_keeps_its_words(engine):
    claimed = claim_one(engine, keep_one(engine))
    take(engine, undelivered("SM1", Reason.INVALID_RECIPIENT), Receipt("SM1", Status.UNDELIVERED))
    store(engine, [record_of(claimed)])
    look_again(engine)
    told = [(one["reason"], one["code"]) for one in notifications.get(engine, TENANT, claimed.id).receipts]
    assert sorted(told, key=str) == sorted([("invalid_recipient", "30007"), (None, None)], key=str)


def test_what_nobody_knows_is_looked_at_ever_more_seldom(engine):
    """So that what others send through the same account costs next to nothing."""
    take(engine, delivered("foreign"))
    (new,) = parked(engine)
    assert new.look_at - new.received_at >= timedelta(seconds=parked_receipts.FIRST_LOOK), "not at once"
    postpone(engine)
    with writing(engine) as connection:
        assert parked_receipts.look_again(connection, 100)[1] == 0
    for wait in [2, 4, 8, 16, 32, 64, 128, 256, 512, *[parked_receipts.LONGEST_LOOK] * 3]:
        before = now_of(engine)
        look_again(engine)
        (found,) = parked(engine)
        assert before + timedelta(seconds=wait) <= found.look_at <= now_of(engine) + timedelta(seconds=wait)


def test_a_step_is_bounded(engine):
    take(engine, *(delivered(f"SM{number}") for number in range(7)))
    assert look_again(engine, limit=5)[1] == 5


def test_what_is_too_old_or_too_much_of_one_account_is_forgotten(engine):
    take(engine, *(delivered(f"SM{number}") for number in range(5)))
    take(engine, delivered("SM0"), key=ProviderKey(Channel.SMS, "twilio"))
    with writing(engine) as connection:
        assert parked_receipts.sweep(connection, 100) == 0
        old = update(parked_table).where(parked_table.c.reference.in_(["SM0", "SM1"]))
        connection.execute(
            old.where(parked_table.c.channel == "email").values(received_at=db_now_plus(-90.0))
        )
        assert parked_receipts.sweep(connection, 100, older_than=3600, keep=4) == 1
        assert parked_receipts.sweep(connection, 1, older_than=60, keep=4) == 1
        assert parked_receipts.sweep(connection, 100, older_than=3600, keep=2) == 1
    assert len(parked(engine)) == 3
    assert {found.channel for found in parked(engine)} == {"email", "sms"}


def test_the_simulators_receipts_stand_with_the_commit_of_what_they_are_about(engine):
    claimed = claim_one(engine, keep_one(engine, mode=Mode.TEST))
    record = record_of(claimed, follows=(Reported(KEY, delivered("SM1")),))
    assert not recording.is_one_statement([record])
    store(engine, [record])
    assert row(engine, claimed.id).status == Status.SENT
    assert len(parked(engine)) == 1
    look_again(engine)
    assert row(engine, claimed.id).status == Status.DELIVERED


def test_an_ending_whose_claim_is_gone_is_followed_by_nothing(engine):
    claimed = claim_one(engine, keep_one(engine))
    change(engine, claimed.id, claim_id=1)
    assert store(engine, [record_of(claimed, follows=(Reported(KEY, delivered("SM1")),))])
    assert parked(engine) == []


def test_many_at_once_move_each_once(engine):
    """As a provider sends them that did not hear our answer in time."""
    wanted = [sent(engine, f"SM{number}") for number in range(20)]
    said = [undelivered(f"SM{number}", Reason.INVALID_RECIPIENT) for number in range(20)]
    acts = [lambda one=order: take(engine, *one) for order in (said, said[::-1], said[7:] + said[:7])]
    found = [verdict for effects in together(*acts) for verdict in verdicts(effects)]
    assert found.count(Verdict.MOVES) == 20
    assert found.count(Verdict.KNOWN) == 40
    assert {row(engine, one).status for one in wanted} == {"undelivered"}
    assert len(failures(engine)) == 20


def test_two_relays_match_each_early_receipt_once(engine):
    take(engine, *(delivered(f"SM{number}") for number in range(20)))
    wanted = [sent(engine, f"SM{number}") for number in range(20)]
    with writing(engine) as connection:
        connection.execute(update(parked_table).values(look_at=db_now_plus(-1.0)))

    def step():
        with writing(engine) as connection:
            return parked_receipts.look_again(connection, 100)[0]

    found = [verdict for effects in together(step, step, step) for verdict in verdicts(effects)]
    assert found == [Verdict.MOVES] * 20
    assert {row(engine, one).status for one in wanted} == {"delivered"}


def test_the_relay_matches_early_ones_and_forgets_old_ones(engine):
    claimed = claim_one(engine, keep_one(engine))
    take(engine, delivered("SM1"), delivered("foreign"))
    store(engine, [record_of(claimed)])
    postpone(engine)
    with relay_of(engine) as it:
        assert it.relay.pass_once().receipts == 0, "not before it is time"
        with writing(engine) as connection:
            connection.execute(update(parked_table).values(look_at=db_now_plus(-1.0)))
        assert it.relay.pass_once().receipts == 2
        assert row(engine, claimed.id).status == Status.DELIVERED
        assert len(parked(engine)) == 1
        with writing(engine) as connection:
            connection.execute(update(parked_table).values(received_at=db_now_plus(-86_401.0)))
        it.clock.now += 31
        it.relay.pass_once()
        assert parked(engine) == []


def test_an_account_that_others_share_fills_no_table(engine):
    """More comes between two sweeps than one batch holds."""
    take(engine, *(delivered(f"foreign{number}") for number in range(7)))
    with writing(engine) as connection:
        connection.execute(update(parked_table).values(received_at=db_now_plus(-86_401.0)))
    with relay_of(engine, batch=2) as it:
        it.clock.now += 31
        it.relay.pass_once()
    assert parked(engine) == []


_KILLED = """
import os, signal, sys
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Receipt
from notifier.storage import parked_receipts
from notifier.storage.engine import Use, make_engine, writing
from notifier.storage.provider_states import ProviderKey
from notifier.storage.receipts import Reported
url, point = sys.argv[1:]
engine = make_engine(url, Use(name="doomed"))
said = [Receipt("SM1", Status.UNDELIVERED, Reason.INVALID_RECIPIENT, "30005"), Receipt("SM2", Status.DELIVERED)]
with writing(engine) as connection:
    parked_receipts.take(connection, [Reported(ProviderKey(Channel.EMAIL, "console"), one) for one in said])
    if point == "before":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("point", ["before", "after"])
def test_killed_around_the_commit_the_provider_sends_it_again_and_all_is_there_once(engine, point):
    wanted = sent(engine, "SM1")
    url = engine.url.render_as_string(hide_password=False)
    ended = subprocess.run([sys.executable, "-c", _KILLED, url, point], env=dict(os.environ), timeout=60)
    assert ended.returncode == -signal.SIGKILL
    came = {"before": (Status.SENT, 0, 0), "after": (Status.UNDELIVERED, 1, 1)}[point]
    assert (row(engine, wanted).status, len(failures(engine)), len(parked(engine))) == came
    take(engine, undelivered("SM1", Reason.INVALID_RECIPIENT, "30005"), delivered("SM2"))
    assert row(engine, wanted).status == Status.UNDELIVERED
    assert (len(failures(engine)), len(parked(engine))) == (1, 1)
    assert suppressed(engine) == {(TENANT, Reason.INVALID_RECIPIENT)}


def test_a_move_by_a_receipt_touches_no_index(postgres_engine):
    """A heap-only update, as a claim is: receipts of a whole campaign don't swell the indexes."""
    for number in range(20):
        sent(postgres_engine, f"SM{number}")
    counted = "select n_tup_hot_upd from pg_stat_xact_user_tables where relname = 'notifications_default'"
    with writing(postgres_engine) as connection:
        # The session counts what it did before as well.
        before = connection.execute(text(counted)).scalar_one()
        receipts.apply(connection, [Reported(KEY, delivered(f"SM{number}")) for number in range(20)])
        assert connection.execute(text(counted)).scalar_one() == before + 20


def test_what_no_account_reports_is_not_indexed(engine):
    claimed = claim_one(engine, keep_one(engine))
    store(engine, [ending(claimed, shown=shown(claimed, reference="SM1"))])
    assert row(engine, claimed.id).provider_reference is None
    assert take(engine, delivered("SM1")).verdicts == {}


def test_an_unknown_id_is_no_notification(engine):
    assert take(engine).verdicts == {}
    assert take(engine, delivered(uuid4().hex)).verdicts == {}
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(parked_table)).scalar_one() == 1
