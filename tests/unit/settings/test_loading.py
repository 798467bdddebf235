"""Settings are read once, checked whole, and every wrong one is reported at once."""

import os
from dataclasses import FrozenInstanceError

import pytest

from notifier.domain.lanes import Lane
from notifier.settings import Settings, SettingsError, load_settings, open_to_others
from notifier.settings.fields import each
from notifier.settings.names import rule_of, variable

SECRET_VARIABLES = [variable(one.name) for one in each() if rule_of(one).secret]
POSTGRESQL = "postgresql+psycopg2://app:Zr8x@db.internal/notifier"


def problems(environ: dict[str, str], **overrides: object) -> dict[str, str]:
    """What `load_settings` reports, by name."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, overrides=overrides)
    names = [name for name, _ in caught.value.problems]
    assert len(names) == len(set(names))
    assert all(f"{name}: {allowed}" in str(caught.value) for name, allowed in caught.value.problems)
    return dict(caught.value.problems)


def test_nothing_set_gives_the_defaults():
    assert load_settings({}).shown() == Settings().shown()


def test_every_default_is_a_value_its_own_rule_allows():
    shown = Settings().shown()
    assert load_settings({name: value for name, value in shown.items() if value}).shown() == shown


def test_settings_can_not_be_changed():
    with pytest.raises(FrozenInstanceError):
        load_settings({}).http_port = 1


def test_values_are_read_as_their_types():
    settings = load_settings(
        {
            "NOTIFIER_WORKER_THREADS": " 8 ",
            "NOTIFIER_RELAY_POLL_SECONDS": "0.25",
            "NOTIFIER_EMAIL_PROVIDERS": "smtp://localhost:2525  console://",
            "NOTIFIER_LOG_LEVEL": "WARNING",
            "NOTIFIER_SMS_FROM": "ACME",
        }
    )
    assert (settings.worker_threads, settings.relay_poll_seconds) == (8, 0.25)
    assert settings.email_providers == ("smtp://localhost:2525", "console://")
    assert (settings.log_level, settings.sms_from) == ("warning", "ACME")


def test_every_wrong_setting_is_reported_at_once_in_order():
    found = problems(
        {
            "NOTIFIER_WORKER_THREADS": "abc",
            "NOTIFIER_HTTP_PORT": "70000",
            "NOTIFIER_QUEUE_TYPE": "stream",
            "NOTIFIER_NONSENSE": "1",
            "NOTIFIER_EMAIL_FROM": "nobody",
        }
    )
    assert found["NOTIFIER_WORKER_THREADS"] == "must be a whole number from 1 to 1024, not 'abc'"
    assert found["NOTIFIER_QUEUE_TYPE"] == "must be one of quorum, classic, not 'stream'"
    assert found["NOTIFIER_HTTP_PORT"] == "must be a whole number from 0 to 65535, not '70000'"
    assert list(found) == [
        "NOTIFIER_QUEUE_TYPE",
        "NOTIFIER_HTTP_PORT",
        "NOTIFIER_WORKER_THREADS",
        "NOTIFIER_EMAIL_FROM",
        "NOTIFIER_NONSENSE",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("WORKER_THREADS", value) for value in ("0", "-1", "1025", "1.5", "1e2", "0x10", "٣", "9" * 400)),
        *(("LEASE_SECONDS", value) for value in ("0", "-1", "nan", "inf", "1e3", "5s", "901")),
        *(("HTTP_HOST", value) for value in ("a b", "http://x", "a/b")),
        *(("QUEUE_PREFIX", value) for value in ("Notifier", "a..b", "a.", "1a", "a b", "a" * 65)),
        *(("EMAIL_FROM", value) for value in ("a@b, c@d", "a", "a@", "@b", "a@b\r\nBcc: c@d", "<a@b> x")),
        *(
            ("PUBLIC_URL", value)
            for value in (
                "http://n.example.com",
                "n.example.com",
                "https://",
                "https://a b",
                "https://u:p@h",
                "https://h?x",
                "https://h/#x",
                "https://h//x",
            )
        ),
        *(("UNSUBSCRIBE_SECRET", value) for value in ("x" * 31, "x" * 32 + " y", "é" * 32)),
        *(("SMS_FROM", value) for value in ("a" * 17, "+44;1", "ACME\x07")),
        *(("CRASH_AT", value) for value in ("somewhere", "after_commi")),
        *(("LOG_LEVEL", value) for value in ("loud", "0")),
        *(
            ("BROKER_URL", value)
            for value in ("redis://x", "amqp://", "amqp://a:b", ";", "amqp://a;redis://b")
        ),
        *(
            ("DATABASE_URL", value)
            for value in ("mysql://a/b", "sqlite://", "sqlite:///:memory:", "postgresql://")
        ),
        *(("DATABASE_URL", value) for value in ("postgresql://h/", "sqlite://host/x", "postgresql://h:x/n")),
        *(("EMAIL_PROVIDERS", value) for value in ("smtp", "console:// console://", "smtp://h:port")),
    ],
)
def test_a_value_out_of_range_is_refused(name, value):
    assert list(problems({f"NOTIFIER_{name}": value})) == [f"NOTIFIER_{name}"]


def test_a_wrong_value_is_shown_cut():
    shown = problems({"NOTIFIER_HTTP_HOST": "!" * 1000})["NOTIFIER_HTTP_HOST"]
    assert "!" * 64 + "…" in shown
    assert "!" * 65 not in shown


def test_an_empty_variable_is_no_default():
    """A variable left empty by a deploy script must not fall back to SQLite in silence."""
    assert problems({"NOTIFIER_DATABASE_URL": ""})["NOTIFIER_DATABASE_URL"].endswith("not empty")
    assert load_settings({"NOTIFIER_SMS_FROM": "", "NOTIFIER_CRASH_AT": ""}).sms_from is None


def test_a_misspelt_setting_is_reported_with_a_suggestion():
    found = problems({"NOTIFIER_WORKER_THREAD": "8", "NOTIFIER_HTTP_HOST_FILE": "x"})
    assert found["NOTIFIER_WORKER_THREAD"] == "is not a setting; did you mean NOTIFIER_WORKER_THREADS?"
    assert "NOTIFIER_HTTP_HOST_FILE" in found


def test_the_send_commands_variables_and_foreign_ones_are_left_alone():
    others = {"NOTIFIER_URL": "http://x", "NOTIFIER_API_KEY": "k", "NOTIFIERS": "1", "PATH": "/bin"}
    assert load_settings(others).shown() == Settings().shown()


def test_kubernetes_service_links_are_no_misspelt_settings():
    links = {
        "NOTIFIER_SERVICE_HOST": "10.0.0.1",
        "NOTIFIER_SERVICE_PORT": "80",
        "NOTIFIER_SERVICE_PORT_HTTP": "80",
        "NOTIFIER_PORT": "tcp://10.0.0.1:80",
        "NOTIFIER_PORT_80_TCP_ADDR": "10.0.0.1",
        "NOTIFIER_WEB_PORT_80_TCP": "tcp://10.0.0.1:80",
    }
    assert load_settings(links).shown() == Settings().shown()
    assert "NOTIFIER_PORT" in problems({"NOTIFIER_PORT": "8080"})


def test_chat_has_no_provider_and_no_lane_unless_it_is_set():
    """Empty is the same as not set."""
    for environ in ({}, {"NOTIFIER_CHAT_PROVIDERS": ""}):
        settings = load_settings(environ)
        assert settings.chat_providers == ()
        assert len(settings.lanes) == 9
    settings = load_settings({"NOTIFIER_CHAT_PROVIDERS": "console://?name=ops console://?name=dev"})
    assert [lane.name for lane in settings.lanes][9:] == ["chat.high", "chat.medium", "chat.low"]
    assert load_settings({}).lanes == Lane.all()


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        ("x://y", "no provider for chat"),
        ("console:// console://?rate=1/s", "two chats are called console"),
        ("console://?name=ops&rate=1/s apprise://?name=ops&url=json%3A%2F%2Fh", "two chats are called ops"),
        ("console://?name=simulator-bounce", "simulator-"),
        ("console://?name=ops&weight=3", "weight"),
        ("webhook+https://h.example/x?secret_file=/s", "needs the option name"),
        ("webhook+https://h.example/x?name=ops", "one of the options secret and secret_file"),
        ("webhook+https://h.example/x?name=ops&secret=whsec_c2hvcnQ%3D", "24 to 64 bytes"),
        ("apprise://?name=ops", "one of the options url and url_file"),
        ("apprise://?name=ops&url=json%3A%2F%2Fh&url_file=/f", "not both"),
        ("apprise://?name=ops&url=nothing", "must be one URL"),
    ],
)
def test_a_chat_that_leads_nowhere_stops_the_start(urls, said):
    """With what is allowed, and without any of its secrets."""
    found = problems({"NOTIFIER_CHAT_PROVIDERS": urls})["NOTIFIER_CHAT_PROVIDERS"]
    assert said in found
    assert "c2hvcnQ" not in found


def test_no_figure_is_taken_for_a_lane_that_is_not_there():
    """It would be accepted and ignored."""
    figures = {
        "NOTIFIER_LANE_WEIGHTS": "chat.high=8",
        "NOTIFIER_LANE_MINIMUMS": "chat.low=2",
        "NOTIFIER_LANE_RATES": "chat.low=3/m",
    }
    assert problems(figures).keys() == figures.keys()
    assert "NOTIFIER_CHAT_PROVIDERS is set" in problems(figures)["NOTIFIER_LANE_RATES"]
    assert load_settings(figures | {"NOTIFIER_CHAT_PROVIDERS": "console://"}).lane_rates == (
        ("chat.low", 0.05),
    )


def test_overrides_go_before_the_environment_and_are_checked_like_it():
    environ = {"NOTIFIER_HTTP_PORT": "1000"}
    settings = load_settings(
        environ, overrides={"http_port": 0, "push_providers": ("console://?name=a", "console://?name=b")}
    )
    assert (settings.http_port, settings.push_providers) == (0, ("console://?name=a", "console://?name=b"))
    found = problems(environ, http_port=-1, nonsense=1)
    assert set(found) == {"NOTIFIER_HTTP_PORT", "nonsense"}


@pytest.mark.parametrize("name", SECRET_VARIABLES)
def test_a_secret_can_stand_in_a_file(name, tmp_path):
    value = {
        "NOTIFIER_DATABASE_URL": POSTGRESQL,
        "NOTIFIER_BROKER_URL": "amqp://app:Zr8x@mq",
        "NOTIFIER_UNSUBSCRIBE_SECRET": "s" * 32,
    }.get(name, "console://?name=mine")
    file = tmp_path / "secret"
    file.write_text(value + "\n")
    assert load_settings({f"{name}_FILE": str(file)}).shown() == load_settings({name: value}).shown()
    assert "only once" in problems({f"{name}_FILE": str(file), name: value})[name]
    assert "can't be read" in problems({f"{name}_FILE": str(tmp_path / "none")})[name]
    assert "can't be read" in problems({f"{name}_FILE": str(tmp_path)})[name]


@pytest.mark.parametrize("name", SECRET_VARIABLES)
def test_a_wrong_secret_is_never_repeated(name):
    assert "hunter2" not in str(problems({name: "x://me:hunter2@host:bad"}))


def test_the_dotenv_file_of_the_working_directory_is_read_and_nothing_leaks_from_it(tmp_path, monkeypatch):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / ".env").write_text("NOTIFIER_HTTP_PORT=1000\nNOTIFIER_WORKER_THREADS=8\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NOTIFIER_WORKER_THREADS", "16")
    settings = load_settings()
    assert (settings.http_port, settings.worker_threads) == (1000, 16)
    assert "NOTIFIER_HTTP_PORT" not in os.environ
    monkeypatch.chdir(inner)
    assert load_settings().http_port == 8080


def test_misspelt_settings_and_bytes_in_the_dotenv_file_are_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("NOTIFIER_HTTP_PROT=1000\n")
    with pytest.raises(SettingsError, match="did you mean NOTIFIER_HTTP_PORT"):
        load_settings()
    (tmp_path / ".env").write_bytes(b"NOTIFIER_HTTP_PORT=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"\.env: must be"):
        load_settings()


def test_a_file_of_secrets_that_everyone_may_read_is_noticed(tmp_path):
    file = tmp_path / ".env"
    assert not open_to_others(file)
    file.write_text("")
    file.chmod(0o644)
    assert open_to_others(file)
    file.chmod(0o640)
    assert not open_to_others(file)


@pytest.mark.parametrize("command", ["serve", "work", "dramatiq"])
def test_commands_of_several_processes_refuse_the_embedded_broker(command):
    with pytest.raises(SettingsError, match="NOTIFIER_BROKER_URL"):
        load_settings({}).require_servers(command)
    settings = load_settings({"NOTIFIER_BROKER_URL": "amqp://localhost"})
    settings.require_servers(command)
    assert not settings.embedded


def test_dev_runs_with_the_embedded_broker():
    settings = load_settings({})
    settings.require_servers("dev")
    assert settings.embedded
