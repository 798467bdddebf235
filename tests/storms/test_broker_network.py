"""A bad network between the installation and RabbitMQ (F8): cut, swallowed, late, trickling, closed by half.

In the full form the black hole lasts 30 s twice, and cuts and half-closes come ten times each.
"""

import time

import pytest

from tests.nodes.proxy import Proxy
from tests.nodes.rabbitmq import RabbitmqNode
from tests.nodes.waiting import wait_until
from tests.storms.kit.form import FULL, patience
from tests.storms.kit.lanes import provider, wait_degraded, wait_drained, watched
from tests.storms.kit.outages import last

#: Connections of two workers that consume from nine lanes each.
CONSUMERS = 2 * 9
#: Seconds: what a door may take for an answer, until a black hole is noticed, and until all is sent after it.
SILENCE, NOTICED, DRAINED = 2.0, 30.0, 60.0
#: Two cores have to send the arrears beside what comes in, in the short form with other tests.
PACE = 25.0
#: Seconds of a black hole, and of a slow network.
SWALLOWS, SLOW = (30.0, 20.0) if FULL else (8.0, 6.0)


@pytest.fixture(scope="module")
def node():
    """A node of this file's own."""
    made = RabbitmqNode()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def proxy(node):
    """The only way to it."""
    with Proxy(f"127.0.0.1:{node.port}") as made:
        yield made


@pytest.fixture(scope="module")
def broker_url(node, proxy):
    """The proxy's address."""
    with node.fresh_vhost() as url:
        yield url.replace(f":{node.port}/", f":{proxy.port}/")


@pytest.fixture(autouse=True)
def healed(proxy):
    """No fault outlives its test."""
    yield
    proxy.heal()


def test_connections_are_cut_in_mid_frame(case, installation, proxy):
    """RST while frames are under way: what was sent is not sent again, what was lost is rung again."""
    with (
        case("F8", "broker connections cut in mid frame", pace=PACE) as storm,
        provider(installation, 0.05, 0.15),
    ):
        for _ in storm.repeats(short=2, full=10):
            with watched(storm, silence=SILENCE):
                proxy.trickle(2_000)
                storm.wait_for_load()
                proxy.cut()
                proxy.heal()
                storm.hit()
                storm.wait_for_sending()
                installation.wait_whole()


@pytest.mark.full
def test_answers_end(case, installation, proxy):
    """The broker's half of each connection is closed; ours is open still."""
    with (
        case("F8", "broker connections closed by half", pace=PACE) as storm,
        provider(installation, 0.05, 0.15),
    ):
        for _ in storm.repeats(short=2, full=10):
            with watched(storm, silence=SILENCE):
                proxy.half_close()
                storm.hit()
                storm.wait_for_sending()
                installation.wait_whole()


@pytest.mark.full
def test_the_network_swallows_all(case, installation, proxy):
    """A black hole: doors say so at once, each consumer looks for another way within 30 s."""
    with case("F8", "black hole before the broker", pace=PACE) as storm:
        for _ in storm.repeats(short=1, full=2):
            before = proxy.total
            begun = time.monotonic()
            with watched(storm, silence=SILENCE):
                proxy.black_hole()
                storm.hit()
                wait_degraded(installation, ["broker"])
                wait_until(
                    lambda before=before: proxy.total >= before + CONSUMERS,
                    patience(NOTICED),
                    "every consumer to try again",
                )
                storm.remark("noticed_s", time.monotonic() - begun)
                last(storm, max(0.0, SWALLOWS - (time.monotonic() - begun)))
            proxy.heal()
            wait_drained(storm, within=DRAINED)
            wait_degraded(installation, [])
            installation.wait_whole()


@pytest.mark.full
@pytest.mark.parametrize("slow", ["two seconds of latency", "a byte a second"])
def test_the_network_is_slow(case, installation, proxy, slow):
    """What comes too late to count as a confirm is published again, and sent once."""
    with case("F8", f"broker behind {slow}", pace=PACE) as storm:
        for _ in storm.repeats(short=1, full=1):
            with watched(storm, silence=SILENCE):
                if slow == "a byte a second":
                    proxy.trickle(1)
                else:
                    proxy.delay(2)
                storm.hit()
                last(storm, SLOW)
            proxy.heal()
            wait_drained(storm, within=DRAINED)
            wait_degraded(installation, [])
            installation.wait_whole()
