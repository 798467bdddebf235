"""The tour of `notifier dev`: one notification down each lane through the door, and what became of it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import aiohttp
import click

from notifier.domain.lanes import Channel, Lane

_POLL = 0.05
_PATIENCE = 60.0
_FINAL = frozenset(
    {"sent", "delivered", "undelivered", "failed", "expired", "cancelled", "suppressed", "held"}
)
_EXAMPLES = {
    Channel.EMAIL: (
        {"email": "ada@example.com"},
        {
            "subject": "Welcome aboard",
            "text": "Your account is ready.",
            "html": "<p>Your account is ready.</p>",
        },
    ),
    # From the range that is kept for fiction, as the one below is.
    Channel.SMS: ({"phone": "+12025550123"}, {"text": "Your code is 123456"}),
    Channel.PUSH: (
        {"push_token": "a1" * 32, "platform": "apns"},
        {"title": "Parcel on its way", "text": "It arrives between 10 and 12."},
    ),
    Channel.CHAT: ({}, {"title": "Deploy done", "text": "Version 2 is out."}),
}


def example(lane: Lane, chat: str = "") -> dict[str, object]:
    """A request for `lane`; `chat` names the destination of one by chat."""
    to, content = _EXAMPLES[lane.channel]
    if lane.channel is Channel.CHAT:
        to = {"chat": chat}
    return {
        "channel": str(lane.channel),
        "priority": str(lane.priority),
        "to": to,
        "content": content,
        "reference": f"tour-{lane.name}",
    }


class Tour:
    """Posts to `address` with `key` down each of `lanes` and follows each notification to its ending.

    `chat` names the destination of those by chat.
    """

    def __init__(self, address: str, key: str, lanes: Sequence[Lane], chat: str = "") -> None:
        self._address = address
        self._lanes = lanes
        self._chat = chat
        self._headers = {"Authorization": f"Bearer {key}"}

    async def run(self, stop: asyncio.Event) -> bool:
        """Show each ending; True if all were sent."""
        click.echo(f"Sending one notification down each of the {len(self._lanes)} lanes:")
        async with aiohttp.ClientSession(self._address, headers=self._headers) as session:
            ids = [(lane, await self._post(session, lane)) for lane in self._lanes]
            endings = await asyncio.gather(*(self._ending(session, one, stop) for _, one in ids))
        click.echo()
        for (lane, one), ending in zip(ids, endings, strict=True):
            last = (ending.get("attempts") or [{}])[-1]
            click.echo(f"  {lane.name:<13} {one}  {ending['status']:<7} by {last.get('provider') or '-'}")
        sent = sum(ending["status"] in {"sent", "delivered"} for ending in endings)
        click.echo(f"\n{sent} of {len(ids)} delivered.")
        return sent == len(ids)

    async def _post(self, session: aiohttp.ClientSession, lane: Lane) -> str:
        async with session.post("/v1/notifications", json=example(lane, self._chat)) as answer:
            body = await answer.json()
            if answer.status != 202:  # noqa: PLR2004 - "accepted", and nothing else will do
                raise click.ClickException(f"the door answered {answer.status}: {json.dumps(body)}")
            return str(body["id"])

    async def _ending(self, session: aiohttp.ClientSession, one: str, stop: asyncio.Event) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        end = loop.time() + _PATIENCE
        while True:
            async with session.get(f"/v1/notifications/{one}") as answer:
                found: dict[str, Any] = await answer.json()
            if found.get("status") in _FINAL or stop.is_set() or loop.time() >= end:
                return found
            await asyncio.sleep(_POLL)


def greet(address: str, key: str, test_key: str) -> None:
    """Where it listens, its keys and a line to try."""
    body = json.dumps(
        {"channel": "sms", "priority": "high", "to": {"phone": "+12025550123"}, "content": {"text": "Hello"}}
    )
    click.echo(
        f"""
notifier listens at {address} (this machine only; Ctrl-C stops it)

  key    {key}
  test   {test_key} (nothing leaves; docs/testing-with-test-keys.md)
  try    curl -i {address}/v1/notifications \\
           -H 'Authorization: Bearer {key}' \\
           -H 'Content-Type: application/json' \\
           -d '{body}'
  sent   curl {address}/v1/dev/messages -H 'Authorization: Bearer {key}'
  look   {address}/console (log in with a key)
  API    {address}/docs, {address}/openapi.json
"""
    )
