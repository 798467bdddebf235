"""`notifier bench` against `notifier dev`, and what it refuses."""

import json
import signal
import subprocess

import pytest

from tests.nodes.waiting import wait_until

LIVE = "nk_live_abcdefgh_" + "x" * 43
TEST = "nk_test_abcdefgh_" + "x" * 43
ADDRESS = "somebody@example.com"


@pytest.fixture
def there(cli, dev):
    """The command with nothing but the service's address and its test key."""
    cli.env |= {"NOTIFIER_URL": dev.url, "NOTIFIER_API_KEY": dev.test_key}
    return cli


def written_by(process):
    """Both streams of a command that ends by itself, with whichever verdict: how fast this machine is is no promise."""
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode in {0, 1}, err
    assert "Traceback" not in err, err
    return out, err


def measured(there, *arguments):
    return written_by(there.start("bench", *arguments))


def test_a_small_load_is_measured_lane_by_lane_and_nobody_is_reached(there, dev):
    """Every lane has its waits, all have ended, and nothing told names a recipient, a text or the key."""
    out, err = measured(there, "--rate", "60", "--duration", "1", "--json")
    found = json.loads(out)
    assert found["errors"] == {}
    assert found["all"]["accepted"] == found["all"]["sent"] == sum(found["endings"].values()) == 60
    assert len(found["lanes"]) == 9
    for lane in found["lanes"]:
        assert 0 < lane["accept_ms"]["p50"] <= lane["accept_ms"]["p99"] <= lane["accept_ms"]["max"]
        assert 0 <= lane["sent_ms"]["p50"] <= lane["sent_ms"]["max"]
    for secret in ("simulator.notifier", "+4477", "simulator-", "notifier bench", dev.test_key):
        assert secret not in out + err
    rows = json.loads(there.run("failures", "list", "--json").out)["data"]
    assert rows == []


def test_batches_of_some_lanes_are_told_in_words(there):
    said, _ = measured(there, "--rate=100", "--duration=1", "--batch=50", "--mix=email.low=3,sms.high")
    lines = {line.split()[0]: line.split() for line in said.splitlines() if line}
    assert (lines["email.low"][1], lines["sms.high"][1], lines["all"][1]) == ("75", "25", "100")
    assert "100 of 100 accepted at 100/s, 100 ended" in said.splitlines()[-1]


def test_ctrl_c_ends_it_with_what_was_measured_so_far(there, dev):
    """Ten minutes were asked for; the signal comes once some were accepted."""
    known = set(dev.listed(there.env["NOTIFIER_API_KEY"]))
    process = there.start("bench", "--rate", "50", "--duration", "600", "--json")
    try:
        wait_until(lambda: set(dev.listed(dev.test_key)) - known, 30, "the first of them to be accepted")
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = written_by(process)
    found = json.loads(out)
    assert found["interrupted"] is True
    assert 0 < found["all"]["accepted"] <= found["requested"] < 30_000
    assert found["verdict"].startswith("ended early, so far: ")


@pytest.mark.parametrize(
    ("key", "arguments", "said"),
    [
        (LIVE, (), "is a live key, which would reach people"),
        (TEST, ("--live", "--email", ADDRESS, "--mix", "email.low"), "--live needs a live key"),
        (LIVE, ("--live", "--mix", "email.low"), "--live needs --email for email.low"),
        (LIVE, ("--live", "--rate=1000", "--duration=10", "--email", ADDRESS), "at most 1,000 with --live"),
        (TEST, ("--email", ADDRESS), "--email needs --live"),
        (TEST, ("--rate=10000", "--duration=600"), "at most 200,000"),
        (TEST, ("--mix", "fax.low"), "must be LANE"),
        (None, (), "set NOTIFIER_URL and NOTIFIER_API_KEY"),
    ],
)
def test_nobody_is_reached_by_mistake(cli, key, arguments, said):
    """Refused before anything is sent: nobody listens at the address, and the exit code says wrong usage."""
    if key:
        cli.env |= {"NOTIFIER_URL": "http://127.0.0.1:9", "NOTIFIER_API_KEY": key}
    ended = cli.run("bench", *arguments, code=2)
    assert said in " ".join(ended.err.split())
    assert ADDRESS not in ended.out + ended.err


def test_a_wrong_key_and_nobody_there_are_said_at_once(there):
    there.env["NOTIFIER_API_KEY"] = TEST
    assert there.run("bench", code=1).err.strip()
    there.env["NOTIFIER_URL"] = "http://127.0.0.1:9"
    assert "no answer from" in there.run("bench", code=1).err
