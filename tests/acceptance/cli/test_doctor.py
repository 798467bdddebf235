"""`notifier doctor`: each line says how it is and what to do; it fails only for what can't work."""

from urllib.parse import urlsplit

import pika
import pytest
from sqlalchemy import create_engine, text

from notifier.domain.lanes import Lane
from notifier.queueing.retention import Retention, RetentionConfig
from notifier.storage.migrations import head
from tests.nodes.smtp import smtp_server
from tests.nodes.web import Said, web_server

SECRET = "s3cret-word"


def checks(ended):
    """The findings by check."""
    return {one["check"]: one for one in ended.json()["checks"]}


def states(ended):
    return {one["check"]: one["state"] for one in ended.json()["checks"]}


def test_a_folder_set_up_for_dev_has_only_the_workers_missing(migrated):
    """Nothing failed: exit 0; what is not running is a warning with the command that starts it."""
    ended = migrated.run("doctor", "--json")
    assert ended.json()["ok"] is True
    found = states(ended)
    assert found.pop("workers") == found.pop("relays") == "warning"
    assert set(found.values()) == {"ok"}
    assert {"settings", "clock", "schema", "write", "broker", "email provider"} <= set(found)
    assert checks(ended)["workers"]["advice"] == "run: notifier dev"
    out = migrated.run("doctor").out
    assert f"ok       schema            sqlite, {head()}\n" in out
    assert "-> run: notifier dev" in out


def test_a_running_service_is_seen_beating(cli, dev):
    cli.folder = dev.folder
    found = checks(cli.run("doctor", "--json"))
    assert (found["workers"]["state"], found["relays"]["state"]) == ("ok", "ok")


def test_how_far_partitions_reach_is_said_and_that_none_is_made_is_warned_of(cli, postgres_url):
    """Without a relay nobody makes them; with one there are some for the next days."""
    cli.env["NOTIFIER_DATABASE_URL"] = postgres_url
    cli.run("migrate")
    found = checks(cli.run("doctor", "--json"))["retention"]
    assert found["state"] == "warning"
    assert "relay" in found["advice"]
    engine = create_engine(postgres_url)
    Retention(engine, RetentionConfig(days=30)).look()
    engine.dispose()
    found = checks(cli.run("doctor", "--json"))["retention"]
    assert found["state"] == "ok"
    assert found["detail"].startswith("30 days, 1 partitions, for ")
    cli.env["NOTIFIER_RETENTION_DAYS"] = 0
    assert checks(cli.run("doctor", "--json"))["retention"]["detail"] == "off: every notification is kept"


def test_a_database_without_the_schema_fails_with_the_command_that_mends_it(cli):
    found = checks(cli.run("doctor", "--json", code=1))
    assert found["database"]["advice"] == "run: notifier migrate"
    cli.run("migrate")
    cli.run("migrate", "--down", "base")
    ended = cli.run("doctor", "--json", code=1)
    assert ended.json()["ok"] is False
    assert checks(ended)["schema"]["advice"] == "run: notifier migrate"


def test_every_wrong_setting_is_a_line_of_its_own(cli):
    cli.env |= {"NOTIFIER_HTTP_PORT": "many", "NOTIFIER_LOG_LEVEL": "loud"}
    found = cli.run("doctor", "--json", code=1).json()["checks"]
    assert [one["state"] for one in found] == ["failed", "failed"]
    assert [one["detail"].partition(":")[0] for one in found] == ["NOTIFIER_HTTP_PORT", "NOTIFIER_LOG_LEVEL"]


def test_a_file_of_secrets_that_all_may_read_is_warned_of(migrated):
    env_file = migrated.folder / ".env"
    env_file.write_text("NOTIFIER_LOG_LEVEL=info\n")
    env_file.chmod(0o644)
    assert checks(migrated.run("doctor", "--json"))[".env"]["advice"] == "run: chmod 600 .env"
    env_file.chmod(0o600)
    assert ".env" not in checks(migrated.run("doctor", "--json"))


def test_all_that_is_away_is_said_and_no_secret_with_it(cli):
    """Database, broker and mail server are all gone: three failures, each with advice."""
    cli.env |= {
        "NOTIFIER_DATABASE_URL": f"postgresql+psycopg2://ada:{SECRET}@127.0.0.1:1/notifier",
        "NOTIFIER_BROKER_URL": f"amqp://ada:{SECRET}@127.0.0.1:1/",
        "NOTIFIER_EMAIL_PROVIDERS": f"smtp://ada:{SECRET}@127.0.0.1:1",
    }
    ended = cli.run("doctor", "--json", code=1)
    assert {name for name, state in states(ended).items() if state == "failed"} == {
        "database",
        "broker",
        "email provider",
    }
    assert all(one["advice"] for one in ended.json()["checks"] if one["state"] != "ok")
    assert SECRET not in ended.out + ended.err + cli.run("doctor", code=1).out


def test_a_provider_s_wrong_url_is_named_without_its_password(migrated):
    migrated.env["NOTIFIER_EMAIL_PROVIDERS"] = f"console:// smtp://ada:{SECRET}@mail.example.com"
    ended = migrated.run("doctor", "--json", code=1)
    assert checks(ended)["settings"]["detail"].startswith("NOTIFIER_EMAIL_PROVIDERS: ")
    assert SECRET not in ended.out


