"""Growth, through the outer doors: relays make the partitions that rows go to, and drop what is older than the retention."""

import asyncio
import uuid
from datetime import timedelta

import aiohttp
from sqlalchemy import text

from notifier.domain.ids import uuid7
from notifier.domain.lifecycle import Status
from notifier.domain.partitions import Stretch
from notifier.storage import accepting, books, partitions
from notifier.storage.engine import writing
from tests.acceptance.fleet import Fleet, email
from tests.conformance.storage_kit import change, engine_at, new
from tests.nodes.waiting import wait_until

DAY = 86_400.0


def long_ago(engine, days):
    """A partition that ended so many days ago, with one notification that was sent and one that is still held."""
    with writing(engine) as connection:
        now = accepting.database_time(connection)
        end = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
        made = end - timedelta(hours=1)
        rows = [(new(), accepting.stored(new(), uuid7(made), made, 3600)) for _ in range(2)]
    stretch = Stretch(end - timedelta(days=5), end)
    with engine.connect() as connection:
        partitions.make(connection, stretch)
    with writing(engine) as connection:
        accepting.add_notifications(connection, rows, uuid.uuid4())
    sent, held = (one.id for _, one in rows)
    change(engine, sent, status=Status.SENT, finished_at=-days * DAY)
    change(engine, held, status=Status.HELD)
    return stretch, sent, held


def test_two_launches_keep_the_table_within_its_retention(tmp_path, postgres_url, rabbitmq_vhost_url):
    """What is accepted meanwhile is sent; what is held stays; the sum holds; both launches end in order."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet, engine_at(postgres_url) as engine:
        fleet.run("notifier", "migrate")
        fleet.sink()
        stretch, sent, held = long_ago(engine, days=32)
        door = fleet.serve()
        launches = [fleet.work(), fleet.work()]
        fleet.wait_for_workers(2)

        def parts():
            with engine.connect() as connection:
                return partitions.look(connection)

        wait_until(
            lambda: stretch.name not in (found := parts()).made and not found.retired, 60, "the old to go"
        )
        wait_until(lambda: parts().made, 60, "partitions ahead")
        asyncio.run(post_some(f"http://127.0.0.1:{fleet.ports[0]}", fleet.key(), 20))
        wait_until(lambda: len(fleet.delivered()) == 20, 60, "the e-mails")
        with engine.connect() as connection:
            places = connection.execute(text("select id, tableoid::regclass::text from notifications")).all()
        assert {place for one, place in places if one != held} == {parts().stretches[0].name}
        assert held in [one for one, _ in places]
        assert sent not in [one for one, _ in places]
        assert books.read(engine).balanced
        assert fleet.log.count("partition_dropped") == 1
        assert fleet.stop([*launches, door]) == [0, 0, 0]


async def post_some(address, key, number):
    async with aiohttp.ClientSession(address, headers={"Authorization": f"Bearer {key}"}) as session:
        for one in range(number):
            async with session.post("/v1/notifications", json=email(one)) as answer:
                assert answer.status == 202, await answer.text()
