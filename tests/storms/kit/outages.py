"""What every outage of storage must look like from outside (promises 9 and 14)."""

import re
import time

from tests.acceptance.fleet import ready
from tests.nodes.rabbitmq import RabbitmqNode
from tests.nodes.waiting import wait_until
from tests.storms.kit.case import Case
from tests.storms.kit.form import patience

#: Seconds: a refusal is heard after, and full speed is reached again after.
REFUSED, RECOVERED = 2.0, 10.0
#: Requests a second of a case whose outages leave a backlog behind, and the seconds it has to be sent in.
PACE, SETTLE = 25.0, 180.0
#: Seconds on the wire, and behind others in the two event loops.
_ON_THE_WAY = 0.5

#: Every message that a queue still has to account for: ready, or delivered and not acknowledged.
_MESSAGES = """
lists:sum([begin
   {{ok, {{_, Number}}, _}} = ra:leader_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1),
   Number
 end || Queue <- rabbit_amqqueue:list(<<"{vhost}">>), amqqueue:get_type(Queue) =:= rabbit_quorum_queue]).
"""


def wait_for_full_speed(storm: Case) -> None:
    """From now on, within promise 9's time, every door is ready and a second's worth is accepted and sent."""
    begun, limit = time.monotonic(), patience(RECOVERED)
    installation, number = storm.installation, int(storm.load.pace)
    accepted, sent = len(storm.load.accepted) + number, installation.sunk.total + number

    def all_at_once() -> bool:
        return (
            len(storm.load.accepted) >= accepted
            and installation.sunk.total >= sent
            and all(ready(port) for port in installation.ports)
        )

    wait_until(all_at_once, limit, f"full speed after the return ({storm.load.answers})")
    storm.remark("full_speed_s", time.monotonic() - begun)


def wait_for_refusals(storm: Case, number: int = 20) -> None:
    """Until the doors have refused so many more."""
    before = storm.load.answers[503]
    wait_until(lambda: storm.load.answers[503] >= before + number, patience(10), f"{number} refusals")


def check_refusals(storm: Case) -> None:
    """Refusals came in time; that each was a 503 with Retry-After the load checks itself.

    The door's process stands in the same crowd as the client's, so each may come as late as the client did.
    And the system may let a process stand still for longer than that now and then: one in a hundred, and at
    least one, may be late by as much again. For after the case: what is wrong with its counts is told first.
    """
    took, crowd = sorted(storm.load.refused), 2 * storm.load.lag
    slowest, usual = (took[-1], took[-1 - max(1, len(took) // 100)]) if len(took) > 1 else (0.0, 0.0)
    storm.remark("refused", storm.load.answers[503])
    storm.remark("slowest_refusal_s", slowest)
    storm.remark("lag_s", storm.load.lag)
    allowed = patience(REFUSED) + _ON_THE_WAY + crowd
    assert usual <= allowed, f"refusals took {usual:.2f} s, {allowed:.2f} at the most"
    assert slowest <= 2 * allowed, f"a refusal took {slowest:.2f} s, {2 * allowed:.2f} at the most"


def last(storm: Case, seconds: float) -> None:
    """Let an outage last; the client goes on meanwhile."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until or storm.load.failure is not None, seconds + 5, "the time")


def messages_in(node: RabbitmqNode, broker_url: str) -> int:
    """Messages in all quorum queues of the URL's virtual host, the unacknowledged ones among them."""
    vhost = broker_url.rpartition("/")[2]
    answer = node.evaluate(_MESSAGES.format(vhost=vhost).replace("\n", " "))
    found = re.search(r"\d+", answer)
    assert found, answer
    return int(found[0])
