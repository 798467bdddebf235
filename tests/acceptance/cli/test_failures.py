"""`notifier failures` on the database itself, and through a running service that replays to the end."""

import json

import pytest
from sqlalchemy import update

from notifier.domain.ids import notification_id
from notifier.domain.lifecycle import Reason, Status
from notifier.storage.dead_letters import bury
from notifier.storage.engine import writing
from notifier.storage.tables import notifications
from notifier.storage.types import db_now, db_now_plus
from tests.conformance.storage_kit import EMAIL_LOW, engine_at, keep, new

REFUSED = ("--reason", "provider_rejected")
ATTEMPT = {"n": 1, "provider": "console", "started_at": "2027-01-01T00:00:00+00:00", "duration_ms": 3,
           "outcome": "refused", "reason": "provider_rejected", "possible_duplicate": False,
           "code": "550", "answer": "\x1b[31mno\n", "next_attempt_at": None}  # fmt: skip


def fail(folder, number, reason=Reason.PROVIDER_REJECTED, tenant="default", **changes):
    """Some that finally failed, in the SQLite database of `folder`; their ids."""
    with engine_at(f"sqlite:///{folder / 'notifier.db'}") as engine:
        ids = [one.id for one in keep(engine, [new(EMAIL_LOW, tenant=tenant) for _ in range(number)])]
        ended = {"status": Status.FAILED, "reason": reason, "finished_at": db_now(), "queued_at": None}
        with writing(engine) as connection:
            connection.execute(
                update(notifications)
                .where(notifications.c.id.in_(ids))
                .values(**ended, last_attempt=ATTEMPT, attempt=1, **changes)
            )
            bury(connection, ids)
    return {notification_id(one) for one in ids}


def ids_of(listed):
    return {one["id"] for one in listed["data"]}


@pytest.fixture
def remote(cli, dev):
    """The command, asking a running `notifier dev`; whatever other tests left open is put aside."""
    cli.env |= {"NOTIFIER_URL": dev.url, "NOTIFIER_API_KEY": dev.key}
    cli.run("failures", "discard", "--all", "--yes")
    return cli


def test_on_the_database_itself(migrated):
    """No service, no key: listed, counted, put aside; a replay waits for somebody to carry it on."""
    ours = fail(migrated.folder, 3)
    fail(migrated.folder, 2, reason=Reason.THROTTLED)
    fail(migrated.folder, 1, tenant="other")
    head, *lines = migrated.run("failures", "list", *REFUSED).out.splitlines()
    assert head.split() == ["id", "lane", "status", "reason", "provider", "attempts", "ended", "answer"]
    assert {line.split()[0] for line in lines} == ours
    assert "\x1b" not in lines[0], "a provider's answer moves no cursor"
    assert "550" in lines[0]
    found = migrated.run("failures", "summary", "--by", "reason", "--json").json()
    assert [(one["by"], one["count"]) for one in found["data"]] == [
        ({"reason": "provider_rejected"}, 3),
        ({"reason": "throttled"}, 2),
    ]
    assert "provider_rejected  3" in migrated.run("failures", "summary", "--by", "reason").out
    assert migrated.run("failures", "replay", *REFUSED, "--dry-run").out == "3 match\n"
    assert migrated.run("failures", "discard", "--reason", "throttled", "--yes").out.endswith(
        ": 2 put aside\n"
    )
    begun = migrated.run("failures", "replay", *REFUSED, "--yes", "--json")
    assert "No relay runs" in begun.err
    told = begun.json()
    assert (told["matched"], told["state"], told["by"]) == (3, "running", None)
    assert "3 wait for their turn" in migrated.run("failures", "operation", told["operation_id"]).out
    assert migrated.run("failures", "stop", told["operation_id"]).out.endswith("0 of 3 replayed, stopped\n")
    assert ids_of(migrated.run("failures", "list", "--json").json()) == ours
    assert migrated.run("failures", "list", "--tenant", "nobody").out == "none\n"
    assert "more" in migrated.run("failures", "list", "--limit", "2").out


def test_through_a_service_to_the_end(remote, dev):
    """Counted, replayed one by one, each once; the second time there is nothing left."""
    ours = fail(dev.folder, 5)
    old = fail(dev.folder, 2, expires_at=db_now_plus(-1))
    told = remote.run("failures", "replay", *REFUSED, "--dry-run", "--json").json()
    assert (told["matched"], told["dropped"], told["more"]) == (7, 2, False)
    done = remote.run("failures", "replay", *REFUSED, "--rate", "50", "--yes")
    assert done.out.endswith(": 5 of 7 replayed, 2 expired\n")
    again = remote.run("failures", "replay", *REFUSED, "--yes", "--json").json()
    assert (again["matched"], again["state"]) == (0, "done")
    replayed = remote.run("failures", "list", "--state", "replayed", "--json").json()["data"]
    assert {one["id"] for one in replayed} == ours
    for one in replayed:
        sent = remote.run("status", one["replayed_as"], "--json").json()
        assert (sent["resent_from"], sent["priority"]) == (one["id"], "low")
    assert ids_of(remote.run("failures", "list", "--state", "dropped", "--json").json()) == old
    assert remote.run("failures", "list").out == "none\n"


def test_a_replay_down_other_lanes_with_a_new_time(remote, dev):
    """The expired are worth sending again because the operator says so."""
    fail(dev.folder, 2, expires_at=db_now_plus(-1))
    done = remote.run(
        "failures", "replay", "--all", "--as-priority", "high", "--ttl", "60", "--yes", "--json"
    ).json()
    assert (done["state"], done["replayed"], done["dropped"], done["priority"]) == ("done", 2, 0, "high")


def test_what_is_wrong_is_named_by_its_option(remote, migrated):
    """Exit 2, whichever door says it; nobody is asked where nobody can answer, nothing is taken by accident."""
    for run in (remote.run, lambda *arguments, code: _alone(migrated).run(*arguments, code=code)):
        for arguments, said in (
            (("replay", "--all", "--rate", "0", "--yes"), "--rate: must be 0.001 to 1000"),
            (("discard", "--since", "yesterday", "--yes"), "--since: must be like"),
            (("replay", "--all", "--ttl", "0", "--dry-run"), "--ttl: must be 1 to"),
            (("summary", "--by", "colour"), "--by: must be some of reason"),
            (("list", "--until", "x"), "--until: must be like"),
        ):
            assert said in run("failures", *arguments, code=2).err
    for arguments in (("replay", "--yes"), ("discard", "--all", "--channel", "sms"), ("replay", "--all")):
        assert remote.run("failures", *arguments, code=2).err
    assert "opn_" in remote.run("failures", "stop", "ntf_1", code=2).err
    nobody = "opn_0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11"
    assert remote.run("failures", "operation", nobody, code=1).err
    assert json.loads(remote.run("failures", "stop", nobody, "--json", code=1).out)["code"] == "not_found"


def _alone(cli):
    """The same folder without a service."""
    made = type(cli)(cli.folder)
    made.env = {}
    return made


def test_without_anybody_it_says_what_to_do(cli):
    assert "notifier migrate" in cli.run("failures", "list", code=1).err
    cli.env |= {"NOTIFIER_URL": "http://127.0.0.1:1", "NOTIFIER_API_KEY": "nk_live_k3v9x0ab_" + "a" * 43}
    assert "no answer" in cli.run("failures", "replay", "--all", "--yes", code=1).err
