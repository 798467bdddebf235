"""After a send whose answer got lost there is no reference: a receipt that names our own id ends it, and only forward."""

from uuid import uuid4

import pytest
from sqlalchemy import update

from notifier.delivery.begun import Begun
from notifier.delivery.claims import ClaimDesk
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import OnUncertain, Reason, Status
from notifier.domain.receipts import Receipt, Verdict
from notifier.storage import attempts, books, changes, notifications, parked_receipts
from notifier.storage.engine import reading, writing
from notifier.storage.provider_states import ProviderKey
from notifier.storage.tables import parked_receipts as parked_table
from notifier.storage.types import db_now_plus
from tests.conformance.storage_kit import (
    EMAIL_HIGH,
    TENANT,
    change,
    claim,
    claim_one,
    ending,
    keep_one,
    row,
    shown,
    store,
    together,
    wish,
)
from tests.conformance.test_storage_receipts import (
    failures,
    look_again,
    parked,
    record_of,
    suppressed,
    take,
    verdicts,
)
from tests.conformance.test_storage_relay import relay_of

OTHER = ProviderKey(Channel.EMAIL, "other")


def delivered(wanted, reference="SM1", **given):
    return Receipt(reference, Status.DELIVERED, notification=wanted, **given)


def undelivered(wanted, reference="SM1", reason=Reason.PROVIDER_REJECTED):
    return Receipt(reference, Status.UNDELIVERED, reason, "30007", wanted)


def unheard(engine, status=Status.HELD, wanted=None, **given):
    """One whose attempt was written and never answered; `QUEUED`: it is to be sent again."""
    claimed = claim_one(engine, keep_one(engine) if wanted is None else wanted)
    told = shown(claimed, "uncertain", reason="uncertain", **given)
    store(engine, [ending(claimed, status, reason="uncertain", shown=told, uncertain=1)])
    if status is Status.QUEUED:
        change(engine, claimed.id, next_attempt_at=-1.0)
    return claimed.id


def settled(engine, wanted):
    found = row(engine, wanted)
    return found.status, found.reason, found.finished_at is not None, found.next_attempt_at


@pytest.mark.parametrize("status", [Status.HELD, Status.QUEUED])
def test_what_arrived_ends_delivered_and_is_not_sent_again(engine, status):
    wanted = unheard(engine, status)
    assert verdicts(take(engine, delivered(wanted))) == [Verdict.MOVES]
    assert settled(engine, wanted) == (Status.DELIVERED, None, True, None)
    assert claim(engine, [wish(wanted)]) == [], "the bell of its retry finds nothing to do"
    assert failures(engine) == []
    assert books.read(engine).balanced


@pytest.mark.parametrize("status", [Status.HELD, Status.QUEUED])
def test_what_did_not_arrive_ends_as_though_its_answer_had_been_heard(engine, status):
    """A failure to work with, and a suppression; a person may replay it."""
    wanted = unheard(engine, status)
    take(engine, undelivered(wanted, reason=Reason.INVALID_RECIPIENT))
    assert settled(engine, wanted) == (Status.UNDELIVERED, "invalid_recipient", True, None)
    (failure,) = failures(engine)
    assert (failure.notification_id, failure.reason) == (wanted, Reason.INVALID_RECIPIENT)
    assert suppressed(engine) == {(TENANT, Reason.INVALID_RECIPIENT)}
    assert claim(engine, [wish(wanted)]) == []


def test_what_a_person_called_sent_moves_as_well(engine):
    """So does what was sent by a worker that kept no reference."""
    wanted = unheard(engine)
    changes.resolve(engine, TENANT, wanted, "sent")
    before = row(engine, wanted).finished_at
    assert verdicts(take(engine, delivered(wanted))) == [Verdict.MOVES]
    found = row(engine, wanted)
    assert (found.status, found.finished_at) == (Status.DELIVERED, before)


def test_later_words_of_it_need_no_id(engine):
    """A provider's other form of the same event may be without."""
    wanted = unheard(engine)
    take(engine, delivered(wanted))
    assert verdicts(take(engine, Receipt("SM1", Status.DELIVERED))) == [Verdict.KNOWN]
    complaint = Receipt("SM1", Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT)
    assert verdicts(take(engine, complaint)) == [Verdict.NOTED]
    assert suppressed(engine) == {(TENANT, Reason.RECIPIENT_OPTED_OUT)}


