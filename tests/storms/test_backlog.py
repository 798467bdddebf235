"""A deep backlog of low priority, and high arrives (F24; promise 5 as far as lanes in turn carry it)."""

import asyncio
import json

import aiohttp
import pytest

from tests.storms.kit import form, measures
from tests.storms.kit.load import email

BATCH = 1000
MEGABYTES = 300
#: What one question of the relay may cost, in milliseconds.
QUESTION = 50.0


def high(number: int) -> dict[str, object]:
    """A request for the e-mails' high lane."""
    return email(number) | {"priority": "high"}


def pile_up(installation, number: int) -> None:
    """Post so many low e-mails in batches of a thousand, four at a time."""
    bodies = [email(at) | {"priority": "low"} for at in range(BATCH)]
    document = json.dumps({"items": bodies}).encode()
    headers = {
        "Authorization": f"Bearer {installation.key()}",
        "Content-Type": "application/json",
    }

    async def post(session: aiohttp.ClientSession, turn: int) -> None:
        port = installation.ports[turn % len(installation.ports)]
        url, key = f"http://127.0.0.1:{port}/v1/notifications/batch", {"Idempotency-Key": f"pile-{turn}"}
        for _ in range(20):
            async with session.post(url, data=document, headers=key) as answer:
                if answer.status == 202:
                    return
                assert answer.status in {409, 503}, await answer.text()
        raise AssertionError("a batch was never accepted")

    async def everything() -> None:
        turns = iter(range(number // BATCH))
        async with aiohttp.ClientSession(headers=headers) as session:

            async def client() -> None:
                for turn in turns:
                    await post(session, turn)

            await asyncio.gather(*(client() for _ in range(4)))

    asyncio.run(everything())


@pytest.mark.full
def test_high_passes_a_deep_backlog(case, installation):
    """High starts within 2 s at p99, no process grows past 300 MB, the relay's questions stay under 50 ms."""
    # A backlog is what nobody gets rid of as fast as it comes.
    installation.faults.set(delay=[0.1, 0.2])
    pile_up(installation, form.either(short=10_000, full=500_000))
    with case("F24", "high beside a deep backlog", pace=20, body=high) as storm:
        for _ in storm.repeats(short=10, full=60):
            storm.hit()
        left = sum(installation.counts().values()) - installation.counts().get("sent", 0)
        for name, took in measures.relay_questions(installation.engine).items():
            storm.remark(f"{name}_ms", took)
            assert took <= form.patience(QUESTION), name
        for role in ("http", "worker", "relay"):
            for pid in installation.children(role):
                size = measures.resident_megabytes(pid)
                storm.remark(f"{role}_mb", size)
                assert size <= MEGABYTES
        storm.remark("left", left)
    ids = list(storm.load.accepted.values())
    latencies = measures.start_latencies(installation.engine, installation.sunk, ids)
    assert len(latencies) == len(ids)
    storm.remark("start_p99_s", measures.quantile(latencies, 0.99))
    assert measures.quantile(latencies, 0.99) <= form.patience(2.0)
