"""A wrong token is believed to be one only while few are: else it is the account that is wrong."""

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Refused
from notifier.providers.wrong_tokens import TokenWatch

ANSWER = Answer("BadDeviceToken")
INVALID = Refused(Reason.INVALID_RECIPIENT, ANSWER)
UNKNOWN = Refused(Reason.PROVIDER_REJECTED, ANSWER)
ACCOUNT = Deferred(Reason.AUTH_FAILED, answer=ANSWER)


def test_with_too_few_answers_nobody_is_suppressed():
    watch = TokenWatch()
    assert [watch.judge(ANSWER) for _ in range(9)] == [UNKNOWN] * 9
    assert watch.judge(ANSWER) == ACCOUNT


def test_one_in_five_is_still_a_wrong_token():
    watch = TokenWatch()
    for _ in range(40):
        watch.good()
    assert [watch.judge(ANSWER) for _ in range(10)] == [INVALID] * 10
    assert watch.judge(ANSWER) == ACCOUNT


def test_a_mended_account_is_believed_again():
    """After so many good answers as the window holds wrong ones."""
    watch = TokenWatch()
    for _ in range(50):
        watch.judge(ANSWER)
    for _ in range(39):
        watch.good()
    assert watch.judge(ANSWER) == ACCOUNT
    for _ in range(10):
        watch.good()
    assert watch.judge(ANSWER) == INVALID