def test_twice_is_once_and_no_state_is_taken_back(engine):
    wanted = unheard(engine)
    take(engine, delivered(wanted))
    before = row(engine, wanted)
    assert verdicts(take(engine, delivered(wanted))) == [Verdict.KNOWN]
    assert row(engine, wanted) == before
    assert verdicts(take(engine, undelivered(wanted))) == [Verdict.NOTED]
    assert row(engine, wanted).status == Status.DELIVERED
    assert failures(engine) == []


@pytest.mark.parametrize("key", [OTHER, ProviderKey(Channel.SMS, "console")], ids=str)
@pytest.mark.parametrize("status", [Status.HELD, Status.QUEUED])
def test_an_account_that_made_no_attempt_for_it_changes_nothing(engine, status, key):
    """Its signature says who speaks, not that it may speak of this one."""
    wanted = unheard(engine, status)
    before = row(engine, wanted)
    found = take(engine, delivered(wanted), undelivered(wanted), key=key)
    assert found.verdicts == {}
    assert row(engine, wanted) == before
    assert look_again(engine)[0].verdicts == {}
    assert row(engine, wanted) == before


def test_a_foreign_id_moves_not_even_what_the_reference_is_of(engine):
    """The reference is our own record, so it goes before an id that somebody wrote into a message."""
    mine, other = unheard(engine), unheard(engine)
    take(engine, delivered(mine, "SM1"))
    assert verdicts(take(engine, undelivered(other, "SM1"))) == [Verdict.NOTED]
    assert row(engine, other).status == Status.HELD
    assert take(engine, delivered(uuid4(), "SM9")).verdicts == {}


@pytest.mark.parametrize(
    "status", [Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.SUPPRESSED], ids=str
)
def test_what_has_ended_is_not_reopened_but_tells_of_it(engine, status):
    """Who looks at the failure sees that it arrived, before sending it again."""
    wanted = unheard(engine)
    change(engine, wanted, status=str(status), reason="uncertain", finished_at=-5.0)
    assert verdicts(take(engine, delivered(wanted))) == [Verdict.NOTED]
    found = notifications.get(engine, TENANT, wanted)
    assert (found.status, found.reason) == (status, Reason.UNCERTAIN)
    assert [one["status"] for one in found.receipts] == ["delivered"]


def test_a_claim_in_flight_is_left_alone_and_the_receipt_waits_for_its_end(engine):
    """Attempt 2 is being made: its outcome is stored as ever, then the receipt of attempt 1 has its say."""
    wanted = unheard(engine, Status.QUEUED)
    second = claim_one(engine, wanted)
    before = row(engine, wanted)
    assert take(engine, delivered(wanted)).verdicts == {}
    assert row(engine, wanted) == before
    assert store(engine, [record_of(second, "SM2")]) == []
    assert row(engine, wanted).status == Status.SENT
    assert verdicts(look_again(engine)[0]) == [Verdict.MOVES]
    assert row(engine, wanted).status == Status.DELIVERED
    assert parked(engine) == []


def test_the_loss_of_an_earlier_attempt_says_nothing_of_the_last(engine):
    """It has a receipt of its own, which then counts; what is true of the recipient counts at once."""
    wanted = unheard(engine, Status.QUEUED)
    store(engine, [record_of(claim_one(engine, wanted), "SM2")])
    assert verdicts(take(engine, undelivered(wanted, "SM1"))) == [Verdict.NOTED]
    assert row(engine, wanted).status == Status.SENT
    assert verdicts(take(engine, delivered(wanted, "SM2"))) == [Verdict.MOVES]
    assert row(engine, wanted).status == Status.DELIVERED
    assert failures(engine) == []


def test_an_attempt_before_the_last_one_counts_too(engine):
    """Attempt 1 went through one account and was not answered, attempt 2 through another that was busy."""
    wanted = unheard(engine, Status.QUEUED, provider="other")
    second = claim_one(engine, wanted)
    told = shown(second, "deferred", reason="throttled")
    store(engine, [ending(second, Status.QUEUED, shown=told, reason="throttled")])
    assert take(engine, delivered(wanted), key=ProviderKey(Channel.EMAIL, "third")).verdicts == {}
    assert verdicts(take(engine, delivered(wanted), key=OTHER)) == [Verdict.MOVES]
    assert settled(engine, wanted) == (Status.DELIVERED, None, True, None)
    found = notifications.get(engine, TENANT, wanted)
    assert found.receipts[0]["provider"] == "other"


