"""A bad network between the service and PostgreSQL, and between a worker and its provider (F8; promises 3, 9, 10)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import make_url

from notifier.storage.engine import Use, make_engine
from tests.nodes.proxy import Proxy
from tests.storms.kit import form
from tests.storms.kit.case import Case
from tests.storms.kit.installation import Installation
from tests.storms.kit.outages import PACE, SETTLE, check_refusals, last, wait_for_full_speed

#: Calls that two workers of eight threads have under way.
IN_FLIGHT = 2 * 8
#: A fault's figures are about its own seconds, so a retry must not wait for minutes.
RETRIES = {
    f"NOTIFIER_RETRY_{priority}_{what}_SECONDS": seconds
    for priority in ("HIGH", "MEDIUM", "LOW")
    for what, seconds in (("BASE", "0.2"), ("CAP", "2"))
}


@dataclass(frozen=True)
class Roads:
    """An installation that reaches its database and its provider through proxies."""

    installation: Installation
    database: Proxy
    provider: Proxy


@pytest.fixture(scope="module")
def roads(tmp_path_factory, module_postgres_url, broker_url):
    """The proxies with the installation behind them; its checks go the direct way."""
    url = make_url(module_postgres_url)
    folder = tmp_path_factory.mktemp("storm")
    with Proxy(f"127.0.0.1:{url.port}") as database:
        proxied = url.set(port=database.port).render_as_string(hide_password=False)
        with (
            Installation(folder, proxied, broker_url, **RETRIES) as made,
            Proxy(f"127.0.0.1:{made.smtp_port}") as provider,
        ):
            made.settings["NOTIFIER_EMAIL_PROVIDERS"] = f"smtp://{provider.address}?rate=300/s"
            made.engine.dispose()
            made.engine = make_engine(module_postgres_url, Use(name="test", pool_size=3))
            made.begin()
            yield Roads(made, database, provider)


@pytest.fixture(scope="module")
def installation(roads):
    """The one behind the proxies."""
    return roads.installation


Fault = Callable[[Case, Proxy, float], None]


def cut(storm, road, _seconds):
    """RST in the middle of whatever is on the wire."""
    road.cut()


def half_close(storm, road, _seconds):
    """The other side has said its last word, ours may speak on."""
    road.half_close()


def black_hole(storm, road, seconds):
    """Nothing comes through, and nobody says so."""
    road.black_hole()
    last(storm, seconds)
    road.heal()


def latency(storm, road, seconds):
    """A round trip takes two seconds."""
    road.delay(1.0)
    last(storm, seconds)
    road.heal()


def sluggish(storm, road, seconds):
    """A round trip takes 0.3 s: slow enough that a request's waits add up, fast enough for each to end."""
    road.delay(0.15)
    last(storm, seconds)
    road.heal()


def trickle(storm, road, seconds):
    """One byte a second; what was under way goes on afterwards where it was."""
    road.trickle(1)
    last(storm, seconds)
    road.heal()


def plan(storm: Case, *lasting: Fault) -> list[tuple[Fault, float]]:
    """The faults in a random order, each with its seconds.

    Ten cuts and half-closes and four of each `lasting` one, the first of which lasts 30 s; in the short form
    two and one.
    """
    sudden = [(fault, 0.0) for fault in (cut, half_close) for _ in range(form.either(short=2, full=10))]
    long = [
        (fault, form.either(short=5, full=6 if turn else 30))
        for fault in lasting
        for turn in range(form.either(short=1, full=4))
    ]
    chosen = sudden + long
    storm.dice.shuffle(chosen)
    return chosen


def test_the_way_to_the_database_is_bad(case, roads):
    """F8. Refusals are 503 in time, full speed is back ten seconds after the network; nothing is sent twice."""
    with case("F8", "bad network to PostgreSQL", pace=PACE, settle=SETTLE) as storm:
        for fault, seconds in plan(storm, black_hole, latency, sluggish, trickle):
            storm.wait_for_load()
            fault(storm, roads.database, seconds)
            storm.hit()
            wait_for_full_speed(storm)
    check_refusals(storm)


@pytest.mark.full
def test_the_way_to_the_provider_is_bad(case, roads):
    """F8. The doors go on; a call whose answer was lost may be repeated, marked, and nothing is lost."""
    with case("F8", "bad network to the provider", pace=PACE, settle=SETTLE) as storm:
        for fault, seconds in plan(storm, black_hole, trickle):
            storm.wait_for_load()
            before = storm.load.answers[503]
            fault(storm, roads.provider, seconds)
            storm.hit(bound=IN_FLIGHT)
            storm.wait_for_load(100)
            storm.remark("sending_again_s", storm.wait_for_sending())
            assert storm.load.answers[503] == before, (fault.__name__, storm.load.refusals)
