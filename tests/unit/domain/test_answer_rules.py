"""What a provider's code means is the operator's to say, and nothing else is touched by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.answer_rules import AnswerClass, AnswerCode, AnswerRules
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain

SPAM = Answer("550 5.7.1", "looks like spam")


def rules(**classes):
    return AnswerRules(
        {
            AnswerCode(Channel.EMAIL, code.replace("_", " ")): AnswerClass(name)
            for code, name in classes.items()
        }
    )


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("retry", Deferred(Reason.PROVIDER_UNAVAILABLE, None, SPAM)),
        ("throttle", Deferred(Reason.THROTTLED, None, SPAM)),
        ("permanent", Refused(Reason.PROVIDER_REJECTED, SPAM)),
        ("invalid", Refused(Reason.INVALID_RECIPIENT, SPAM)),
        ("config", Deferred(Reason.AUTH_FAILED, None, SPAM)),
        ("unknown", Uncertain(answer=SPAM)),
    ],
)
def test_each_class_becomes_its_outcome_and_the_answer_stays(name, outcome):
    given_rules = AnswerRules({AnswerCode.parse("email:550 5.7.1"): AnswerClass(name)})
    assert given_rules.judge(Channel.EMAIL, Refused(Reason.CONTENT_REJECTED, SPAM)) == outcome


def test_a_whole_code_goes_before_its_first_word():
    both = AnswerRules(
        {
            AnswerCode.parse("email:550"): AnswerClass.INVALID,
            AnswerCode.parse("email:550 5.7.1"): AnswerClass.RETRY,
        }
    )
    assert isinstance(both.judge(Channel.EMAIL, Refused(Reason.CONTENT_REJECTED, SPAM)), Deferred)
    other = both.judge(Channel.EMAIL, Refused(Reason.CONTENT_REJECTED, Answer("550 5.2.0", "")))
    assert other.reason is Reason.INVALID_RECIPIENT


def test_a_wait_that_the_provider_asked_for_is_kept():
    judged = rules(**{"451": "throttle"}).judge(
        Channel.EMAIL, Deferred(Reason.PROVIDER_UNAVAILABLE, 30.0, Answer("451", ""))
    )
    assert judged == Deferred(Reason.THROTTLED, 30.0, Answer("451", ""))


@pytest.mark.parametrize(
    "outcome",
    [Accepted("x", Answer("550", "")), Uncertain(answer=Answer("550", "")), Refused(Reason.RENDER_ERROR)],
)
def test_only_what_a_provider_refused_is_judged_anew(outcome):
    """A success stays one, and what nobody knows no setting knows either."""
    assert rules(**{"550": "retry"}).judge(Channel.EMAIL, outcome) is outcome


@given(st.text(max_size=40), st.sampled_from(Channel))
def test_no_code_breaks_a_rule(code, channel):
    """Codes come from the network."""
    outcome = Refused(Reason.PROVIDER_REJECTED, Answer(code, ""))
    judged = rules(**{"550": "retry"}).judge(channel, outcome)
    assert (judged is outcome) == (channel is not Channel.EMAIL or code.partition(" ")[0] != "550")
