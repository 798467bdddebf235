"""`notifier config`: the settings in force, and everything that is wrong with them."""

import pytest


def test_show_gives_every_setting_without_secrets(cli):
    cli.env |= {
        "NOTIFIER_DATABASE_URL": "postgresql://ada:s3cret-word@127.0.0.1/notifier",
        "NOTIFIER_HTTP_PORT": 8181,
    }
    shown = cli.run("config", "show", "--json").json()
    assert shown["NOTIFIER_HTTP_PORT"] == "8181"
    assert shown["NOTIFIER_DATABASE_URL"] == "postgresql+psycopg2://ada:***@127.0.0.1/notifier"
    words = cli.run("config", "show").out
    assert dict(line.split("=", 1) for line in words.splitlines()) == shown
    assert "s3cret-word" not in words


@pytest.mark.parametrize("command", ["show", "check"])
def test_everything_wrong_is_named_at_once(cli, command):
    cli.env |= {"NOTIFIER_HTTP_PORT": "many", "NOTIFIER_LOG_LEVEL": "loud", "NOTIFIER_SPEED": "9"}
    ended = cli.run("config", command, code=2)
    for name in cli.env:
        assert name in ended.out + ended.err


def test_check_answers_a_program_too(cli):
    assert cli.run("config", "check", "--json").json() == {"ok": True, "problems": []}
    cli.env["NOTIFIER_HTTP_PORT"] = "many"
    wrong = cli.run("config", "check", "--json", code=2).json()
    assert wrong["ok"] is False
    assert [one["setting"] for one in wrong["problems"]] == ["NOTIFIER_HTTP_PORT"]
