"""One run of the whole product over RabbitMQ and PostgreSQL through every provider, with their receipts."""

import base64
from collections import Counter
from urllib.parse import quote

from sqlalchemy import select

from notifier.domain.ids import notification_id
from notifier.storage import books
from notifier.storage.engine import reading
from notifier.storage.tables import notifications
from tests.acceptance.corridor.every_provider import (
    PRIORITIES,
    SECRETS,
    TEXT,
    TOTAL,
    TWILIO_ACCOUNT,
    Providers,
    every_provider,
    shape_of,
    word_of,
)
from tests.acceptance.corridor.test_chat import TOKEN
from tests.acceptance.fleet import Fleet, post_many
from tests.nodes.waiting import wait_until
from tests.unit.providers import test_vonage_receipts as vonage

FORGED = b"forged"
#: Who may take what is of this shape; push and chats are named by the recipient.
TAKERS = {"email": {"smtp", "ses", "sendgrid"}, "sms": {"twilio", "vonage"}}


def stored(fleet: Fleet) -> dict[str, tuple[str, str]]:
    """Each notification's state and the provider of its last attempt."""
    table = notifications.c
    with reading(fleet.engine) as connection:
        rows = connection.execute(select(table.id, table.status, table.last_attempt))
        return {notification_id(row.id): (str(row.status), row.last_attempt["provider"]) for row in rows}


def check_taken(providers: Providers) -> dict[int, str]:
    """Each was taken once, by one who may; every provider had some of every priority. Who took which."""
    taken = providers.taken | {"smtp": providers.by_smtp()}
    assert Counter(one for numbers in taken.values() for one in numbers) == dict.fromkeys(range(TOTAL), 1)
    by = {number: name for name, numbers in taken.items() for number in numbers}
    for number, name in by.items():
        assert name in TAKERS.get(shape_of(number), {shape_of(number)})
    lanes = {(name, PRIORITIES[number % len(PRIORITIES)]) for number, name in by.items()}
    assert len(lanes) == 10 * len(PRIORITIES), lanes
    return by


def report_all(providers: Providers, by: dict[int, str]) -> None:
    """All that the providers still have to say, and once more; each said something good, something bad and neither."""
    for name, reporter in providers.reporters.items():
        mine = [number for number, taker in by.items() if taker == name]
        assert {word_of(number) for number in mine} == {"delivered", "undelivered", None}
        assert list(reporter.early.values()) == [reporter.success], f"{name}'s early receipt"
        for _ in range(2):
            said = {providers.report(name, number) for number in mine}
            assert said == {reporter.success}, name


def private(providers: Providers) -> set[str]:
    """What no output may have in it."""
    basic = base64.b64encode(f"{TWILIO_ACCOUNT}:{SECRETS['twilio']}".encode()).decode()
    found = {TEXT, TOKEN, basic, vonage.SECRET, *SECRETS.values()}
    for number in range(TOTAL):
        to = providers.recipient(number)
        match to.get("push_token"):
            case {"endpoint": str(endpoint), "keys": {"auth": str(auth), "p256dh": str(key)}}:
                found |= {endpoint, endpoint.removeprefix("https://"), auth, key}
            case str(token):
                found.add(token)
            case _ if "chat" not in to:
                # As Vonage is given a number: without its plus.
                found |= {str(value).removeprefix("+") for value in to.values()}
    return found | {quote(one, safe="") for one in found}


def test_every_provider_sends_and_reports(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Ten providers, three priorities: each ends as its provider can tell, was sent once, and nothing private is said."""
    with (
        every_provider(tmp_path) as providers,
        Fleet(tmp_path, postgres_url, rabbitmq_vhost_url, **providers.settings) as fleet,
    ):
        fleet.migrate()
        for _ in range(2):
            fleet.serve()
            fleet.work(threads=6)
        fleet.wait_for_workers(2, 60)
        providers.ports += fleet.ports
        for door in range(2):
            assert (
                providers.post(door, "ses", providers.sns.question(), {"Content-Type": "text/plain"}) == 200
            )
            for name in providers.reporters:
                assert providers.post(door, name, FORGED, {"X-Twilio-Signature": "x"}) == 403, name
        assert len(providers.sns.confirmed) == 2

        key = fleet.key()
        ids = post_many(fleet.ports, key, [providers.message(number) for number in range(TOTAL)])
        numbers = {one: number for number, one in enumerate(ids)}
        assert len(numbers) == TOTAL
        fleet.wait_for_final(TOTAL, 60)
        by = check_taken(providers)
        # The receipts that came before our commit end four of them, and nothing has ended the others.
        early = {number for one in providers.reporters.values() for number in one.early}
        only_early = {
            one: (word_of(number) or "sent" if number in early else "sent", by[number])
            for one, number in numbers.items()
        }
        wait_until(lambda: stored(fleet) == only_early, 30, "the early receipts' match")
        report_all(providers, by)
        told = {
            number: word_of(number) or "sent" if name in providers.reporters else "sent"
            for number, name in by.items()
        }
        assert stored(fleet) == {one: (told[number], by[number]) for one, number in numbers.items()}
        assert books.read(fleet.engine) == books.Books(TOTAL, Counter(told.values()))
        assert books.read(fleet.engine).balanced
        fleet.kill()
        log = fleet.log
        for event in ("receipts_taken", "receipts_matched", "receipt_forged"):
            assert event in log
        assert not [one for one in private(providers) if one in log]
