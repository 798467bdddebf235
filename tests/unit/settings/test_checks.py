"""What must hold between settings: the order of timeouts, and what production refuses."""

import sys

import pytest

from notifier.settings import SettingsError, load_settings

#: The values of reliability.md for tests: T 2 s, margins 2 s and 4 s, drain 4 s, lease 10 s.
FAST = {
    "connect_timeout_seconds": 1,
    "provider_timeout_seconds": 2,
    "smtp_timeout_seconds": 2,
    "drain_margin_seconds": 2,
    "lease_margin_seconds": 4,
    "send_margin_seconds": 2,
    "drain_seconds": 4,
    "lease_seconds": 10,
}
SMTP = {"email_providers": "smtp://localhost:25"}
REAL = {
    "database_url": "postgresql+psycopg2://app:Zr8xQ@db.internal/notifier",
    "broker_url": "amqp://app:Zr8xQ@mq.internal",
}


def problems(**overrides: object) -> dict[str, str]:
    """What is wrong with these values, by name; empty if nothing."""
    try:
        load_settings({}, overrides=overrides)
    except SettingsError as error:
        return dict(error.problems)
    return {}


def test_the_tests_own_timings_are_allowed():
    assert problems(**FAST, **SMTP) == {}


@pytest.mark.parametrize(
    ("given", "blamed", "named"),
    [
        (
            {"drain_seconds": 29.9},
            "DRAIN_SECONDS",
            ["PROVIDER_TIMEOUT_SECONDS", "DRAIN_MARGIN_SECONDS", "30"],
        ),
        ({"lease_seconds": 40, "lease_margin_seconds": 21}, "LEASE_SECONDS", ["LEASE_MARGIN_SECONDS", "41"]),
        ({"lease_seconds": 50, "drain_seconds": 50}, "LEASE_SECONDS", ["DRAIN_SECONDS"]),
        ({"connect_timeout_seconds": 20}, "PROVIDER_TIMEOUT_SECONDS", ["CONNECT_TIMEOUT_SECONDS"]),
        ({"send_margin_seconds": 20}, "LEASE_MARGIN_SECONDS", ["SEND_MARGIN_SECONDS"]),
        ({"beat_seconds": 5}, "BEAT_FRESH_SECONDS", ["BEAT_SECONDS"]),
        ({"retry_low_base_seconds": 4000}, "RETRY_LOW_CAP_SECONDS", ["RETRY_LOW_BASE_SECONDS"]),
        ({"body_limit_bytes": 6_000_000}, "BATCH_BODY_LIMIT_BYTES", ["BODY_LIMIT_BYTES"]),
        ({"http_port": 9191}, "METRICS_PORT", ["HTTP_PORT"]),
        (FAST | {"drain_seconds": 3.9}, "DRAIN_SECONDS", ["PROVIDER_TIMEOUT_SECONDS"]),
        (FAST | {"lease_seconds": 5.9}, "LEASE_SECONDS", ["PROVIDER_TIMEOUT_SECONDS"]),
    ],
)
def test_timings_out_of_order_are_refused_naming_both_settings(given, blamed, named):
    found = problems(**given)
    assert list(found) == [f"NOTIFIER_{blamed}"]
    assert all(name in found[f"NOTIFIER_{blamed}"] for name in named)


def test_the_least_that_is_allowed_is_allowed():
    assert problems(drain_seconds=30, lease_seconds=40) == {}
    assert problems(drain_seconds=40, lease_seconds=50, **SMTP) == {}
    # 0.1 + 0.2 is more than 0.3 in binary.
    tiny = dict.fromkeys(("provider_timeout_seconds", "lease_margin_seconds"), 0.1)
    rest = {"connect_timeout_seconds": 0.05, "drain_margin_seconds": 0.2, "send_margin_seconds": 0.05}
    assert problems(**tiny, **rest, drain_seconds=0.3, lease_seconds=0.4) == {}


def test_the_smtp_timeout_counts_only_where_an_smtp_provider_is_set():
    assert problems(drain_seconds=35) == {}
    found = problems(drain_seconds=35, **SMTP)
    assert "NOTIFIER_SMTP_TIMEOUT_SECONDS" in found["NOTIFIER_DRAIN_SECONDS"]


def test_a_sender_of_sms_stands_in_the_url_or_in_its_setting():
    """It is missed when the settings are read, not at the first message."""
    found = problems(sms_providers="console:// twilio://AC1:t0ken@")
    assert list(found) == ["NOTIFIER_SMS_PROVIDERS"]
    assert "NOTIFIER_SMS_FROM" in found["NOTIFIER_SMS_PROVIDERS"]
    assert problems(sms_providers="twilio://AC1:t0ken@", sms_from="Acme") == {}
    assert problems(sms_providers="vonage://key:s3cret@?from=Acme") == {}


