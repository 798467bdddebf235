"""A tenant beyond its quota: 429 before anything is kept, and what is left in the headers of every answer."""

import json

import pytest
from sqlalchemy.exc import OperationalError

from notifier.domain.quotas import Quota
from notifier.intake.quotas import TenantQuotas
from notifier.storage.limit_stores import LocalLimits

SMS = {"channel": "sms", "to": {"phone": "+14155552671"}, "content": {"text": "Hello"}}
ONE = json.dumps(SMS)


def batch(number):
    return json.dumps({"items": [SMS] * number})


@pytest.fixture
def quotas():
    return TenantQuotas({"acme": Quota(3, 3600)}, LocalLimits(), 0.01)


async def test_beyond_its_quota_a_tenant_is_told_when_and_nothing_is_kept(door):
    """The Idempotency-Key of a refused request is not used up."""
    for left in (2, 1, 0):
        answer = await door.post(ONE)
        assert answer.status == 202
        assert answer.headers["RateLimit-Policy"] == '"tenant";q=3;w=3600'
        assert answer.headers["RateLimit"].startswith(f'"tenant";r={left};t=')
    refused = await door.post(ONE, headers={"Idempotency-Key": "again"})
    assert (refused.status, refused.json()["code"]) == (429, "rate_limited")
    assert 1100 < int(refused.headers["Retry-After"]) <= 1200
    assert refused.headers["RateLimit"].startswith('"tenant";r=0;t=')
    assert door.rows() == 3
    door.quotas._quotas.clear()
    kept = await door.post(ONE, headers={"Idempotency-Key": "again"})
    assert kept.status == 202
    assert "Idempotency-Replayed" not in kept.headers
    assert "RateLimit" not in kept.headers


async def test_a_batch_pays_for_each_item_and_another_tenant_is_not_concerned(door):
    assert (await door.post(batch(5), path="/v1/notifications/batch")).status == 202
    assert (await door.post(ONE)).status == 429
    assert (await door.post(batch(1), path="/v1/notifications/batch")).status == 429
    other = await door.post(ONE, key=door.new_key(tenant="other"))
    assert other.status == 202
    assert "RateLimit" not in other.headers
    assert door.rows() == 6


async def test_what_is_refused_or_only_checked_costs_nothing(door):
    for _ in range(5):
        assert (await door.post("{}")).status == 422
        assert (await door.post(ONE, path="/v1/notifications?dry_run=true")).status == 200
    assert (await door.post(ONE)).headers["RateLimit"].startswith('"tenant";r=2;')


@pytest.mark.parametrize("path", ["/v1/notifications", "/v1/notifications/batch"])
async def test_a_replay_pays_nothing_and_is_answered_although_the_quota_is_used_up(door, path):
    """Its Idempotency-Key owes it the first answer (promise 4), and its notifications were paid for."""
    body, key = (ONE if path == "/v1/notifications" else batch(1)), {"Idempotency-Key": "first"}
    first = await door.post(body, path=path, headers=key)
    again = await door.post(body, path=path, headers=key)
    assert (await door.post(ONE)).headers["RateLimit"].startswith('"tenant";r=1;')
    assert (await door.post(ONE)).headers["RateLimit"].startswith('"tenant";r=0;')
    assert (await door.post(ONE)).status == 429
    beyond = await door.post(body, path=path, headers=key)
    for replay in (again, beyond):
        assert (replay.status, replay.body) == (202, first.body)
        assert replay.headers["Idempotency-Replayed"] == "true"
        assert "RateLimit" not in replay.headers
    assert door.rows() == 3


async def test_a_key_that_came_with_another_body_is_no_way_around_the_quota(door):
    """What is no replay pays like any other request."""
    assert (await door.post(batch(3), path="/v1/notifications/batch")).status == 202
    assert (await door.post(ONE, headers={"Idempotency-Key": "new"})).status == 429
    assert door.rows() == 3


class Away:
    """A store that does not answer."""

    def lease(self, limit, ask):
        raise OperationalError("select", {}, Exception("away"))


async def test_with_the_quotas_out_of_reach_the_answer_is_503_and_nothing_is_kept(door):
    """As without any quota: the tenant tries again. Who has none is served."""
    door.quotas._store = Away()
    refused = await door.post(ONE, headers={"Idempotency-Key": "again"})
    assert (refused.status, refused.json()["code"]) == (503, "unavailable")
    assert "Retry-After" in refused.headers
    assert door.rows() == 0
    assert (await door.post(ONE, key=door.new_key(tenant="other"))).status == 202