def test_printing_instead_of_sending_is_warned_of_in_production(migrated):
    """The console provider beside a broker on another machine (RFC 5737: one that is nowhere)."""
    migrated.env["NOTIFIER_BROKER_URL"] = f"amqp://ada:{SECRET}@192.0.2.1/"
    found = checks(migrated.run("doctor", "--json", code=1))
    assert found["email provider"]["state"] == "warning"
    assert "NOTIFIER_EMAIL_PROVIDERS" in found["email provider"]["advice"]
    assert found["broker"]["state"] == "failed"


def test_a_mail_server_is_greeted_and_logged_in_to_but_given_nothing(migrated):
    """The right password is let in, the wrong one is not; no message arrives either way."""
    with smtp_server(login=("ada", SECRET)) as server:
        migrated.env["NOTIFIER_EMAIL_PROVIDERS"] = f"smtp://ada:{SECRET}@127.0.0.1:{server.port}"
        assert checks(migrated.run("doctor", "--json"))["email provider"]["state"] == "ok"
        migrated.env["NOTIFIER_EMAIL_PROVIDERS"] = f"smtp://ada:another-word@127.0.0.1:{server.port}"
        ended = migrated.run("doctor", "--json", code=1)
        assert "auth_failed" in checks(ended)["email provider"]["detail"]
        assert "another-word" not in ended.out
        assert server.logins == [("ada", SECRET), ("ada", "another-word")]
        assert server.mailbox.mails == []


def test_a_user_who_may_not_write_is_said(cli, postgres_url):
    """A read-only database (a standby, a reader's account) answers, but nothing could be kept."""
    cli.env["NOTIFIER_DATABASE_URL"] = postgres_url
    cli.run("migrate")
    name = urlsplit(postgres_url).path.strip("/")
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    engine.dispose()
    found = checks(cli.run("doctor", "--json", code=1))
    assert found["schema"]["state"] == "ok"
    assert "read-only" in found["write"]["detail"]


@pytest.fixture
def rabbit(migrated, rabbitmq_vhost_url):
    """The command with a broker of its own."""
    migrated.env["NOTIFIER_BROKER_URL"] = rabbitmq_vhost_url
    return migrated


def test_the_queues_are_declared_and_the_user_may_use_them(rabbit):
    found = states(rabbit.run("doctor", "--json"))
    assert {found[name] for name in ("broker", "queues", "publish", "consume")} == {"ok"}
    assert states(rabbit.run("doctor", "--json"))["queues"] == "ok"


def test_a_queue_with_other_arguments_is_named(rabbit, rabbitmq_vhost_url):
    queue = Lane.all()[0].queue("notifier.v1")
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq_vhost_url))
    connection.channel().queue_declare(queue, durable=True)
    connection.close()
    found = checks(rabbit.run("doctor", "--json", code=1))["queues"]
    assert found["state"] == "failed"
    assert queue in found["detail"]
    assert "NOTIFIER_QUEUE_PREFIX" in found["advice"]


@pytest.mark.parametrize(
    ("declared", "rights", "failing"),
    [
        (True, (".*", "^$", ".*"), "publish"),
        (True, (".*", ".*", "^$"), "consume"),
        (False, ("^$", ".*", ".*"), "queues"),
    ],
)
def test_what_the_user_may_not_do_is_said(
    rabbit, rabbitmq_node, rabbitmq_vhost_url, declared, rights, failing
):
    """Write, read, configure: each missing right is the failure of its own check, with what to grant."""
    if declared:
        rabbit.run("doctor")
    parts = urlsplit(rabbitmq_vhost_url)
    may = dict(zip(("configure", "write", "read"), rights, strict=True))
    rabbitmq_node.set_permissions(parts.username, parts.path.strip("/"), **may)
    ended = rabbit.run("doctor", "--json", code=1)
    wrong = [one for one in ended.json()["checks"] if one["state"] == "failed"]
    assert [one["check"] for one in wrong] == [failing]
    assert "may not" in wrong[0]["detail"]
    assert wrong[0]["advice"]


def test_an_sms_account_is_read_but_given_nothing(migrated):
    """The right token is let in, a suspended account and a wrong token are told; nothing but the account is read."""
    with web_server(Said(200, b'{"status": "active"}')) as server:
        url = f"twilio://AC1:{SECRET}@127.0.0.1:{server.port}?from=Acme&dangerous_plain=true"
        migrated.env["NOTIFIER_SMS_PROVIDERS"] = url
        assert checks(migrated.run("doctor", "--json"))["sms provider"]["state"] == "ok"
        server.answer = Said(200, b'{"status": "suspended"}')
        ended = migrated.run("doctor", "--json", code=1)
        assert "the account is suspended" in checks(ended)["sms provider"]["detail"]
        server.answer = Said(401)
        ended = migrated.run("doctor", "--json", code=1)
        assert "401" in checks(ended)["sms provider"]["detail"]
        assert SECRET not in ended.out
        assert {heard.method for heard in server.heard} == {"GET"}


def test_a_key_that_can_not_sign_is_found(migrated):
    """Before the first e-mail waits for it."""
    with smtp_server() as server:
        url = f"smtp://127.0.0.1:{server.port}?dkim_selector=s1&dkim_key_file={migrated.folder}/none.pem"
        migrated.env["NOTIFIER_EMAIL_PROVIDERS"] = url
        found = checks(migrated.run("doctor", "--json", code=1))["email provider"]
    assert "dkim_key_file: the file can't be read" in found["detail"]
