"""The operator's view of what happened: breakers, and who disabled, enabled, paused or resumed what."""

import uuid

import msgspec
import pytest

from notifier.domain.keys import key_id_of
from notifier.domain.lanes import Channel
from notifier.http.operator_event_answers import OperatorEventPage
from notifier.http.pages import make_cursor
from notifier.storage import provider_states
from notifier.storage.provider_states import ProviderKey

PATH = "/v1/operator-events"
MAIN = ProviderKey(Channel.EMAIL, "smtp-main")


@pytest.fixture
def admin(door):
    return door.new_key(scopes=("admin",))


async def page(door, query="", **more):
    answer = await door.ask("GET", f"{PATH}{query}", **more)
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body, type=OperatorEventPage)


async def steer(door, admin):
    """Four words of an operator."""
    for path in (
        "/v1/providers/smtp-main/disable",
        "/v1/lanes/email/low/pause",
        "/v1/lanes/email/low/resume",
        "/v1/providers/smtp-main/enable",
    ):
        assert (await door.ask("POST", path, key=admin)).status == 200


async def test_nothing_happened_at_first(door):
    found = await page(door)
    assert (found.data, found.next_cursor) == ([], None)


async def test_an_operators_words_stand_there_with_the_key_that_said_them(door, admin):
    await steer(door, admin)
    assert (await door.ask("POST", "/v1/providers/smtp-main/enable", key=admin)).status == 200
    found = (await page(door)).data
    assert [(one.kind, one.channel, one.provider, one.priority) for one in found] == [
        ("provider_enabled", "email", "smtp-main", None),
        ("lane_resumed", "email", None, "low"),
        ("lane_paused", "email", None, "low"),
        ("provider_disabled", "email", "smtp-main", None),
    ]
    assert {one.by for one in found} == {key_id_of(admin)}
    assert {(one.reason, len(one.facts)) for one in found} == {(None, 0)}


async def test_a_breakers_way_is_told_with_its_reason_and_how_long_it_was_out(door):
    owner = uuid.uuid4()
    provider_states.open_breaker(door.engine, MAIN, "slow", owner, lambda openings: 0.0)
    assert provider_states.take_probe(door.engine, MAIN, owner, 5.0)
    out = provider_states.close_breaker(door.engine, MAIN, owner)
    closed, opened = (await page(door)).data
    assert (opened.kind, opened.reason, opened.by, opened.facts) == (
        "breaker_opened",
        "slow",
        None,
        {"worker": str(owner)},
    )
    assert (closed.kind, closed.reason, closed.by) == ("breaker_closed", None, None)
    assert closed.facts == {
        "worker": str(owner),
        "out_seconds": round(out.total_seconds(), 3),
        "failed_probes": 0,
    }
    assert closed.id > opened.id
    assert closed.at >= opened.at


async def test_pages_and_filters(door, admin):
    """A cursor belongs to its filter; `after` is for who asks again and again."""
    await steer(door, admin)
    everything = (await page(door)).data
    first = await page(door, "?limit=3")
    assert first.data == everything[:3]
    rest = await page(door, f"?limit=3&cursor={first.next_cursor}")
    assert (rest.data, rest.next_cursor) == (everything[3:], None)
    assert (await page(door, f"?after={everything[1].id}")).data == everything[:1]
    assert (await page(door, f"?after={everything[0].id}")).data == []
    assert (await page(door, "?kind=lane_paused")).data == [everything[2]]
    assert (await page(door, "?provider=smtp-main&channel=email")).data == [everything[0], everything[3]]
    assert (await page(door, "?channel=sms")).data == []
    other = await door.ask("GET", f"{PATH}?kind=lane_paused&cursor={first.next_cursor}")
    assert (other.status, other.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?kind=nothing", "?kind"),
        ("?channel=fax", "?channel"),
        ("?after=-1", "?after"),
        ("?after=x", "?after"),
        ("?after=9223372036854775808", "?after"),
        ("?after=%D9%A5", "?after"),
        ("?limit=0", "?limit"),
        ("?provider=", "?provider"),
        ("?colour=red", "?colour"),
        ("?after=1&after=2", "?after"),
    ],
)
async def test_what_is_wrong_is_named(door, query, pointer):
    answer = await door.ask("GET", f"{PATH}{query}")
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_the_last_id_there_may_be_is_no_error(door):
    assert (await page(door, "?after=9223372036854775807")).data == []


@pytest.mark.parametrize("number", [2**63, 2**128 - 1])
async def test_a_cursor_made_up_for_an_id_that_none_has_is_none_of_ours(door, number):
    made = make_cursor("acme", "operator-events?{}", uuid.UUID(int=number))
    answer = await door.ask("GET", f"{PATH}?cursor={made}")
    assert (answer.status, answer.json()["code"]) == (400, "invalid_cursor")


async def test_only_those_who_may_read_do_so(door):
    assert (await door.ask("GET", PATH, key=door.new_key(scopes=("send",)))).status == 403
    assert (await door.ask("GET", PATH, key="")).status == 401
    assert (await door.ask("POST", PATH)).status == 405


async def test_with_storage_away_it_is_503(door):
    await page(door)
    door.lose_storage()
    assert (await door.ask("GET", PATH)).status == 503
    door.find_storage()
