"""The simulator: each ending by the recipient and the attempt's number alone."""

from uuid import UUID

import pytest

from notifier.delivery.breaker import Health, health_of
from notifier.domain.answer_rules import AnswerClass, AnswerCode, AnswerRules
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Refused, Uncertain
from notifier.domain.recipients import EmailAddress
from notifier.domain.simulator import Ending
from notifier.providers.base import Deadline
from notifier.providers.simulator import RECEIPTS, Simulator, accounts
from notifier.providers.urls import ProviderUrlError, parse_url

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def sent(local, attempt=1, seconds=60.0):
    """The outcome, and the seconds it waited."""
    waited = []
    to = EmailAddress.parse(f"{local}@simulator.notifier")
    outgoing = Outgoing(id=ID, recipient=to, content=Content(text="x"), attempt=attempt)
    outcome = Simulator(waited.append).send(outgoing, Deadline(seconds))
    return outcome, sum(waited)


def story(local, attempts=4):
    """What each attempt ends with, in short."""
    outcomes = [sent(local, n)[0] for n in range(1, attempts + 1)]
    return [(type(one), one.reason, getattr(one, "not_before", None)) for one in outcomes]


ACCEPTED = (Accepted, None, None)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("delivered", [ACCEPTED] * 4),
        ("complaint", [ACCEPTED] * 4),
        ("undelivered", [ACCEPTED] * 4),
        ("nobody-in-particular", [ACCEPTED] * 4),
        ("slow-30s", [ACCEPTED] * 4),
        ("bounce", [(Refused, Reason.INVALID_RECIPIENT, None)] * 4),
        ("timeout", [(Uncertain, Reason.UNCERTAIN, None)] * 4),
        ("soft-bounce", [(Deferred, Reason.PROVIDER_UNAVAILABLE, 1.0)] * 2 + [ACCEPTED] * 2),
        ("throttled", [(Deferred, Reason.THROTTLED, 5.0)] + [ACCEPTED] * 3),
    ],
)
def test_each_attempt_ends_as_it_is_written_down(local, expected):
    assert story(local) == expected


def test_a_throttle_is_its_messages_own():
    """One who tests a throttle holds nobody else up."""
    outcome, _ = sent("throttled")
    assert outcome.one_connection


@pytest.mark.parametrize("ending", Ending)
def test_no_rule_for_a_real_providers_code_changes_an_ending(ending):
    """Whatever an operator says of 250, 452, 550 or 429."""
    classes = {AnswerCode(Channel.EMAIL, code): AnswerClass.CONFIG for code in ("250", "452", "550", "429")}
    outcome, _ = sent(str(ending))
    assert AnswerRules(classes).judge(Channel.EMAIL, outcome) is outcome
    if not isinstance(outcome, Uncertain):
        assert outcome.answer.code == f"simulated {ending}"


@pytest.mark.parametrize("ending", [one for one in Ending if one is not Ending.TIMEOUT])
def test_only_a_timeout_counts_against_the_breaker(ending):
    assert [health_of(sent(str(ending), n)[0]) for n in (1, 2, 3)] == [Health.WELL] * 3
    assert health_of(sent("timeout")[0]) is Health.ILL


def test_a_slow_answer_takes_its_time_and_never_more_than_the_deadline():
    outcome, waited = sent("slow-30s", seconds=60.0)
    assert (type(outcome), waited) == (Accepted, 30.0)
    outcome, waited = sent("slow-30s", seconds=20.0)
    assert type(outcome) is Uncertain
    assert 19.0 < waited <= 20.0


def test_no_other_ending_waits():
    assert not any(sent(str(ending))[1] for ending in Ending if ending is not Ending.SLOW)


def test_each_attempt_has_its_own_reference():
    assert sent("delivered")[0].reference != sent("delivered", 2)[0].reference
    assert sent("delivered")[0] == sent("delivered")[0]


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("nobody-in-particular", [(Status.DELIVERED, None)]),
        ("delivered", [(Status.DELIVERED, None)]),
        ("slow-30s", [(Status.DELIVERED, None)]),
        ("undelivered", [(Status.UNDELIVERED, Reason.UNREACHABLE_RECIPIENT)]),
        ("complaint", [(Status.DELIVERED, None), (Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT)]),
    ],
)
def test_what_is_accepted_is_followed_by_the_receipts_that_are_written_down(local, expected):
    outcome, _ = sent(local)
    assert [(one.status, one.reason) for one in outcome.follows] == expected
    assert {one.reference for one in outcome.follows} == {outcome.reference}


def test_every_recipient_that_is_accepted_has_a_receipt_to_follow():
    assert set(RECEIPTS) == {None, *Ending}
    assert all(RECEIPTS.values())


@pytest.mark.parametrize("channel", Channel)
def test_no_url_names_it_or_takes_its_name(channel):
    """So a live key can't be led to it, and no real account can be taken for it."""
    for url in ("simulator://", "console://?name=simulator"):
        with pytest.raises(ProviderUrlError, match="simulator"):
            parse_url(channel, url)
    assert accounts(2.0)[channel].name == "simulator"