def test_what_a_provider_needs_is_to_be_installed(monkeypatch):
    """It is missed when the settings are read; the answer is the command to give."""
    url = "webpush://?vapid_key=/k&subject=mailto:ops@example.com"
    assert problems(push_providers=url) == {}
    monkeypatch.setitem(sys.modules, "pywebpush", None)  # as if it were not there
    found = problems(push_providers=url)
    assert found == {
        "NOTIFIER_PUSH_PROVIDERS": "webpush: needs more to be installed: pip install 'notifier[webpush]'"
    }


def test_a_wrong_value_brings_no_second_complaint_by_its_default():
    assert list(problems(provider_timeout_seconds="x", drain_seconds=1, lease_seconds=2)) == [
        "NOTIFIER_PROVIDER_TIMEOUT_SECONDS"
    ]


@pytest.mark.parametrize(
    ("database", "broker", "production"),
    [
        ("sqlite:///x.db", "embedded://", False),
        ("postgresql://u@localhost/n", "amqp://localhost", False),
        ("postgresql://u@127.0.0.2:5433/n", "amqp://[::1]:5673", False),
        ("postgresql+psycopg2:///n?host=/run/postgresql", "amqp://127.0.0.1;amqp://localhost:5673", False),
        ("postgresql://u:Zr8xQ@db/n", "embedded://", True),
        ("postgresql://u:Zr8xQ@127.0.0.1.evil.example/n", "embedded://", True),
        ("postgresql+psycopg2://u:Zr8xQ@/n?host=db1:5432&host=db2:5432", "embedded://", True),
        ("sqlite:///x.db", "amqp://u:Zr8xQ@localhost;amqps://u:Zr8xQ@10.0.0.5/vhost", True),
    ],
)
def test_production_is_a_database_or_broker_on_another_machine(database, broker, production):
    settings = load_settings({}, overrides={"database_url": database, "broker_url": broker})
    assert settings.production is production


@pytest.mark.parametrize(
    "user", ["", "guest:guest@", "app@", "app:@", "app:app@", "app:change-me@", "app:%67uest@"]
)
def test_production_refuses_default_empty_and_sample_credentials(user):
    found = problems(**REAL | {"broker_url": f"amqp://app:Zr8xQ@a;amqp://{user}mq.internal"})
    assert list(found) == ["NOTIFIER_BROKER_URL"]
    found = problems(**REAL | {"database_url": f"postgresql://{user}db.internal/n"})
    assert list(found) == ["NOTIFIER_DATABASE_URL"]


def test_production_takes_real_credentials_certificates_and_local_sockets():
    assert problems(**REAL) == {}
    assert problems(**REAL | {"database_url": "postgresql://app@db.internal/n?sslcert=/c.pem"}) == {}
    assert problems(**REAL | {"database_url": "postgresql:///n?host=/run/postgresql"}) == {}


def test_development_takes_guest():
    assert problems(broker_url="amqp://guest:guest@localhost") == {}


def test_crash_points_are_refused_in_production():
    assert problems(crash_at="after_send") == {}
    assert list(problems(**REAL, crash_at="after_send")) == ["NOTIFIER_CRASH_AT"]


def test_a_bare_postgresql_url_names_the_driver_that_is_installed():
    settings = load_settings({"NOTIFIER_DATABASE_URL": "postgres://u@localhost/n"})
    assert settings.database_url == "postgresql+psycopg2://u@localhost/n"


def test_a_file_of_authorities_must_be_there(tmp_path):
    """A typo in the path stops the start, not the first connection."""
    assert "can be read" in problems(broker_ca_file=str(tmp_path / "none.pem"))["NOTIFIER_BROKER_CA_FILE"]
    (tmp_path / "ca.pem").touch()
    assert problems(broker_ca_file=str(tmp_path / "ca.pem")) == {}


def test_links_to_unsubscribe_need_a_secret():
    """A link that anybody could make would be none; a secret without an address honours old links."""
    assert "32 characters" in problems(public_url="https://h")["NOTIFIER_UNSUBSCRIBE_SECRET"]
    assert problems(public_url="https://h", unsubscribe_secret="s" * 32) == {}
    assert problems(unsubscribe_secret="s" * 32) == {}
    assert (
        load_settings(
            {}, overrides={"public_url": "https://H.example:8443/mail/", "unsubscribe_secret": "s" * 32}
        ).public_url
        == "https://H.example:8443/mail"
    )
