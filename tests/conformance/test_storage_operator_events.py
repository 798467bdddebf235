"""What happened to providers and lanes is kept once for the whole fleet, with what happened or not at all."""

import threading
import uuid
from contextlib import contextmanager
from functools import partial

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.lanes import Channel
from notifier.domain.operator_events import EventKind
from notifier.domain.outcomes import Accepted
from notifier.storage import lane_controls, migrations, operator_events, provider_states
from notifier.storage.engine import writing
from notifier.storage.operator_events import EventFilter, NewEvent
from notifier.storage.tables import operator_events as table
from tests.conformance.storage_kit import EMAIL_HIGH, EMAIL_LOW, SMS_HIGH, engine_at, together
from tests.conformance.test_storage_provider_states import DOWN, RELAY, SES, due, fails, state, worker
from tests.conformance.test_storage_relay import relay_of
from tests.nodes.waiting import wait_until


def walk(engine, limit=100, before=None, **wanted):
    return operator_events.walk(engine, EventFilter(**wanted), limit, before)


def told(engine):
    """What happened, the first first: kind, whose, why, by whom."""
    return [
        (one.event.kind, one.event.provider or one.event.priority, one.event.reason, one.event.by)
        for one in reversed(walk(engine))
    ]


def happen(engine, number):
    for _ in range(number):
        with writing(engine) as connection:
            operator_events.add(connection, NewEvent(kind=EventKind.LANE_PAUSED, channel=Channel.SMS))


def test_a_whole_fleet_that_sees_it_fail_tells_of_it_once(engine):
    fleet = [worker(engine) for _ in range(8)]
    for one in fleet:
        fails(one)
    together(*[one.look for one in fleet])
    assert told(engine) == [("breaker_opened", "ses", "errors", None)]
    (found,) = walk(engine)
    assert found.event.channel is Channel.EMAIL
    assert found.event.facts["worker"] in {str(one._owner) for one in fleet}


def test_one_that_was_not_told_whether_it_was_kept_says_it_again_in_vain(engine):
    """The answer to a commit may get lost."""
    owner = uuid.uuid4()
    opens = [provider_states.open_breaker(engine, SES, "slow", owner, lambda _: 0.0) for _ in range(2)]
    assert opens == [True, False]
    assert provider_states.take_probe(engine, SES, owner, 5.0)
    closes = [provider_states.close_breaker(engine, SES, owner) for _ in range(2)]
    assert [one is None for one in closes] == [False, True]
    assert [kind for kind, *_ in told(engine)] == ["breaker_opened", "breaker_closed"]


def test_an_outage_is_one_opening_and_one_closing_however_many_probes_failed(engine):
    """The closing says how long it was out and how many there were."""
    fleet = due(engine)
    for one in fleet:
        one.look()
    (prober,) = [one for one in fleet if one.allows(SES)]
    prober.call(SES, DOWN)
    prober.look()
    assert [kind for kind, *_ in told(engine)] == ["breaker_opened"]
    wait_until(lambda: state(engine).probe_in == 0, 60, "the next probe's time")
    assert provider_states.take_probe(engine, SES, prober._owner, 5.0)
    out = provider_states.close_breaker(engine, SES, prober._owner)
    assert told(engine)[1:] == [("breaker_closed", "ses", None, None)]
    facts = walk(engine)[0].event.facts
    assert facts == {
        "worker": str(prober._owner),
        "out_seconds": round(out.total_seconds(), 3),
        "failed_probes": 1,
    }


def test_a_good_first_probe_closes_it(engine):
    """Told by the worker itself with its beat."""
    fleet = due(engine)
    for one in fleet:
        one.look()
    (prober,) = [one for one in fleet if one.allows(SES)]
    prober.call(SES, Accepted("r"))
    together(*[one.look for one in fleet])
    assert [kind for kind, *_ in told(engine)] == ["breaker_opened", "breaker_closed"]
    assert walk(engine)[0].event.facts["failed_probes"] == 0


def test_an_operators_words_are_kept_with_who_said_them(engine):
    """Saying what stands so already is no event; no key is the command line."""
    assert provider_states.set_disabled(engine, RELAY, True, "k3v9x0ab")
    assert not provider_states.set_disabled(engine, RELAY, True, "other")
    assert lane_controls.set_paused(engine, EMAIL_LOW, True, "k3v9x0ab")
    assert not lane_controls.set_paused(engine, EMAIL_LOW, True, "other")
    assert not lane_controls.set_paused(engine, SMS_HIGH, False, "other")
    assert lane_controls.set_paused(engine, EMAIL_LOW, False, None)
    assert provider_states.set_disabled(engine, RELAY, False, None)
    assert told(engine) == [
        ("provider_disabled", "relay", None, "k3v9x0ab"),
        ("lane_paused", "low", None, "k3v9x0ab"),
        ("lane_resumed", "low", None, None),
        ("provider_enabled", "relay", None, None),
    ]


