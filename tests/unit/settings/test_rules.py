"""The rules of delivery in Settings: read, shown and refused as an operator would expect."""

import pytest

from notifier.bootstrap.back import retry_policy
from notifier.domain.answer_rules import AnswerClass, AnswerCode
from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.retries import GiveUp, RuleKey, Schedule, Wait
from notifier.settings import SettingsError, load_settings


def settings(**given):
    return load_settings({}, overrides=given)


def test_rules_go_before_the_waits_by_priority():
    policy = retry_policy(settings(retry_rules="throttled=30:600 email.high.provider_timeout=1:5:2"))
    assert policy.schedule(Channel.SMS, Priority.HIGH, Reason.THROTTLED) == Schedule(30, 600)
    decide = {"jitter": 0.99, "seconds_left": 1e6}
    lane = (Channel.EMAIL, Priority.HIGH, Reason.PROVIDER_TIMEOUT)
    assert isinstance(policy.decide(*lane, 1, **decide), Wait)
    assert policy.decide(*lane, 2, **decide) == GiveUp(Reason.RETRIES_EXHAUSTED)


def test_what_no_rule_names_keeps_its_waits():
    policy = retry_policy(settings(retry_rules="throttled=30:600"))
    assert policy.schedule(Channel.SMS, Priority.HIGH, Reason.PROVIDER_TIMEOUT) == Schedule(1, 60)
    assert policy.schedule(Channel.SMS, Priority.HIGH, Reason.AUTH_FAILED) == Schedule(60, 60)


def test_answers_are_read_with_their_spaces():
    found = dict(settings(answer_rules="email:550 5.7.1=retry, sms:30007=permanent").answer_rules)
    assert found == {
        AnswerCode(Channel.EMAIL, "550 5.7.1"): AnswerClass.RETRY,
        AnswerCode(Channel.SMS, "30007"): AnswerClass.PERMANENT,
    }


def test_empty_rules_are_none():
    assert settings(retry_rules="", answer_rules="").retry_rules is None


@pytest.mark.parametrize(
    "text",
    [
        "throttled", "throttled=", "throttled=30", "throttled=0:5", "throttled=5:1", "throttled=1:2:0",
        "throttled=1:2:3:4", "throttled=-1:5", "throttled=1:1e9", "throttled=1:inf", "throttled=1:999999",
        "throttled=1:2 throttled=3:4", "invalid_recipient=1:2", "fax.throttled=1:2", "throttled=1:2:²",
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_stops_the_start(text):
    with pytest.raises(SettingsError, match="NOTIFIER_RETRY_RULES: must be rules"):
        settings(retry_rules=text)


@pytest.mark.parametrize(
    "text",
    [
        "550=retry",
        "email:=retry",
        "email:550",
        "email:550=again",
        "fax:1=retry",
        "email:1=retry,email:1=config",
        ",",
    ],
)
def test_an_answer_that_makes_no_sense_stops_the_start(text):
    with pytest.raises(SettingsError, match="NOTIFIER_ANSWER_RULES: must be channel:code=class"):
        settings(answer_rules=text)


def test_they_are_shown_as_they_were_written():
    given = settings(retry_rules="throttled=30:600 email.high.provider_timeout=1:5:2")
    assert given.retry_rules == (
        (RuleKey(Reason.THROTTLED), Schedule(30, 600)),
        (RuleKey(Reason.PROVIDER_TIMEOUT, Channel.EMAIL, Priority.HIGH), Schedule(1, 5, 2)),
    )


@pytest.mark.parametrize(
    "wrong", ["acme", "acme=5", "acme=5/d", "acme=0/s", "acme=1.5/s", "acme=5/s acme=6/s", "a/b=5/s"]
)
def test_a_wrong_quota_stops_the_start_by_name(wrong):
    """And says what is allowed; right ones are shown as they were written."""
    with pytest.raises(SettingsError, match=r"NOTIFIER_TENANT_RATES.*acme=100/m other=5/s \*=1000/m"):
        settings(tenant_rates=wrong)
    assert settings(tenant_rates="").tenant_rates == ()
    named = settings(tenant_rates="acme=100/m *=5/s").tenant_rates
    assert [(name, str(quota)) for name, quota in named] == [("acme", "100/m"), ("*", "5/s")]
