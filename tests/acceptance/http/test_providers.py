"""The operator's routes for providers: breakers and calls as workers tell them, disabling with its audit."""

import uuid

import msgspec
import pytest
import structlog

from notifier.domain.keys import key_id_of
from notifier.domain.lanes import Channel
from notifier.http.answer_types import Provider, ProviderList
from notifier.storage import provider_states, workers
from notifier.storage.provider_states import ProviderKey
from notifier.storage.workers import Beat

MAIN, SPARE = ProviderKey(Channel.EMAIL, "smtp-main"), ProviderKey(Channel.EMAIL, "smtp-spare")
DISABLE, ENABLE = "/v1/providers/smtp-main/disable", "/v1/providers/smtp-main/enable"


@pytest.fixture
def admin(door):
    return door.new_key(scopes=("admin",))


def beat(door, **told):
    """A worker's beat that tells so of smtp-main."""
    report = {"providers": {str(MAIN): {"breaker": "closed", "errors": 0.0, "slow": 0.0, **told}}}
    workers.beat(door.engine, Beat(id=uuid.uuid4(), role="worker", host="a", pid=1, report=report))


async def providers(door):
    answer = await door.ask("GET", "/v1/providers")
    assert answer.status == 200
    return {(one.channel, one.name): one for one in msgspec.json.decode(answer.body, type=ProviderList).data}


async def test_every_configured_account_is_there_in_its_order(door):
    """Also with nobody at work, and before anything was ever said of one."""
    found = await providers(door)
    assert list(found) == [
        ("email", "smtp-main"),
        ("email", "smtp-spare"),
        ("sms", "console"),
        ("push", "console"),
    ]
    assert [one.preference for one in found.values()] == [1, 2, 1, 1]
    assert {(one.breaker, one.disabled, one.calls, one.error_rate) for one in found.values()} == {
        ("closed", False, 0, None)
    }


async def test_calls_are_joined_over_the_living(door):
    """A rate counts each worker by its calls; the slowest worker's percentile is told."""
    beat(door, calls=30, errors=0.0, p95=0.2)
    beat(door, calls=10, errors=1.0, p95=1.5)
    workers.beat(door.engine, Beat(id=uuid.uuid4(), role="worker", host="old", pid=2, report={}))
    found = (await providers(door))["email", "smtp-main"]
    assert (found.workers, found.calls, found.error_rate, found.p95_seconds) == (2, 40, 0.25, 1.5)


async def test_permits_are_told_by_those_who_take_them(door):
    """Who saw the limit lowered says so for all; an account without a limit, or nobody at work, tells nothing."""
    beat(door, calls=1, p95=0.2, limit=14.0, rate=14.0, held=0.0)
    beat(door, calls=1, p95=0.2, limit=14.0, rate=7.2, held=3.5)
    found = await providers(door)
    main, spare = found["email", "smtp-main"], found["email", "smtp-spare"]
    assert (main.limit_per_second, main.permits_per_second, main.held_seconds) == (14.0, 7.2, 3.5)
    assert (spare.limit_per_second, spare.permits_per_second, spare.held_seconds) == (None, None, None)


async def test_an_open_breaker_says_why_and_when_it_is_probed(door):
    provider_states.open_breaker(door.engine, MAIN, "slow", uuid.uuid4(), lambda openings: 60.0)
    found = (await providers(door))["email", "smtp-main"]
    assert (found.breaker, found.why) == ("open", "slow")
    assert 50 < found.probe_in_seconds <= 60
    assert found.opened_at is not None
    assert (await providers(door))["email", "smtp-spare"].breaker == "closed"


async def test_an_account_is_disabled_and_enabled_by_name(door, admin):
    """Who said so first remains; both are events of the log."""
    with structlog.testing.capture_logs() as events:
        answer = await door.ask("POST", DISABLE, key=admin)
        again = await door.ask("POST", DISABLE, key=door.new_key(scopes=("admin",)))
    assert (answer.status, again.status) == (200, 200)
    told = msgspec.json.decode(again.body, type=Provider)
    assert (told.disabled, told.disabled_by) == (True, key_id_of(admin))
    assert [one["event"] for one in events if one["event"].startswith("provider_")] == ["provider_disabled"]
    back = msgspec.json.decode((await door.ask("POST", ENABLE, key=admin)).body, type=Provider)
    assert (back.disabled, back.disabled_by, back.disabled_at) == (False, None, None)


async def test_a_name_of_two_channels_asks_which(door, admin):
    answer = await door.ask("POST", "/v1/providers/console/disable", key=admin)
    assert answer.status == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "?channel"
    assert "sms, push" in error["detail"]
    good = await door.ask("POST", "/v1/providers/console/disable?channel=push", key=admin)
    assert good.status == 200
    found = await providers(door)
    assert [found[channel, "console"].disabled for channel in ("sms", "push")] == [False, True]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/providers/nobody/disable", 404),
        ("/v1/providers/smtp-main/disable?channel=sms", 404),
        ("/v1/providers/smtp-main/disable?channel=fax", 422),
        ("/v1/providers/smtp-main/disable?colour=red", 422),
        ("/v1/providers?x=1", 405),
    ],
)
async def test_what_is_not_there_is_refused(door, admin, path, status):
    assert (await door.ask("POST", path, key=admin)).status == status
    assert provider_states.read(door.engine) == {}


async def test_only_those_who_may_do_so(door):
    for method, path, scope in (
        ("GET", "/v1/providers", "send"),
        ("POST", DISABLE, "read"),
        ("POST", ENABLE, "send"),
    ):
        assert (await door.ask(method, path, key=door.new_key(scopes=(scope,)))).status == 403
    assert provider_states.read(door.engine) == {}