@pytest.mark.parametrize(
    "say",
    [
        lambda engine, by: lane_controls.set_paused(engine, EMAIL_HIGH, True, by),
        lambda engine, by: provider_states.set_disabled(engine, SES, True, by),
    ],
    ids=["pause", "disable"],
)
def test_of_several_who_say_it_at_once_one_did_it(engine, say):
    did = together(*[partial(say, engine, f"key-{one}") for one in range(8)])
    assert sum(did) == 1
    assert [by for *_, by in told(engine)] == [f"key-{did.index(True)}"]


@contextmanager
def without_table(engine):
    table.drop(engine)
    yield
    table.create(engine)


def test_what_can_not_be_told_did_not_happen(engine):
    """State and event are one transaction."""
    owner = uuid.uuid4()
    acts = [
        partial(provider_states.open_breaker, engine, SES, "errors", owner, lambda _: 0.0),
        partial(provider_states.set_disabled, engine, RELAY, True, None),
        partial(lane_controls.set_paused, engine, EMAIL_LOW, True, None),
    ]
    with without_table(engine):
        for act in acts:
            with pytest.raises(SQLAlchemyError):
                act()
    assert (provider_states.read(engine), lane_controls.read(engine)) == ({}, {})
    acts[0]()
    assert provider_states.take_probe(engine, SES, owner, 5.0)
    with without_table(engine), pytest.raises(SQLAlchemyError):
        provider_states.close_breaker(engine, SES, owner)
    assert state(engine).opened_at is not None


def test_a_later_event_is_never_seen_before_an_earlier_one(postgres_engine):
    """Whoever asks for what came after the last id that it knows misses nothing: ids follow the commits."""
    engine = postgres_engine
    second = threading.Thread(target=happen, args=(engine, 1), daemon=True)
    waiting = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")

    def waits():
        with engine.connect() as other:
            return other.execute(waiting).scalar_one() == 1

    with writing(engine) as connection:
        operator_events.add(connection, NewEvent(kind=EventKind.LANE_RESUMED, channel=Channel.EMAIL))
        second.start()
        wait_until(waits, 60, "the second to wait for its number")
        assert walk(engine) == []
    second.join(10)
    assert [one.event.kind for one in reversed(walk(engine))] == ["lane_resumed", "lane_paused"]


def test_events_are_read_newest_first_a_page_at_a_time_and_by_what_is_asked_for(engine):
    provider_states.set_disabled(engine, SES, True, None)
    lane_controls.set_paused(engine, SMS_HIGH, True, None)
    provider_states.set_disabled(engine, SES, False, None)
    lane_controls.set_paused(engine, EMAIL_LOW, True, None)
    everything = walk(engine)
    ids = [one.id for one in everything]
    assert ids == sorted(ids, reverse=True)
    assert [one.at for one in everything] == sorted((one.at for one in everything), reverse=True)
    first = walk(engine, 3)
    assert first == everything[:3]
    assert walk(engine, 3, first[-1].id) == everything[3:]
    assert walk(engine, after=ids[2]) == everything[:2]
    assert walk(engine, kind=EventKind.PROVIDER_ENABLED) == [everything[1]]
    assert walk(engine, channel=Channel.SMS) == [everything[2]]
    assert walk(engine, provider="ses") == [everything[1], everything[3]]
    assert walk(engine, provider="ses", channel=Channel.SMS) == []


def swept(engine, keep, limit):
    with writing(engine) as connection:
        return operator_events.sweep(connection, keep, limit)


def test_the_newest_are_kept_and_the_others_forgotten_a_batch_at_a_time(engine):
    assert swept(engine, 3, 10) == 0, "there is none"
    happen(engine, 8)
    newest = walk(engine, 3)
    assert swept(engine, 3, 4) == 4
    assert len(walk(engine)) == 4
    assert sum(together(*[partial(swept, engine, 3, 4)] * 2)) == 1
    assert walk(engine) == newest
    happen(engine, 1)
    assert walk(engine)[0].id > newest[0].id, "no id comes twice"


def test_the_relay_forgets_them(engine):
    happen(engine, 5)
    with relay_of(engine, keep_events=2, batch=2) as it:
        it.relay.pass_once()
        assert len(walk(engine)) == 3
        it.clock.now += 31
        it.relay.pass_once()
        assert len(walk(engine)) == 2


def test_before_the_migration_a_relay_does_its_other_duties(database_url):
    """It says so once, and looks again: the table may come while it runs."""
    migrations.upgrade(database_url)
    migrations.downgrade(database_url, "0009")
    with engine_at(database_url) as engine, relay_of(engine, keep_events=1) as it:
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                it.relay.pass_once()
                it.clock.now += 31
        assert [one["event"] for one in logs] == ["receipts_unread", "operator_events_unread"]
        migrations.upgrade(database_url)
        happen(engine, 3)
        it.relay.pass_once()
        assert len(walk(engine)) == 1
