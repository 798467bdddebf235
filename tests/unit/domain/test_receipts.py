"""What a receipt means for a notification: a state only goes forward, and a word counts once."""

from uuid import UUID

import pytest

from notifier.domain.lifecycle import MOVES, Reason, Status
from notifier.domain.receipts import (
    MAX_KEPT,
    Receipt,
    ReceiptRequest,
    Verdict,
    given_back,
    judge,
    kept,
    word_of,
)

DELIVERED = Receipt("SM1", Status.DELIVERED)
LOST = Receipt("SM1", Status.UNDELIVERED, Reason.INVALID_RECIPIENT, "30005")
COMPLAINT = Receipt("SM1", Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT, "complaint")


def told(*receipts):
    return [{"at": "then", "provider": "twilio", **word_of(one)} for one in receipts]


@pytest.mark.parametrize(
    ("status", "before", "receipt", "verdict"),
    [
        (Status.SENT, (), DELIVERED, Verdict.MOVES),
        (Status.SENT, (), LOST, Verdict.MOVES),
        (Status.DELIVERED, (DELIVERED,), DELIVERED, Verdict.KNOWN),
        (Status.DELIVERED, (DELIVERED,), COMPLAINT, Verdict.NOTED),
        (Status.DELIVERED, (DELIVERED,), LOST, Verdict.NOTED),
        (Status.UNDELIVERED, (LOST,), DELIVERED, Verdict.NOTED),
        (Status.UNDELIVERED, (LOST, DELIVERED), LOST, Verdict.KNOWN),
        (Status.DELIVERED, (DELIVERED, COMPLAINT), COMPLAINT, Verdict.KNOWN),
        (Status.HELD, (), DELIVERED, Verdict.MOVES),
        (Status.HELD, (), LOST, Verdict.MOVES),
        (Status.QUEUED, (), DELIVERED, Verdict.MOVES),
        (Status.QUEUED, (), LOST, Verdict.MOVES),
        (Status.FAILED, (), DELIVERED, Verdict.NOTED),
        (Status.EXPIRED, (), LOST, Verdict.NOTED),
    ],
)
def test_what_a_receipt_means(status, before, receipt, verdict):
    assert judge(status, told(*before), receipt) is verdict
    if verdict is Verdict.MOVES:
        assert receipt.status in MOVES[status]


@pytest.mark.parametrize(
    ("own", "receipt", "verdict"),
    [
        ("SM1", LOST, Verdict.MOVES),
        (None, LOST, Verdict.MOVES),
        ("SM2", LOST, Verdict.NOTED),
        ("SM2", DELIVERED, Verdict.MOVES),
    ],
)
def test_the_loss_of_an_earlier_attempt_is_not_that_of_the_last(own, receipt, verdict):
    """`own` is what the last one was sent as, and has a receipt of its own; what arrived arrived."""
    assert judge(Status.SENT, (), receipt, own) is verdict


def test_only_an_id_of_ours_is_given_back():
    wanted = UUID("01a22d51-136b-744e-82f3-57625a4075ce")
    assert given_back(f"ntf_{wanted}") == wanted
    for other in (None, 5, [f"ntf_{wanted}"], "", "ntf_1", str(wanted), f"opn_{wanted}", f"ntf_{wanted} "):
        assert given_back(other) is None


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.UNDELIVERED])
def test_no_receipt_moves_what_a_receipt_has_moved(status):
    assert status in MOVES[Status.SENT]
    assert status not in MOVES
    assert {judge(status, (), one) for one in (DELIVERED, LOST, COMPLAINT)} == {Verdict.NOTED}


def test_so_much_is_kept_and_no_more():
    before = told(*(Receipt("SM1", Status.UNDELIVERED, code=str(number)) for number in range(MAX_KEPT)))
    assert judge(Status.UNDELIVERED, before, DELIVERED) is Verdict.KNOWN
    assert judge(Status.UNDELIVERED, before[1:], DELIVERED) is Verdict.NOTED


def test_a_providers_words_are_made_to_fit():
    """What storage can't hold is left out; without a reference it is about nothing."""
    assert kept(Receipt("", Status.DELIVERED)) is None
    assert kept(Receipt("\0", Status.DELIVERED)) is None
    assert kept(Receipt("a\0" + "b" * 300, Status.DELIVERED, code="\0" * 3)) == Receipt(
        "a" + "b" * 199, Status.DELIVERED, code=None
    )
    assert kept(Receipt("\ud800", Status.UNDELIVERED, code="9" * 99)) == Receipt(
        "?", Status.UNDELIVERED, code="9" * 40
    )
    assert kept(LOST) == LOST


def test_a_request_shows_nothing_private():
    assert "4155552671" not in repr(ReceiptRequest(headers={}, body=b"To=4155552671", query="to=4155552671"))
