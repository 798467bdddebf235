"""Receipts at the door: a provider's signature stands for a key, and what it says is believed once."""

import asyncio
import io
import threading
from datetime import datetime
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from notifier.bootstrap.providers import receipt_readers
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Status
from notifier.domain.receipts import Handshake, NotNow, Receipt
from notifier.providers.base import ProviderDefaults, SetupError
from notifier.providers.readers import LateReader
from notifier.providers.registry import accounts
from notifier.storage import parked_receipts
from notifier.storage.engine import writing
from notifier.storage.provider_states import ProviderKey
from notifier.storage.tables import parked_receipts as parked_table
from notifier.storage.types import db_now_plus
from tests.acceptance.http.test_reading import ATTEMPT
from tests.unit.providers.test_twilio_receipts import ACCOUNT, SID, TOKEN, fields_of, signature

PUBLIC = "https://notify.example.com/v1/receipts/twilio?of=a%26b"
SMS = {"channel": "sms", "to": {"phone": "+14155552671"}, "content": {"text": "World"}}
ROUTE = "/v1/receipts/twilio"


class Reader:
    """Reads as it is told."""

    status = 200

    def __init__(self, read):
        self._read = read

    def __call__(self, request):
        return self._read(request)


TWILIO = ProviderKey(Channel.SMS, "twilio")


@pytest.fixture
def twilio(door):
    """The door has a Twilio account with receipts, and a console that has none."""
    url = f"twilio://{ACCOUNT}:{TOKEN}@?from=Acme&{urlencode({'receipts_url': PUBLIC})}"
    known = accounts({Channel.SMS: [url], Channel.EMAIL: ["console://"]}, ProviderDefaults())
    by_name = {channel: {one.name: one for one in found} for channel, found in known.items()}
    door.readers.update(receipt_readers(by_name))
    assert set(door.readers) == {TWILIO}
    return door


async def made(door, **values):
    """One that was sent through Twilio."""
    answer = await door.ask("POST", "/v1/notifications", json=SMS)
    sent = {
        "status": "sent",
        "provider_reference": SID,
        "finished_at": datetime.fromisoformat(answer.json()["created_at"]),
    }
    door.set_rows(last_attempt=ATTEMPT | {"provider": "twilio"}, **(sent | values))
    return answer.json()["id"]


async def show(door, wanted):
    return (await door.ask("GET", f"/v1/notifications/{wanted}")).json()


async def say(door, fields, *, path=f"{ROUTE}?of=changed", signed=None, url=PUBLIC, **headers):
    """As Twilio does: a form, signed, without a key of ours."""
    given = signature(url, fields) if signed is None else signed
    sent = {"X-Twilio-Signature": given, "Content-Type": "application/x-www-form-urlencoded"} | headers
    return await door.ask("POST", path, key="", headers=sent, data=urlencode(fields))


async def test_what_twilio_signed_ends_the_notification(twilio):
    """The signed URL is the one that Twilio was told, whatever a proxy made of it."""
    wanted = await made(twilio)
    answer = await say(twilio, fields_of(MessageStatus="undelivered", ErrorCode="30005"))
    assert (answer.status, answer.body) == (204, b"")
    found = await show(twilio, wanted)
    assert (found["status"], found["reason"]) == ("undelivered", "invalid_recipient")
    *_, sent, told = found["timeline"]
    assert sent["event"] == "sent"
    assert told.pop("at") >= sent["at"]
    assert told == {
        "event": "undelivered: invalid_recipient",
        "provider": "twilio",
        "code": "30005",
        "reason": "invalid_recipient",
    }
    (failure,) = (await twilio.ask("GET", "/v1/failures?status=undelivered")).json()["data"]
    assert (failure["id"], failure["reason"]) == (wanted, "invalid_recipient")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signed": ""}, "no signature"),
        ({"signed": "bm8="}, "wrong signature"),
        ({"url": PUBLIC.replace("https", "http")}, "wrong signature"),
        ({"fields": fields_of(AccountSid="AC" + "9" * 32)}, "another account"),
    ],
)
async def test_what_is_forged_is_refused_and_changes_nothing(twilio, changes, why):
    wanted = await made(twilio)
    changes = dict(changes)
    answer = await say(twilio, changes.pop("fields", fields_of()), **changes)
    assert answer.status == 403
    problem = answer.json()
    assert (problem["code"], problem["detail"]) == ("forged_receipt", why)
    assert (await show(twilio, wanted))["status"] == "sent"


async def test_a_key_of_ours_is_no_signature(twilio):
    wanted = await made(twilio)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await twilio.ask("POST", ROUTE, headers=headers, data=urlencode(fields_of()))
    assert answer.status == 403
    assert (await show(twilio, wanted))["status"] == "sent"


@pytest.mark.parametrize("name", ["console", "simulator", "nobody", "Twilio", "twilio%2F", "%00"])
async def test_whoever_has_no_receipts_is_not_there(twilio, name):
    answer = await say(twilio, fields_of(), path=f"/v1/receipts/{name}")
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


async def test_it_is_not_looked_at(twilio):
    answer = await twilio.ask("GET", ROUTE)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
async def test_a_body_is_read_up_to_its_limit(twilio, told):
    large = b"a" * (twilio.config.receipts_limit + 1)
    data = large if told else _pieces(large)
    answer = await twilio.ask("POST", ROUTE, key="", data=io.BytesIO(data) if told else data)
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")
    assert (await say(twilio, fields_of(Padding="a" * 400_000))).status == 204, (
        "above the usual limit, below its own"
    )