def test_an_early_one_keeps_the_id(engine):
    """It came while the call still waited for its answer, and is matched when that is given up."""
    claimed = claim_one(engine, keep_one(engine))
    assert take(engine, delivered(claimed.id)).unmatched
    assert [one.notification_id for one in parked(engine)] == [claimed.id]
    told = shown(claimed, "uncertain", reason="uncertain")
    store(engine, [ending(claimed, Status.HELD, reason="uncertain", shown=told, uncertain=1)])
    assert verdicts(look_again(engine)[0]) == [Verdict.MOVES]
    assert row(engine, claimed.id).status == Status.DELIVERED
    assert parked(engine) == []


@pytest.mark.parametrize("order", ["with, without", "without, with"])
def test_the_same_word_with_and_without_the_id_is_parked_once_with_it(engine, order):
    wanted = uuid4()
    said = [delivered(wanted), Receipt("SM1", Status.DELIVERED)]
    if order.startswith("without"):
        said.reverse()
    for one in said:
        take(engine, one)
    take(engine, *said)
    assert [one.notification_id for one in parked(engine)] == [wanted]


def test_a_dead_workers_send_that_was_reported_is_not_made_again(engine):
    """The worker died after the call; its lease is over only long after the receipt came."""
    wanted = keep_one(engine)
    claim(engine, [wish(wanted)], lease=-1.0)
    assert take(engine, delivered(wanted)).unmatched
    assert desk(engine).claim(wish(wanted)) is None
    assert settled(engine, wanted) == (Status.DELIVERED, None, True, None)
    assert [one["outcome"] for one in attempts.of(engine, TENANT, wanted)] == ["uncertain"]
    assert parked(engine) == []


def test_another_accounts_word_does_not_keep_a_dead_workers_send_from_being_made_again(engine):
    wanted = keep_one(engine, on_uncertain=OnUncertain.RESEND)
    claim(engine, [wish(wanted)], lease=-1.0)
    take(engine, delivered(wanted), key=OTHER)
    assert desk(engine).claim(wish(wanted)).attempt == 2
    assert row(engine, wanted).status == Status.SENDING


def desk(engine):
    return ClaimDesk(engine, uuid4(), Begun(60))


def test_claims_and_receipts_at_the_same_moment_have_one_winner(engine):
    """Either it is claimed, and the receipt waits, or it is delivered, and nobody sends it."""
    wanted = [unheard(engine, Status.QUEUED) for _ in range(20)]
    said = [delivered(one, f"SM{number}") for number, one in enumerate(wanted)]
    claimed, effects = together(
        lambda: claim(engine, [wish(one) for one in wanted]), lambda: take(engine, *said)
    )
    moved = {one.receipt.notification for one in effects.verdicts}
    assert {one.id for one in claimed} | moved == set(wanted)
    assert not {one.id for one in claimed} & moved
    if claimed:
        store(engine, [record_of(one, f"again{number}") for number, one in enumerate(claimed)])
    look_again(engine)
    assert {row(engine, one).status for one in wanted} == {"delivered"}


@pytest.mark.parametrize(
    "changed", [{"reason": "one_day"}, {"status": "bounced"}, {"channel": "pigeon"}], ids=str
)
def test_a_parked_one_that_nobody_can_read_costs_only_itself(engine, changed):
    """A version after ours wrote it. It waits, for that one or until it is forgotten."""
    claimed = claim_one(engine, keep_one(engine, EMAIL_HIGH))
    take(engine, Receipt("foreign", Status.DELIVERED), delivered(claimed.id))
    with writing(engine) as connection:
        connection.execute(update(parked_table).where(parked_table.c.reference == "foreign").values(changed))
    store(engine, [record_of(claimed)])
    found, number = look_again(engine)
    assert (verdicts(found), number, found.unreadable) == ([Verdict.MOVES], 2, 1)
    (left,) = parked(engine)
    assert (left.reference, left.looks) == ("foreign", 1)
    with reading(engine) as connection:
        later = parked_table.c.look_at > db_now_plus(parked_receipts.LONGEST_LOOK - 60)
        assert connection.execute(parked_table.select().where(later)).all()


def test_a_relay_with_such_a_one_before_it_goes_on(engine):
    """The pass has other duties, and the next pass is not kept by it either."""
    claimed = claim_one(engine, keep_one(engine))
    take(engine, Receipt("foreign", Status.DELIVERED), delivered(claimed.id))
    with writing(engine) as connection:
        foreign = update(parked_table).where(parked_table.c.reference == "foreign")
        connection.execute(foreign.values(reason="one_day"))
        connection.execute(update(parked_table).values(look_at=db_now_plus(-1.0)))
    store(engine, [record_of(claimed)])
    with relay_of(engine) as it:
        assert it.relay.pass_once().receipts == 2
        assert it.relay.pass_once().receipts == 0
    assert row(engine, claimed.id).status == Status.DELIVERED
