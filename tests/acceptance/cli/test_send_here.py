"""`notifier send` and `status` without a service: the door's own checks, and a durable row."""

import sqlite3

import pytest

SMS = ("send", "--phone", "+14155552671", "--text", "hello")


def rows(cli, table):
    """How many rows the database holds."""
    connection = sqlite3.connect(cli.folder / "notifier.db")
    try:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()


def test_it_is_kept_and_its_bell_stays_owed_for_the_broker_of_another_process(migrated):
    """With the embedded broker the outbox row must outlive this process, and the operator is told."""
    ended = migrated.run(*SMS, "--priority", "high", "--reference", "order-42")
    assert "notifier dev" in ended.err
    assert rows(migrated, "outbox") == 1
    shown = migrated.run("status", ended.out.strip(), "--json").json()
    assert shown["id"] == ended.out.strip()
    assert (shown["status"], shown["channel"], shown["priority"]) == ("queued", "sms", "high")
    assert shown["reference"] == "order-42"
    assert [moment["event"] for moment in shown["timeline"]] == ["accepted"]


def test_words_of_status_name_lane_state_and_timeline(migrated):
    name = migrated.run(*SMS).out.strip()
    out = migrated.run("status", name).out
    assert out.splitlines()[0] == f"{name}  sms.medium  queued"
    assert "accepted" in out


def test_it_goes_through_the_account_that_was_named_and_through_no_other(migrated):
    name = migrated.run(*SMS, "--provider", "console").out.strip()
    connection = sqlite3.connect(migrated.folder / "notifier.db")
    try:
        assert connection.execute("SELECT provider FROM notifications").fetchall() == [("console",)]
    finally:
        connection.close()
    assert name.startswith("ntf_")
    refused = migrated.run(*SMS, "--provider", "twilio", code=2)
    assert "--provider" in refused.err
    assert rows(migrated, "notifications") == 1


def test_a_dry_run_keeps_nothing(migrated):
    plan = migrated.run(*SMS, "--dry-run", "--json").json()
    assert (plan["dry_run"], plan["provider"], plan["units"]) == (True, "console", 1)
    assert rows(migrated, "notifications") == 0


def test_a_dry_run_needs_no_database(cli):
    assert "would go to sms.medium through console" in cli.run(*SMS, "--dry-run").out


def test_the_same_idempotency_key_gives_the_same_id(migrated):
    first = migrated.run(*SMS, "--idempotency-key", "k1").out
    again = migrated.run(*SMS, "--idempotency-key", "k1")
    assert again.out == first
    assert "used before" in again.err
    assert rows(migrated, "notifications") == 1
    other = migrated.run(
        "send", "--phone", "+14155552671", "--text", "else", "--idempotency-key", "k1", code=2
    )
    assert "another body" in other.err


def test_a_tenant_sees_only_its_own(migrated):
    name = migrated.run(*SMS, "--tenant", "acme").out.strip()
    migrated.run("status", name, "--tenant", "acme")
    assert "no such thing" in migrated.run("status", name, code=1).err


def test_waiting_in_vain_ends_with_1_and_says_where_it_stands(migrated):
    ended = migrated.run(*SMS, "--wait", "0.2", code=1)
    assert "still queued after 0.2 s" in ended.out


def test_every_wrong_option_is_named_at_once(migrated):
    ended = migrated.run(
        *"send --email nobody --subject hi --ttl 0 --tag".split(),
        "",
        "--send-at",
        "tomorrow",
        code=2,
    )
    named = {line.partition(":")[0] for line in ended.err.splitlines()}
    assert named == {"--email", "--text", "--ttl", "--tag", "--send-at"}
    assert rows(migrated, "notifications") == 0


def test_with_json_a_refusal_is_the_door_s_problem_document(migrated):
    problem = migrated.run("send", "--phone", "123", "--text", "x", "--json", code=2).json()
    assert problem["code"] == "invalid_request"
    assert [error["pointer"] for error in problem["errors"]] == ["/to/phone"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--push-token abcdefgh --platform webpush --text x", "--push-token"),
        ("--phone +14155552671 --text \udcff", "JSON"),
    ],
)
def test_what_only_the_door_can_judge_is_named(migrated, arguments, named):
    assert named in migrated.run("send", *arguments.split(), code=2).err


def test_what_is_not_there_ends_with_1(migrated):
    name = "ntf_01890000-0000-7000-8000-000000000000"
    assert "no such thing" in migrated.run("status", name, code=1).err
    assert migrated.run("status", name, "--json", code=1).json()["code"] == "not_found"


def test_no_address_is_repeated_by_a_refusal(migrated):
    """An error names the option, never what was typed into it."""
    ended = migrated.run("send", "--email", "ada@@secret-place", "--subject", "s", "--text", "t", code=2)
    assert "secret-place" not in ended.err + ended.out


@pytest.mark.parametrize("missing", ["NOTIFIER_URL", "NOTIFIER_API_KEY"])
def test_address_and_key_come_together_or_not_at_all(migrated, missing):
    """Half of them must not silently send from here."""
    both = {"NOTIFIER_URL": "http://127.0.0.1:1", "NOTIFIER_API_KEY": f"nk_live_abcd1234_{'x' * 43}"}
    migrated.env |= {name: value for name, value in both.items() if name != missing}
    ended = migrated.run(*SMS, code=2)
    assert ended.err.startswith(f"{missing}: must be set together")
    assert "x" * 43 not in ended.err


def test_wrong_settings_end_with_2_and_name_them(migrated):
    migrated.env["NOTIFIER_HTTP_PORT"] = "many"
    assert "NOTIFIER_HTTP_PORT" in migrated.run(*SMS, code=2).err
