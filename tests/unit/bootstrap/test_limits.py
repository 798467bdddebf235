"""The limits that Settings name: each account with a rate, each lane with one, and who takes from them."""

import pytest

from notifier.bootstrap.limits import named_limits
from notifier.bootstrap.providers import make_accounts
from notifier.settings import load_settings


def named(**variables):
    settings = load_settings({f"NOTIFIER_{name.upper()}": text for name, text in variables.items()})
    return named_limits(settings, make_accounts(settings))


def test_nothing_has_a_limit_unless_it_is_said():
    assert named() == {}


def test_accounts_are_limited_by_their_urls():
    """Named within their channel; the burst is 0.2 s worth unless said; all lanes of the channel share it."""
    found = named(
        email_providers="smtp://127.0.0.1?rate=50/s smtp://127.0.0.2?rate=600/m&burst=7&name=bulk",
        sms_providers="console://?rate=1800/h",
        rate_lease_seconds="0.5",
        rate_recovery_seconds="60",
    )
    shown = {name: (limit.rate, limit.burst) for name, (limit, _) in found.items()}
    assert shown == {
        "email/smtp-127.0.0.1": (pytest.approx(50), 10),
        "email/bulk": (pytest.approx(10), 7),
        "sms/console": (pytest.approx(0.5), 1),
    }
    limit, lanes = found["email/bulk"]
    assert (limit.lead, limit.recovery) == (0.5, 60.0)
    assert [lane.name for lane in lanes] == ["email.high", "email.medium", "email.low"]


def test_lanes_are_limited_by_their_own_setting():
    ((name, (limit, lanes)),) = named(lane_rates="email.low=30/m").items()
    assert (name, limit.rate, [lane.name for lane in lanes]) == (
        "lane/email.low",
        pytest.approx(0.5),
        ["email.low"],
    )
