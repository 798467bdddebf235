"""`notifier providers events` on the database itself, and through a running service."""


def test_on_the_database_itself(migrated):
    """No service, no key: what was done by hand a moment ago stands there, newest first."""
    assert migrated.run("providers", "events").out == "none\n"
    migrated.run("providers", "disable", "console", "--channel", "email")
    migrated.run("lanes", "pause", "sms.low")
    out = migrated.run("providers", "events").out.splitlines()
    assert [line.split()[1:4] for line in out[1:]] == [
        ["lane", "paused", "sms.low"],
        ["provider", "disabled", "email/console"],
    ]
    assert all("the command line" in line for line in out[1:])
    (found,) = migrated.run("providers", "events", "--kind", "lane_paused", "--json").json()["data"]
    assert (found["channel"], found["priority"], found["by"]) == ("sms", "low", None)
    later = migrated.run("providers", "events", "--after", found["id"], "--json").json()
    assert later == {"data": [], "next_cursor": None}
    assert "must be 0 to" in migrated.run("providers", "events", "--after", "-1", code=2).err


def test_without_a_database_it_says_what_to_do(cli):
    assert "notifier migrate" in cli.run("providers", "events", code=1).err


def test_through_a_service(cli, dev):
    """Who did it is the key that was used."""
    cli.env |= {"NOTIFIER_URL": dev.url, "NOTIFIER_API_KEY": dev.key}
    cli.run("lanes", "pause", "push.low")
    cli.run("lanes", "resume", "push.low")
    found = cli.run("providers", "events", "--json").json()["data"]
    assert [(one["kind"], one["by"]) for one in found] == [
        ("lane_resumed", dev.key.split("_")[2]),
        ("lane_paused", dev.key.split("_")[2]),
    ]
    assert "lane paused" in cli.run("providers", "events", "--limit", "2").out
