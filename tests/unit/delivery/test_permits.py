"""What a worker tells operators of its limits."""

from notifier.bootstrap.back import joined
from notifier.delivery.fallback import Fallback
from notifier.delivery.permit_stock import PermitStock
from notifier.delivery.permits import Permits
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.limits import Limit
from notifier.domain.outcomes import Deferred

LIMIT = Limit("email/ses", 0.1, 1)


def permits():
    fallback = Fallback(LIMIT, lambda: 1, dice=lambda: 0.5)
    stock = PermitStock(LIMIT, fallback, weights=(4.0, 2.0, 1.0), reach=8, wake=lambda: None)
    return Permits({LIMIT.name: stock}, {Channel.EMAIL: ["ses", "spare"]}, clock=lambda: 100.0)


def test_an_account_with_a_limit_tells_it_and_one_without_only_that_it_is_held():
    """Nothing is told of one that has no limit and is well."""
    one = permits()
    assert one.report() == {"email/ses": {"limit": 10.0, "rate": 10.0, "held": 0.0}}
    for name in ("ses", "spare"):
        one.heard(Channel.EMAIL, name, Deferred(Reason.THROTTLED, not_before=30.0))
    assert one.report() == {
        "email/ses": {"limit": 10.0, "rate": 10.0, "held": 30.0},
        "email/spare": {"held": 30.0},
    }


def test_a_beat_tells_of_an_account_once():
    """Calls and permits together, under the account's name."""
    calls = {"email/ses": {"breaker": "closed", "calls": 3}, "sms/console": {"breaker": "closed", "calls": 0}}
    assert joined(calls, permits().report()) == {
        "email/ses": {"breaker": "closed", "calls": 3, "limit": 10.0, "rate": 10.0, "held": 0.0},
        "sms/console": {"breaker": "closed", "calls": 0},
    }
