"""The feed of the lanes: one look for all, none for nobody, and a bounded number who watch."""

import asyncio
import contextlib
import json

import pytest

from notifier.http.lane_feed import LaneFeed, Seen
from notifier.http.problems import Problem


class Looks:
    """Counts looks; each is told as its number."""

    def __init__(self):
        self.number = 0
        self.away = False

    async def __call__(self):
        self.number += 1
        event = f"{self.number}".encode()
        return Seen(event, None if self.away else {"at": str(self.number)})


async def test_all_viewers_share_one_look():
    """However many watch, storage is asked once."""
    looks = Looks()
    feed = LaneFeed(looks, viewers=50, every=60.0)
    with contextlib.ExitStack() as stack:
        viewers = [stack.enter_context(feed.viewer()) for _ in range(50)]
        told = [await viewer.take(5.0) for viewer in viewers]
    assert (told, looks.number) == ([b"1"] * 50, 1)
    feed.close()


async def test_nobody_watching_nothing_is_looked_at():
    """The last who goes ends it; the next who comes begins it again."""
    looks = Looks()
    feed = LaneFeed(looks, viewers=1, every=0.001)
    with feed.viewer() as viewer:
        assert await viewer.take(5.0)
    await asyncio.wait_for(feed._looking, 5.0)
    seen = looks.number
    with feed.viewer() as viewer:
        assert int(await viewer.take(5.0)) == seen + 1
    feed.close()


async def test_one_too_many_is_refused_and_a_place_comes_back():
    """503 with Retry-After."""
    feed = LaneFeed(Looks(), viewers=1, every=60.0)
    with feed.viewer():
        with pytest.raises(Problem) as refused, feed.viewer():
            pass
        assert (refused.value.code, refused.value.headers["Retry-After"]) == ("unavailable", "10")
    with feed.viewer() as viewer:
        assert await viewer.take(5.0)
    feed.close()


async def test_who_is_slow_gets_the_newest():
    """Nothing piles up for him."""
    looks = Looks()
    feed = LaneFeed(looks, viewers=2, every=0.001)
    with feed.viewer() as quick, feed.viewer() as slow:
        while looks.number < 5:
            await quick.take(5.0)
        told = int(await slow.take(5.0))
        assert told >= 4
        following = await slow.take(5.0)
        assert int(following) > told
    feed.close()


async def test_ten_minutes_are_kept_and_what_is_not_known_is_left_out():
    """A newcomer has the picture; moments without storage are none."""
    looks = Looks()
    feed = LaneFeed(looks, viewers=1, every=0.001)
    with feed.viewer() as viewer:
        await viewer.take(5.0)
        looks.away = True
        missing = int(await viewer.take(5.0))
        while int(await viewer.take(5.0)) <= missing + 1:
            pass
    kept = [one["at"] for one in json.loads(feed.history())["data"]]
    assert kept[0] == "1"
    assert str(missing + 1) not in kept
    short = LaneFeed(Looks(), viewers=1, every=60.0, kept=0.0)
    with short.viewer() as viewer:
        await viewer.take(5.0)
    assert json.loads(short.history()) == {"data": []}
    feed.close()
    short.close()
