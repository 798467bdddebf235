"""The table for any HTTP provider, row by row, and Retry-After in both of its forms."""

from datetime import UTC, datetime

import pytest

from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content
from notifier.domain.outcomes import Answer, Deferred, Refused, Uncertain
from notifier.providers import http_answers
from notifier.providers.answer_tables import Row, by_code, in_words, outcome_of
from notifier.providers.http_client import NoAnswer, NotSent, Reply
from notifier.providers.http_outcomes import MAX_WAIT, outcome_of_status, retry_after, unanswered

ANSWER = Answer("c", "t")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CONFIG = Deferred(Reason.AUTH_FAILED, None, ANSWER)
AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE, None, ANSWER)
NEVER = Refused(Reason.PROVIDER_REJECTED, ANSWER)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ((300, 301, 302, 303, 307, 308), NEVER),
        ((400, 404, 405, 409, 410, 411, 414, 415, 418, 422, 451, 499), NEVER),
        ((413,), Refused(Reason.CONTENT_REJECTED, ANSWER)),
        ((401, 402, 403), CONFIG),
        ((408, 425, 500, 501, 502, 503, 504, 507, 520, 599), AGAIN),
        ((429,), Deferred(Reason.THROTTLED, None, ANSWER)),
        ((103, 200, 204, 600, 999), Uncertain(answer=ANSWER)),
    ],
)
def test_each_status_has_its_outcome(statuses, outcome):
    """An unknown 4xx is for good, an unknown 5xx is not, and what is neither is not guessed at."""
    assert {outcome_of_status(status, ANSWER) for status in statuses} == {outcome}


def test_a_wait_that_was_asked_for_is_kept():
    """Wherever another try is worth it."""
    for status in (401, 429, 503):
        found = outcome_of_status(status, ANSWER, 7.0)
        assert isinstance(found, Deferred)
        assert found.not_before == 7.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("99999999999999999999", MAX_WAIT),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0),
        ("Sun Mar  1 12:02:00 2026", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_WAIT),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0661", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(said, seconds):
    """RFC 9110, 10.2.3 and 5.6.7: three forms of dates; what can't be read asks for nothing."""
    assert retry_after({} if said is None else {"retry-after": said}, NOW) == seconds


def test_what_was_not_sent_is_deferred_and_what_was_not_answered_is_uncertain():
    assert unanswered(NotSent(Reason.PROVIDER_TIMEOUT, "x")) == Deferred(
        Reason.PROVIDER_TIMEOUT, answer=Answer(text="x")
    )
    assert unanswered(NoAnswer("x")) == Uncertain(answer=Answer(text="x"))


def test_what_may_not_be_called_is_refused():
    """Another try would lead to the same private address."""
    found = unanswered(NotSent(Reason.PROVIDER_REJECTED, "x", for_good=True))
    assert found == Refused(Reason.PROVIDER_REJECTED, Answer(text="x"))


def test_a_row_waits_the_longer_and_tries_no_more_than_it_says():
    """The provider's wish is never undercut, nor is the table's own wait."""
    row = Row(("1",), Deferred(Reason.THROTTLED, 60.0), "slow", tries=3, then=Reason.UNREACHABLE_RECIPIENT)
    assert outcome_of(row, ANSWER, attempt=1) == Deferred(Reason.THROTTLED, 60.0, ANSWER)
    assert outcome_of(row, ANSWER, attempt=2, not_before=90.0) == Deferred(Reason.THROTTLED, 90.0, ANSWER)
    assert outcome_of(row, ANSWER, attempt=2, not_before=9.0) == Deferred(Reason.THROTTLED, 60.0, ANSWER)
    assert outcome_of(row, ANSWER, attempt=3) == Refused(Reason.UNREACHABLE_RECIPIENT, ANSWER)
    assert (
        in_words(row) == "deferred `throttled`, 60 s at least; from try 3 on refused `unreachable_recipient`"
    )


def test_a_code_stands_once():
    row = Row(("1",), AGAIN, "x")
    with pytest.raises(ValueError, match="1 stands twice"):
        by_code((row, row))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (21211, "21211"),
        ("20003", "20003"),
        ("a b", None),
        (True, None),
        (None, None),
        ([1], None),
        ("x" * 31, None),
    ],
)
def test_only_what_looks_like_a_code_is_one(value, code):
    """It is kept unmasked, so that it must be too short and plain to hold anything else."""
    assert http_answers.code_of(value) == code


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"[" * 60_000, b"\xff\xfe"])
def test_what_is_no_object_is_an_empty_one(body):
    """However deep or broken."""
    assert http_answers.json_object(Reply(200, {}, body)) == {}


def test_every_spelling_of_what_is_private_is_masked():
    """As it was, percent-encoded, as a form, escaped for JSON."""
    text = 'say "hé" & go'
    spelled = (
        "say%20%22h%C3%A9%22%20%26%20go say+%22h%C3%A9%22+%26+go s3cret%2Fkey %2B447700900123 447700900123"
    )
    echoed = f'{text} | say \\"h\\u00e9\\" & go | {spelled} | +447700900123'
    found = http_answers.answer_of(
        "1", echoed, recipient="+447700900123", content=Content(text=text), secrets=("s3cret/key",)
    )
    for private in ("say", "h\u00e9", "77009", "s3cret"):
        assert private not in found.text
