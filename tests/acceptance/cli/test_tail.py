"""`notifier tail` on the database itself, and through a running service, until Ctrl-C."""

import json
import signal

SMS = ("--phone", "+14155552671", "--text", "Your code is 1234")


def test_on_the_database_itself(migrated):
    """No service, no key: what is kept can be followed."""
    sent = migrated.run("send", *SMS, "--priority", "high", "--json").json()["id"]
    (event,) = migrated.run("tail", "sms.high", "--once", "--json").out.splitlines()
    found = json.loads(event)
    assert (found["event"], found["notification"], found["lane"]) == ("accepted", sent, "sms.high")
    assert "accepted" in migrated.run("tail", sent, "--once").out
    assert migrated.run("tail", "sms.low", "--once").out == ""


def test_a_lane_is_followed_until_ctrl_c(cli, dev):
    """A line for each event while it happens, through the public API; Ctrl-C ends it well, without a word."""
    cli.env |= {"NOTIFIER_URL": dev.url, "NOTIFIER_API_KEY": dev.key}
    cli.run("lanes", "pause", "push.medium")  # an event to begin with: then it is known to look
    process = cli.start("tail", "push.medium", "--json", "--every", "0.2")
    assert json.loads(process.stdout.readline())["event"] == "lane_paused"
    cli.run("lanes", "resume", "push.medium")
    token = ("--push-token", "a" * 64, "--platform", "apns")
    sent = cli.run("send", *token, "--text", "Parcel at the door", "--priority", "medium", "--json").json()[
        "id"
    ]
    events = []
    while not events or events[-1]["event"] != "sent":
        events.append(json.loads(process.stdout.readline()))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "lane_resumed" in [one["event"] for one in events]
    mine = [one for one in events if one.get("notification") == sent]
    assert mine[-1]["event"] == "sent"
    ended = next(one for one in mine if one["event"] == "attempt_accepted")
    assert (ended["provider"], ended["attempt"], ended["outcome"]) == ("console", 1, "accepted")
    assert not [private for private in ("Parcel", "a" * 64) if private in out + json.dumps(events)]
