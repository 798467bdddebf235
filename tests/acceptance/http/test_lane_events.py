"""`GET /v1/lanes/events`: the lanes as a stream, for a bounded number, ended in good order."""

import asyncio
import contextlib
import dataclasses
import json

import msgspec
import pytest

from notifier.domain.keys import key_id_of
from notifier.http import lane_events, lanes
from notifier.http.console_answers import LaneHistory, LaneNews
from notifier.storage import api_keys
from notifier.telemetry.metrics import REQUEST_SECONDS, REQUESTS
from tests.acceptance.http.conftest import CONFIG
from tests.acceptance.http.test_console import OURS, as_browser, session
from tests.acceptance.http.test_lanes import beat

PATH = "/v1/lanes/events"
PLACES = 3


@pytest.fixture
def config():
    return dataclasses.replace(CONFIG, lane_viewers=PLACES)


class Stream:
    """What one reader hears."""

    def __init__(self, answer):
        self.answer = answer

    async def next(self):
        """The next event as (name, value); None at the end of the stream."""
        name, value = None, None
        async with asyncio.timeout(20):
            while line := await self.answer.content.readline():
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("data: "):
                    value = json.loads(text[6:])
                elif not text and name:
                    return name, value
        return None

    async def until(self, name):
        """The first event with this name."""
        while (found := await self.next()) is not None:
            if found[0] == name:
                return found[1]
        raise AssertionError(f"it ended without {name}")


@contextlib.asynccontextmanager
async def opened(door, key=None, query=""):
    headers = {"Authorization": f"Bearer {key or door.key}"}
    async with door.client.get(f"{PATH}{query}", headers=headers) as answer:
        yield Stream(answer)


async def test_the_history_comes_first_then_every_lane(door):
    """A newcomer has what was seen before he came."""
    beat(door, running=2)
    async with opened(door) as stream:
        assert stream.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.answer.headers["Cache-Control"] == "no-store"
        assert await stream.next() == ("history", {"data": []})
        name, value = await stream.next()
        news = msgspec.convert(value, LaneNews)
        assert (name, news.threads) == ("lanes", 4)
        running = {one.lane: one.running for one in news.data if one.running}
        assert running == {"email.high": 2}
        async with opened(door) as other:
            name, value = await other.next()
            moments = msgspec.convert(value, LaneHistory).data
            assert (name, moments[0].threads, moments[0].running) == ("history", 4, running)


async def test_many_readers_cost_one_look(door, monkeypatch):
    """Storage is asked once a moment, whoever watches, and not at all when nobody does."""
    looks = []

    def counted(*args):
        looks.append(args)
        return lanes.facts_of(*args)

    monkeypatch.setattr(lane_events, "facts_of", counted)
    assert not looks
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(opened(door)) for _ in range(PLACES)]
        told = [[(await one.until("lanes"))["at"] for _ in range(2)] for one in streams]
    assert len({at for one in told for at in one}) <= len(looks) <= 4


async def test_a_place_is_needed_and_comes_back(door):
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(opened(door)) for _ in range(PLACES)]
        for one in streams:
            await one.until("lanes")
        refused = await door.ask("GET", PATH)
        assert (refused.status, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["Retry-After"] == "10"
    async with asyncio.timeout(20):
        # Who has gone is noticed when the next moment is told.
        while (await door.ask("GET", f"{PATH}?events=1")).status != 200:
            pass


async def test_it_ends_after_as_many_as_were_asked_for(door):
    async with opened(door, query="?events=2") as stream:
        assert [(await stream.next())[0] for _ in range(3)] == ["history", "lanes", "lanes"]
        assert await stream.next() is None


async def test_a_stream_is_counted_and_not_timed(door):
    """It lasts as long as somebody looks: that says nothing of how quickly the door answers."""
    await door.ask("GET", f"{PATH}?events=1")
    await door.ask("GET", "/v1/lanes")
    notes = list(door.tally.take())
    assert [labels for metric, labels, _ in notes if metric is REQUEST_SECONDS] == [("/v1/lanes",)]
    assert (PATH, "GET", "200") in [labels for metric, labels, _ in notes if metric is REQUESTS]


async def test_a_head_request_ends_at_once(door):
    answer = await asyncio.wait_for(door.ask("HEAD", PATH), 5)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("text", ["0", "-1", "x", "1000001", "1e3"])
async def test_a_wrong_number_is_422(door, text):
    answer = await door.ask("GET", f"{PATH}?events={text}")
    assert answer.status == 422


async def test_only_who_may_read_may_watch(door):
    assert (await door.ask("GET", PATH, key="")).status == 401
    assert (await door.ask("GET", PATH, key=door.new_key(scopes=("send",)))).status == 403


async def test_a_stream_ends_with_its_key(door, monkeypatch):
    """It is looked at again while the stream goes on."""
    monkeypatch.setattr(lane_events, "_TRUST", 0.0)
    key = door.new_key(scopes=("read",))
    async with opened(door, key) as stream:
        await stream.until("lanes")
        api_keys.revoke(door.engine, key_id_of(key))
        while await stream.next() is not None:
            pass


async def test_a_stream_ends_with_its_session(door, monkeypatch):
    """Somebody who took the cookie watches no longer than its owner."""
    monkeypatch.setattr(lane_events, "_TRUST", 0.0)
    headers = await session(door)
    async with door.client.get(PATH, headers=headers) as answer:
        stream = Stream(answer)
        await stream.until("lanes")
        assert (await as_browser(door, "DELETE", "/console/session", headers | OURS)).status == 204
        while await stream.next() is not None:
            pass


async def test_without_storage_it_says_so_and_goes_on(door):
    async with opened(door) as stream:
        await stream.until("lanes")
        door.lose_storage()
        assert "at" in await stream.until("unavailable")
        door.find_storage()
        assert await stream.until("lanes")


async def test_a_stop_ends_the_streams(door):
    """They don't hold the process up until its drain is over."""
    async with opened(door) as stream:
        await stream.until("lanes")
        door.stop.set()
        while await stream.next() is not None:
            pass
    time = asyncio.get_running_loop().time
    began = time()
    await asyncio.wait_for(door.serving, 10)
    assert time() - began < door.config.drain
