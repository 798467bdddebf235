"""The open loop of `notifier bench`, against a door of this test's own."""

import asyncio
import signal
from collections import Counter

import pytest
from aiohttp import web

from notifier.cli.bench_client import OpenLoop
from notifier.cli.bench_plan import Plan, magic_recipients
from notifier.domain.lanes import Lane
from notifier.settings.remote import Remote

LOW, HIGH = Lane.parse("email.low"), Lane.parse("sms.high")
MIX = ((LOW, 1), (HIGH, 1))


@pytest.fixture
def run(aiohttp_server):
    """Runs a plan against a handler of both routes; gives what was measured."""

    async def measure(handler, plan):
        app = web.Application()
        app.router.add_post("/v1/notifications", handler)
        app.router.add_post("/v1/notifications/batch", handler)
        server = await aiohttp_server(app)
        remote = Remote(str(server.make_url("")).rstrip("/"), "nk_test")
        return await OpenLoop(remote, plan, magic_recipients(), "bench-1", 60, lambda _: None).measure()

    return measure


async def test_a_door_that_holds_its_answers_slows_nobody_and_shows_in_every_wait(run):
    """No coordinated omission: all requests leave while the first is unanswered, and each wait is from its moment."""
    arrived, plan = asyncio.Event(), Plan(rate=50.0, seconds=0.4, batch=1, mix=MIX)
    numbers = []

    async def hold(request):
        numbers.append(1)
        if len(numbers) == plan.count:
            arrived.set()
        await arrived.wait()
        return web.json_response({}, status=202)

    found = await run(hold, plan)
    waits = sorted(one for some in found.accepts.values() for one in some)
    assert found.accepted == found.asked == plan.count == 20
    assert waits[-1] >= 19 / 50
    # A client that waited for each answer would have found one long wait and no other.
    assert waits[10] >= 9 / 50


async def test_refusals_are_counted_by_status_and_code_and_items_by_theirs(run):
    turns = iter(range(3))

    async def answer(request):
        items = (await request.json())["items"]
        match next(turns):
            case 0:
                wrong = {"index": 1, "error": {"code": "invalid_recipient"}}
                return web.json_response({"results": [{"index": 0, "id": "x"}, wrong]}, status=202)
            case 1:
                return web.json_response({"code": "unavailable", "n": len(items)}, status=503)
            case _:
                return web.Response(text="<html>", status=502)

    found = await run(answer, Plan(rate=60.0, seconds=0.1, batch=2, mix=MIX))
    assert found.errors == Counter(
        {"item invalid_recipient": 1, "503 unavailable": 2, "502 not as notifier answers": 2}
    )
    assert {lane: len(waits) for lane, waits in found.accepts.items()} == {LOW: 1}


async def test_a_run_that_can_only_be_refused_ends(run):
    """A wrong key is said after some answers, not after ten minutes of load."""

    async def refuse(request):
        return web.json_response({"code": "unauthorized"}, status=401)

    found = await run(refuse, Plan(rate=100.0, seconds=600.0, batch=1, mix=MIX))
    assert found.accepted == 0
    assert set(found.errors) == {"401 unauthorized"}
    assert found.asked < 1000
    assert not found.interrupted


async def test_ctrl_c_ends_it_with_what_was_measured(run):
    """No more leaves, what is under way is given up after a second, and the figures so far are kept."""
    answered = []

    async def once(request):
        answered.append(1)
        if len(answered) == 5:
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()
        return web.json_response({}, status=202)

    found = await run(once, Plan(rate=100.0, seconds=600.0, batch=1, mix=MIX))
    assert found.interrupted
    assert found.accepted >= 4
    assert found.asked < 1000


async def test_what_has_no_answer_is_an_error_of_its_kind(run):
    async def drop(request):
        request.transport.close()
        return web.Response()

    found = await run(drop, Plan(rate=20.0, seconds=0.1, batch=1, mix=MIX))
    assert found.accepted == 0
    assert list(found.errors) == ["no answer: ServerDisconnectedError"]


async def test_a_request_that_had_to_wait_for_room_counts_that_wait_and_blames_the_door(run, monkeypatch):
    """At the bound of requests under way the wait before leaving counts, and is not this client's own lateness."""
    monkeypatch.setattr("notifier.cli.bench_client._MOST_OPEN", 1)
    first = []

    async def stall(request):
        if not first:
            first.append(1)
            stalled = asyncio.Event()
            asyncio.get_running_loop().call_later(0.3, stalled.set)
            await stalled.wait()
        return web.json_response({}, status=202)

    found = await run(stall, Plan(rate=40.0, seconds=0.1, batch=1, mix=MIX))
    assert found.accepted == 4
    assert min(one for some in found.accepts.values() for one in some) >= 0.3 - 3 / 40
    assert len(found.late) == 1