async def _pieces(large):
    yield large


async def test_the_same_receipt_again_is_taken_and_changes_nothing(twilio):
    wanted = await made(twilio)
    assert (await say(twilio, fields_of())).status == 204
    before = await show(twilio, wanted)
    assert before["status"] == "delivered"
    assert (await say(twilio, fields_of())).status == 204
    assert await show(twilio, wanted) == before


async def test_receipts_out_of_order_take_no_state_back(twilio):
    wanted = await made(twilio)
    for status in ("delivered", "sent", "undelivered", "queued", "delivered"):
        assert (await say(twilio, fields_of(MessageStatus=status))).status == 204
    found = await show(twilio, wanted)
    assert found["status"] == "delivered"
    events = [one["event"] for one in found["timeline"] if "provider" in one]
    assert events == ["delivered", "undelivered: provider_rejected"]


async def test_a_receipt_before_our_commit_is_matched_later(twilio):
    wanted = await made(twilio, status="sending", provider_reference=None, finished_at=None)
    assert (await say(twilio, fields_of())).status == 204
    assert (await show(twilio, wanted))["status"] == "sending"
    twilio.set_rows(status="sent", provider_reference=SID)
    with writing(twilio.engine) as connection:
        connection.execute(update(parked_table).values(look_at=db_now_plus(-1.0)))
        found, _ = parked_receipts.look_again(connection, 10)
    assert len(found.verdicts) == 1
    assert (await show(twilio, wanted))["status"] == "delivered"


async def test_another_tenants_notification_is_shown_to_nobody_else(twilio):
    """The provider's account serves all tenants; what it reports stays with whom it is about."""
    wanted = await made(twilio)
    other = twilio.new_key(tenant="other")
    assert (await say(twilio, fields_of())).status == 204
    assert (await twilio.ask("GET", f"/v1/notifications/{wanted}", key=other)).status == 404


async def test_storage_away_is_for_the_provider_to_try_again(twilio):
    wanted = await made(twilio)
    twilio.lose_storage()
    answer = await say(twilio, fields_of())
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    twilio.find_storage()
    async with asyncio.timeout(20):
        while (answer := await say(twilio, fields_of())).status == 503:
            pass
    assert answer.status == 204
    assert (await show(twilio, wanted))["status"] == "delivered"


async def test_an_introduction_is_answered_as_the_provider_wants_it(door):
    door.readers[ProviderKey(Channel.EMAIL, "ses")] = Reader(lambda _: Handshake("hello"))
    answer = await door.ask("POST", "/v1/receipts/ses", key="", data=b"{}")
    assert (answer.status, answer.body) == (200, b"hello")


def _not_set_up():
    raise SetupError("no certificate")


@pytest.mark.parametrize("reader", [Reader(lambda _: NotNow("no certificate")), LateReader(_not_set_up)])
async def test_what_can_not_be_judged_now_is_to_come_again(door, reader):
    door.readers[ProviderKey(Channel.EMAIL, "ses")] = reader
    answer = await door.ask("POST", "/v1/receipts/ses", key="", data=b"{}")
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")


async def test_one_name_in_two_channels_is_told_apart_by_the_channel(door):
    heard = []
    for channel in (Channel.EMAIL, Channel.SMS):
        door.readers[ProviderKey(channel, "main")] = Reader(
            lambda _, channel=channel: heard.append(channel) or []
        )
    for query in ("", "?channel=push", "?channel=email&channel=sms"):
        answer = await door.ask("POST", f"/v1/receipts/main{query}", key="", data=b"{}")
        assert answer.status == 422
        assert "email, sms" in answer.json()["errors"][0]["detail"]
    for channel in ("sms", "email"):
        assert (
            await door.ask("POST", f"/v1/receipts/main?channel={channel}", key="", data=b"{}")
        ).status == 200
    assert heard == [Channel.SMS, Channel.EMAIL]


async def test_a_reader_that_waits_holds_up_nobody_else(door):
    """It may have to fetch a certificate: that is done beside the event loop."""
    begun, go_on = threading.Event(), threading.Event()

    def reader(_):
        begun.set()
        assert go_on.wait(60)
        return [Receipt("unknown", Status.DELIVERED)]

    door.readers[ProviderKey(Channel.EMAIL, "ses")] = Reader(reader)
    waiting = asyncio.create_task(door.ask("POST", "/v1/receipts/ses", key="", data=b"{}"))
    assert await asyncio.to_thread(begun.wait, 20)
    assert (await door.ask("GET", "/livez", key="")).status == 200
    assert not waiting.done()
    go_on.set()
    assert (await waiting).status == 200, "what this provider wants"


async def test_a_request_holds_the_query_the_body_and_the_first_of_each_header(door):
    heard = []
    door.readers[ProviderKey(Channel.EMAIL, "ses")] = Reader(lambda request: heard.append(request) or [])
    await door.raw(
        b"POST /v1/receipts/ses?a=%20b HTTP/1.1\r\nHost: x\r\nX-One: first\r\nX-One: second\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\n\x00\xffb"
    )
    (request,) = heard
    assert (request.query, request.body, request.headers["x-one"]) == ("a=%20b", b"\x00\xffb", "first")
