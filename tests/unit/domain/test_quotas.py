"""A tenant's quota: what may be said of it, and what it lets through."""

import pytest

from notifier.domain import limits
from notifier.domain.limits import Ask
from notifier.domain.quotas import Quota, parse_quota, parse_quotas, quota_of


@pytest.mark.parametrize(
    ("text", "number", "seconds"), [("5/s", 5, 1), ("100/m", 100, 60), ("9999999/h", 9_999_999, 3600)]
)
def test_a_quota_is_a_number_and_a_unit(text, number, seconds):
    """And is shown as it was written."""
    assert parse_quota(text) == Quota(number, seconds)
    assert str(Quota(number, seconds)) == text


@pytest.mark.parametrize("text", ["", "0/s", "5", "5/d", "-1/s", "1.5/s", "5 / s", "10000000/s", "\u0665/s"])
def test_what_is_no_quota_is_refused(text):
    with pytest.raises(ValueError, match=r"100/m"):
        parse_quota(text)


@pytest.mark.parametrize(
    "text", ["acme", "acme=", "=5/s", "acme=5/s acme=6/s", "a b=5/s", "ä=5/s", "a/b=5/s"]
)
def test_each_tenant_is_named_once_and_by_a_name_it_may_have(text):
    with pytest.raises(ValueError):
        parse_quotas(text)


def test_any_stands_for_whoever_is_not_named():
    quotas = dict(parse_quotas("acme=5/s *=1/m"))
    assert (quota_of(quotas, "acme"), quota_of(quotas, "other")) == (Quota(5, 1), Quota(1, 60))
    assert quota_of({"acme": Quota(5, 1)}, "other") is None
    assert quota_of(quotas, "acme/test") == Quota(5, 1), "as many besides: each of the two has its own bucket"


def test_a_new_tenant_has_all_of_its_quota_and_then_a_permit_each_interval():
    """All at once, then evenly: in no window more than number x (1 + window / span), and a lease's worth."""
    limit = Quota(10, 60).limit("tenant/acme/accept", 0.25)
    bucket, taken, now = None, [], 0.0
    for _ in range(3000):
        bucket, lease = limits.lease(limit, bucket, Ask(wanted=1), now)
        taken += [now] * lease.granted
        now += 0.1
    assert taken[9] <= 1.0
    assert len(taken) <= 10 * (1 + (now + 0.25) / 60)
    assert len(taken) >= 10 * (1 + now / 60) - 1
