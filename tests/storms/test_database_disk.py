"""PostgreSQL's disk full under load (F17; promises 9 and 14)."""

import pytest

from tests.nodes.postgres import PostgresNode
from tests.nodes.small_disk import SmallDisk
from tests.nodes.waiting import wait_until
from tests.storms.kit import form
from tests.storms.kit.outages import (
    PACE,
    SETTLE,
    check_refusals,
    last,
    wait_for_full_speed,
    wait_for_refusals,
)

#: PostgreSQL that can't write its log ends itself as in a crash: twice eight threads of two workers.
BOUND = 2 * 16


@pytest.fixture(scope="module")
def disk():
    """110 MB for everything that PostgreSQL keeps."""
    with SmallDisk(110) as made:
        yield made


@pytest.fixture(scope="module")
def postgres(disk):
    """A server whose data lie on it, in log segments of one megabyte."""
    folder, settings = disk.folder / "postgres", {"max_wal_size": "16MB"}
    node = PostgresNode(folder=folder, wal_segment_megabytes=1, settings=settings)
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="module")
def storage_url(postgres):
    """A database on it."""
    with postgres.fresh_database() as url:
        yield url


@pytest.mark.full
def test_the_database_disk_is_full(case, disk, postgres):
    """F17. Refused in time and nothing accepted while there is no room; all flows once room is made.

    An operator starts the server again if it has ended itself.
    """
    with case("F17", "PostgreSQL's disk full", pace=PACE, settle=SETTLE) as storm:
        for _ in storm.repeats(short=1, full=2):
            disk.fill()
            storm.hit(bound=BOUND)
            wait_for_refusals(storm)
            accepted = len(storm.load.accepted)
            last(storm, form.either(short=6, full=30))
            storm.remark("accepted_while_full", len(storm.load.accepted) - accepted)
            storm.remark("ended_itself", start_again(postgres, disk))
            wait_for_full_speed(storm)
    check_refusals(storm)


def start_again(node, disk):
    """Make room, and do what an operator does then: start the server if it does not recover by itself.

    Whether it had to be started.
    """
    disk.free()
    wait_until(lambda: node.answers() or not node.running, 30, "the server to recover or to end")
    if node.running:
        return False
    node.crash()  # nothing is left to end; what watched over it is let go
    node.start()
    return True
