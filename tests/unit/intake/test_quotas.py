"""The door's side of a tenant's quota, by a clock of the test's own."""

from notifier.domain.quotas import Quota
from notifier.intake.quotas import TenantQuotas
from notifier.storage.limit_stores import LocalLimits


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def made(**quotas):
    clock = Clock()
    return clock, TenantQuotas(quotas, LocalLimits(clock), 0.01)


def test_all_of_a_quota_may_come_at_once_and_the_next_is_told_when():
    clock, quotas = made(acme=Quota(10, 60))
    verdicts = [quotas.take("acme", 1) for _ in range(10)]
    assert [one.wait for one in verdicts] == [0.0] * 10
    assert [one.left for one in verdicts] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    refused = quotas.take("acme", 1)
    assert 5.9 < refused.wait <= 6.0
    assert (refused.left, refused.quota) == (0, Quota(10, 60))
    clock.now += 6.0
    assert quotas.take("acme", 1).wait == 0.0
    assert quotas.take("acme", 1).wait > 5.9


def test_a_batch_beyond_what_is_left_comes_in_whole_and_the_next_waits_until_it_is_paid():
    """Else a batch larger than the quota could never come in."""
    clock, quotas = made(acme=Quota(10, 60))
    assert quotas.take("acme", 25).wait == 0.0
    refused = quotas.take("acme", 1)
    assert 95.9 < refused.wait <= 96.0
    clock.now += 90.0
    assert quotas.take("acme", 1).wait > 0
    clock.now += 6.0
    assert quotas.take("acme", 1).wait == 0.0


def test_a_refused_request_pays_nothing():
    clock, quotas = made(acme=Quota(1, 60))
    assert quotas.take("acme", 1).wait == 0.0
    for _ in range(50):
        assert quotas.take("acme", 100).wait > 0
    clock.now += 60.0
    assert quotas.take("acme", 1).wait == 0.0


def test_tenants_do_not_share_a_quota_and_who_has_none_is_not_asked():
    _, quotas = made(**{"*": Quota(1, 3600)})
    assert quotas.take("one", 1).wait == quotas.take("two", 1).wait == 0.0
    assert quotas.take("one", 1).wait > 0
    _, named = made(acme=Quota(1, 60))
    assert not named.limits("other")
    assert named.take("other", 1) is None
