"""No secret of Settings is ever printed."""

import pytest

from notifier.settings import load_settings
from notifier.settings.urls import masked

CANARY = "hunter2"


def test_repr_and_shown_hold_no_secret():
    settings = load_settings(
        {
            "NOTIFIER_DATABASE_URL": f"postgresql://app:{CANARY}@db/n?sslpassword={CANARY}",
            "NOTIFIER_BROKER_URL": f"amqp://app:{CANARY}@a;amqps://app:{CANARY}@b",
            "NOTIFIER_EMAIL_PROVIDERS": f"smtps://me:{CANARY}@h:587?timeout=20 smtp://127.0.0.1",
            "NOTIFIER_SMS_PROVIDERS": "console://?name=texts",
            "NOTIFIER_PUSH_PROVIDERS": "console://",
            "NOTIFIER_UNSUBSCRIBE_SECRET": f"{CANARY * 5} {CANARY * 6}",
        }
    )
    assert CANARY not in repr(settings)
    assert CANARY not in str(settings)
    assert CANARY not in str(settings.shown())
    assert settings.shown()["NOTIFIER_BROKER_URL"] == "amqp://app:***@a;amqps://app:***@b"
    assert settings.shown()["NOTIFIER_UNSUBSCRIBE_SECRET"] == "***"
    assert settings.shown()["NOTIFIER_EMAIL_PROVIDERS"].startswith("smtps://me:***@h:587?timeout=20 ")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///notifier.db", "sqlite:///notifier.db"),
        ("embedded://", "embedded://"),
        ("console://", "console://"),
        ("amqp://u:p@h:5672/vhost", "amqp://u:***@h:5672/vhost"),
        ("amqp://u:p@ss@h", "amqp://u:***@h"),
        ("ses://token@eu-west-1", "ses://***@eu-west-1"),
        ("smtp://h:25?password=p&weight=2", "smtp://h:25?password=***&weight=2"),
        ("hook://h/token#fragment", "hook://h/***"),
        ("smtp://u:p@h:port", "***"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url, shown):
    assert masked(url) == shown
