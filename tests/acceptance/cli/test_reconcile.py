"""`notifier reconcile`: after RabbitMQ lost its queues, every notification that is not final has a message again."""

import json

import pika
import pytest
from sqlalchemy import create_engine, text

from notifier.domain.lanes import Lane
from tests.nodes.waiting import wait_until

PREFIX = "notifier.v1"


@pytest.fixture
def both(cli, postgres_url, rabbitmq_vhost_url):
    """The command with PostgreSQL and RabbitMQ, pages of two, and five notifications kept."""
    cli.env |= {
        "NOTIFIER_DATABASE_URL": postgres_url,
        "NOTIFIER_BROKER_URL": rabbitmq_vhost_url,
        "NOTIFIER_RELAY_BATCH": 2,
    }
    cli.run("migrate")
    return cli


@pytest.fixture
def channel(rabbitmq_vhost_url):
    """A channel of a client that is not ours."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_vhost_url))
    yield connection.channel()
    connection.close()


def send(cli, number, *more):
    return cli.run("send", "--phone", f"+1415555267{number}", "--text", "hello", *more).out.strip()


def names_in(channel, lane):
    """The notifications that the messages of a lane name; the messages are taken."""
    found = []
    while True:
        method, _, body = channel.basic_get(lane.queue(PREFIX), auto_ack=True)
        if method is None:
            return found
        found.append(json.loads(body)["kwargs"]["id"])


def lose_all(channel):
    for lane in Lane.all():
        channel.queue_delete(lane.queue(PREFIX))


def test_what_the_broker_lost_is_rung_again_and_what_has_ended_is_not(both, postgres_url, channel):
    """Five kept, one of them ended, one due later: three pages make exactly the three bells that are owed."""
    low = Lane.parse("sms.low")
    kept = [send(both, number, "--priority", "low") for number in range(4)]
    send(both, 4, "--send-at", "2027-01-01T09:00:00Z")
    wait_until(lambda: channel.queue_declare(low.queue(PREFIX), passive=True).method.message_count == 4)
    lose_all(channel)
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE notifications SET status = 'sent', finished_at = now() WHERE id = :id"),
            {"id": kept[0].removeprefix("ntf_")},
        )
    engine.dispose()
    ended = both.run("reconcile", "--yes", "--json")
    assert ended.json()["rung"] == 3
    shown = ended.json()["sum"]
    assert (shown["accepted"], shown["pending"], shown["sent"], shown["balanced"]) == (5, 4, 1, True)
    assert names_in(channel, low) == kept[1:]


def test_running_it_twice_does_no_harm(both, channel):
    """The second bell names the same notification; the claim that finds nothing to do ends it."""
    name = send(both, 1)
    both.run("reconcile", "--yes")
    assert both.run("reconcile", "--yes").out == (
        "rung for 1 notification\n"
        "accepted 1 = pending 1 + held 0 + sent 0 + failed 0 + expired 0 + cancelled 0 + suppressed 0\n"
    )
    assert set(names_in(channel, Lane.parse("sms.medium"))) == {name}


def test_it_asks_first_and_where_nobody_can_be_asked_it_does_nothing(both, channel):
    send(both, 1)
    lose_all(channel)
    assert "--yes" in both.run("reconcile", code=2).err
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.queue_declare(Lane.parse("sms.medium").queue(PREFIX), passive=True)


def test_a_broker_that_is_away_is_said_without_its_password(migrated):
    migrated.env["NOTIFIER_BROKER_URL"] = "amqp://ada:s3cret-word@127.0.0.1:1/"
    ended = migrated.run("reconcile", "--yes", code=1)
    assert "the broker can't be reached" in ended.err
    assert "s3cret-word" not in ended.err


def test_sending_with_the_broker_away_is_accepted_and_said(migrated):
    """The outbox keeps it; the operator hears that a relay hands it over later."""
    migrated.env["NOTIFIER_BROKER_URL"] = "amqp://ada:s3cret-word@127.0.0.1:1/"
    ended = migrated.run("send", "--phone", "+14155552671", "--text", "hello")
    assert ended.out.startswith("ntf_")
    assert "a relay hands it over" in ended.err
    assert "s3cret-word" not in ended.err


def test_a_notification_that_is_gone_from_the_database_is_missed(both, postgres_url):
    """The sum of promise 2 is counted apart from the rows: exit 1, and it says how many."""
    for number in range(3):
        send(both, number)
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM notifications WHERE recipient::text LIKE '%2671%'"))
    engine.dispose()
    ended = both.run("reconcile", "--yes", code=1)
    assert "\naccepted 3 != pending 2 + held 0" in ended.out
    assert "1 that was accepted can't be found" in ended.err
    ended = both.run("reconcile", "--yes", "--json", code=1)
    assert (ended.json()["sum"]["missing"], ended.json()["sum"]["balanced"]) == (1, False)


def test_an_embedded_broker_has_nothing_to_reconcile(migrated):
    ended = migrated.run("reconcile", "--yes", code=2)
    assert "embedded://" in ended.err
    assert "notifier dev" in ended.err
