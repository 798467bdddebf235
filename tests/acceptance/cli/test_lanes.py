"""`notifier lanes` on the database itself, and through a running service."""

from notifier.domain.lanes import Lane
from tests.nodes.waiting import wait_until


def test_on_the_database_itself(migrated):
    """No service, no key: the table, a pause that stays, a resume."""
    out = migrated.run("lanes").out.splitlines()
    assert [line.split()[0] for line in out] == ["lane", *(lane.name for lane in Lane.all())]
    assert {line.split()[-1] for line in out[1:]} == {"no_worker"}
    assert "is paused" in migrated.run("lanes", "pause", "email.low").out
    found = {one["lane"]: one for one in migrated.run("lanes", "--json").json()["data"]}
    assert (found["email.low"]["paused"], found["email.low"]["paused_by"]) == (True, None)
    assert not migrated.run("lanes", "resume", "email.low", "--json").json()["paused"]


def test_without_a_database_it_says_what_to_do(cli):
    assert "notifier migrate" in cli.run("lanes", code=1).err
    assert "notifier migrate" in cli.run("lanes", "pause", "email.low", code=1).err


def test_through_a_service(cli, dev):
    """`notifier dev`'s key may do all; its worker's beat fills the table."""
    cli.env |= {"NOTIFIER_URL": dev.url, "NOTIFIER_API_KEY": dev.key}

    def workers() -> set[int]:
        return {one["workers"] for one in cli.run("lanes", "--json").json()["data"]}

    wait_until(lambda: workers() == {1}, 30, "the worker's beat")
    assert cli.run("lanes", "pause", "push.low", "--json").json()["paused_by"] == dev.key.split("_")[2]
    assert "paused" in cli.run("lanes", "--once").out
    assert cli.run("lanes", "resume", "push.low").out == "push.low goes on\n"
    cli.env["NOTIFIER_URL"] = "http://127.0.0.1:1"
    assert "no answer" in cli.run("lanes", code=1).err
