"""Receipts at the door as SendGrid and Vonage send them: a batch in JSON, a JWT, a form."""

import json
import time
from datetime import datetime
from urllib.parse import urlencode

import pytest

from notifier.bootstrap.providers import receipt_readers
from notifier.domain.lanes import Channel
from notifier.providers.base import ProviderDefaults
from notifier.providers.registry import accounts
from notifier.providers.sendgrid_receipts import SIGNATURE, TIMESTAMP
from tests.acceptance.http.test_reading import ATTEMPT
from tests.unit.providers import test_sendgrid_receipts as sendgrid
from tests.unit.providers import test_vonage_receipts as vonage

URLS = {
    Channel.EMAIL: [f"sendgrid://:SG.k3y@?from=a@acme.example&verification_key={sendgrid.shown()}"],
    Channel.SMS: [f"vonage://{vonage.ACCOUNT}:s3cret@?from=Acme&signature_secret=s1gnature%26secret"],
}
ADA = {"channel": "email", "to": {"email": "ada@example.com"}, "content": {"subject": "Hi", "text": "x"}}
PHONE = {"channel": "sms", "to": {"phone": "+14155552671"}, "content": {"text": "World"}}


@pytest.fixture
def reporting(door):
    """The door has an account of each that has receipts."""
    known = accounts(URLS, ProviderDefaults())
    door.readers.update(
        receipt_readers({channel: {one.name: one for one in found} for channel, found in known.items()})
    )
    assert {str(key) for key in door.readers} == {"email/sendgrid", "sms/vonage"}
    return door


async def made(door, body, provider, reference):
    """One that was sent through this provider."""
    answer = await door.ask("POST", "/v1/notifications", json=body)
    door.set_rows(
        last_attempt=ATTEMPT | {"provider": provider},
        status="sent",
        provider_reference=reference,
        finished_at=datetime.fromisoformat(answer.json()["created_at"]),
    )
    return answer.json()["id"]


async def show(door, wanted):
    return (await door.ask("GET", f"/v1/notifications/{wanted}")).json()


async def posted(door, *events, signed_as=None):
    """As SendGrid does."""
    moment = int(time.time())
    body = json.dumps(events).encode() + b"\r\n"
    headers = {
        "Content-Type": "application/json",
        SIGNATURE: sendgrid.signature(signed_as or body, moment),
        TIMESTAMP: str(moment),
    }
    return await door.ask("POST", "/v1/receipts/sendgrid", key="", headers=headers, data=body)


async def test_a_batch_of_sendgrid_s_ends_what_it_is_about(reporting):
    """And what it is not about hides nothing; whoever complains is suppressed, though it arrived."""
    wanted = await made(reporting, ADA, "sendgrid", sendgrid.REFERENCE)
    answer = await posted(
        reporting,
        sendgrid.event("processed"),
        sendgrid.event("delivered", sg_message_id="another.filter-1.0"),
        sendgrid.event("delivered"),
        sendgrid.event("spamreport"),
    )
    assert (answer.status, answer.body) == (204, b"")
    found = await show(reporting, wanted)
    assert found["status"] == "delivered"
    assert [one.get("reason") for one in found["timeline"][-2:]] == [None, "recipient_opted_out"]
    asked = {"to": ADA["to"]}
    (told,) = (await reporting.ask("POST", "/v1/suppressions/search", json=asked)).json()["data"]
    assert told["reason"] == "recipient_opted_out"


async def test_what_is_forged_in_sendgrid_s_name_changes_nothing(reporting):
    wanted = await made(reporting, ADA, "sendgrid", sendgrid.REFERENCE)
    answer = await posted(reporting, sendgrid.event("delivered"), signed_as=b"another")
    assert (answer.status, answer.json()["detail"]) == (403, "wrong signature")
    assert (await show(reporting, wanted))["status"] == "sent"


@pytest.mark.parametrize("way", ["jwt", "sig"])
async def test_what_vonage_signed_ends_the_notification(reporting, way):
    wanted = await made(reporting, PHONE, "vonage", vonage.ID)
    moment = int(time.time())
    fields = vonage.fields_of(status="failed", timestamp=str(moment), **{"err-code": "3"})
    if way == "jwt":
        body = json.dumps(fields).encode()
        token = vonage.token(vonage.claims_of(body, iat=moment))
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    else:
        body = urlencode(vonage.signed(fields)).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
    forged = body.replace(b"failed", b"delivered")
    for sent, status in ((forged, 403), (body, 200)):
        answer = await reporting.ask("POST", "/v1/receipts/vonage", key="", headers=headers, data=sent)
        assert answer.status == status
    found = await show(reporting, wanted)
    assert (found["status"], found["reason"]) == ("undelivered", "invalid_recipient")
