"""Cancel is truthful: 200 means that it will not be sent, 409 that it is too late."""

import asyncio
import random

import aiohttp

from tests.acceptance.fleet import Fleet, email, message_id

RACES = 1_000
CLIENTS = 16


async def race(address: str, key: str) -> dict[str, int]:
    """Post and cancel at once, many times; the answer to each cancel by id."""
    dice = random.Random(7)
    answers: dict[str, int] = {}
    numbers = iter(range(RACES))

    async def client(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            async with session.post("/v1/notifications", json=email(number)) as answer:
                assert answer.status == 202, await answer.text()
                one = (await answer.json())["id"]
            # Reading it first gives the worker a head start in half of the races.
            for _ in range(dice.randrange(4)):
                async with session.get(f"/v1/notifications/{one}") as answer:
                    await answer.read()
            async with session.post(f"/v1/notifications/{one}/cancel") as answer:
                answers[one] = answer.status
                if answer.status == 409:
                    assert (await answer.json())["code"] == "too_late"

    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(address, headers=headers) as session:
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
    return answers


def test_what_was_cancelled_is_never_sent(tmp_path, postgres_url, rabbitmq_vhost_url):
    """1,000 races of a cancel against the claim: every 200 was not sent, every 409 was."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.migrate()
        fleet.sink()
        fleet.serve()
        fleet.work()
        fleet.wait_for_workers(1)

        answers = asyncio.run(race(f"http://127.0.0.1:{fleet.ports[0]}", fleet.key()))
        fleet.wait_for_final(RACES, timeout=60)

        cancelled = {message_id(one) for one, status in answers.items() if status == 200}
        too_late = {message_id(one) for one, status in answers.items() if status == 409}
        delivered = fleet.delivered()
        assert len(cancelled) + len(too_late) == RACES
        assert cancelled, "the claim always won: no race was run"
        assert too_late, "the cancel always won: no race was run"
        assert not cancelled & set(delivered)
        assert delivered == dict.fromkeys(too_late, 1)
