"""What Amazon SES reports over SNS, at the door: the subscription, a bounce and a complaint."""

import json
from datetime import datetime

import pytest

from notifier.bootstrap.providers import receipt_readers
from notifier.domain.lanes import Channel
from notifier.providers.base import ProviderDefaults
from notifier.providers.registry import accounts
from tests.acceptance.http.test_reading import ATTEMPT
from tests.nodes.sns import TOPIC, Sns, region
from tests.unit.providers.test_ses_receipts import ID, bounce, event

EMAIL = {
    "channel": "email",
    "to": {"email": "ada@example.com"},
    "content": {"subject": "Hi", "text": "World"},
}


@pytest.fixture
def sns():
    return Sns()


@pytest.fixture
def ses(door, sns, tmp_path, monkeypatch):
    """The door has an SES account whose topic is known."""
    with region(sns, tmp_path, monkeypatch) as there:
        url = f"ses://AKID:SECRET@eu-west-1?name=ses&topic={TOPIC}&ca_file={there.ca_file}"
        known = accounts({Channel.EMAIL: [url]}, ProviderDefaults())
        by_name = {channel: {one.name: one for one in found} for channel, found in known.items()}
        door.readers.update(receipt_readers(by_name))
        yield door


async def made(door):
    """One that was sent through SES."""
    answer = await door.ask("POST", "/v1/notifications", json=EMAIL)
    finished = datetime.fromisoformat(answer.json()["created_at"])
    door.set_rows(
        last_attempt=ATTEMPT | {"provider": "ses"},
        status="sent",
        provider_reference=ID,
        finished_at=finished,
    )
    return answer.json()["id"]


async def say(door, body):
    """As SNS does: JSON that it calls plain text, without a key of ours."""
    headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}
    return await door.ask("POST", "/v1/receipts/ses", key="", headers=headers, data=body)


async def suppressed(door):
    """The reasons for which the recipient is on the list."""
    answer = await door.post(
        json.dumps({"to": EMAIL["to"]}), path="/v1/suppressions/search", key=door.new_key(scopes=("admin",))
    )
    return [one["reason"] for one in answer.json()["data"]]


async def test_the_door_confirms_its_subscription_once_it_is_signed(ses, sns):
    assert (await say(ses, sns.question(Token="x"))).status == 403
    assert sns.confirmed == []
    assert (await say(ses, sns.question())).status == 200
    assert len(sns.confirmed) == 1


async def test_a_bounce_ends_the_notification_and_suppresses(ses, sns):
    wanted = await made(ses)
    body = sns.notification(event("Bounce", bounce=bounce("Permanent", "General")))
    for _ in range(2):
        assert (await say(ses, body)).status == 204
    found = (await ses.ask("GET", f"/v1/notifications/{wanted}")).json()
    assert (found["status"], found["reason"]) == ("undelivered", "invalid_recipient")
    assert found["timeline"][-1]["code"] == "Permanent General"
    assert await suppressed(ses) == ["invalid_recipient"]


async def test_a_complaint_follows_a_delivery_and_suppresses(ses, sns):
    wanted = await made(ses)
    for one in (
        event("Delivery", delivery={}),
        event("Complaint", complaint={"complaintFeedbackType": "abuse"}),
    ):
        assert (await say(ses, sns.notification(one, version="2"))).status == 204
    found = (await ses.ask("GET", f"/v1/notifications/{wanted}")).json()
    assert found["status"] == "delivered"
    assert await suppressed(ses) == ["recipient_opted_out"]


async def test_what_another_topic_says_changes_nothing(ses, sns):
    wanted = await made(ses)
    sns.topic = "arn:aws:sns:eu-west-1:999999999999:ses-events"
    answer = await say(ses, sns.notification(event("Bounce", bounce=bounce("Permanent", "General"))))
    assert (answer.status, answer.json()["detail"]) == (403, "another account")
    found = (await ses.ask("GET", f"/v1/notifications/{wanted}")).json()
    assert found["status"] == "sent"


async def test_while_the_certificate_is_away_sns_is_asked_to_come_again(ses, sns, monkeypatch):
    """SNS repeats what was answered with 503."""
    monkeypatch.setattr("notifier.providers.sns_visits.AWAY_SECONDS", 0.0)
    wanted = await made(ses)
    with monkeypatch.context() as away:
        away.setattr("notifier.providers.http_client.resolve", _nobody)
        assert (await say(ses, sns.notification(event("Delivery")))).status == 503
    assert (await say(ses, sns.notification(event("Delivery")))).status == 204
    assert (await ses.ask("GET", f"/v1/notifications/{wanted}")).json()["status"] == "delivered"


def _nobody(*_):
    raise OSError("no such host")
