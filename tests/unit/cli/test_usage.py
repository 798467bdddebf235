"""Wrong usage is answered before anything is read or opened: exit 2, the option named, what is allowed."""

import pytest
from click.testing import CliRunner

from notifier.cli import main
from notifier.cli.main import COMMANDS


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("migrate --to head --down base", "only one of --to, --down and --ini"),
        ("migrate --ini --to head", "only one of --to, --down and --ini"),
        ("keys create", "--name"),
        ("keys create --name x --scopes send,write", "must be one or more of admin, read, send"),
        ("keys create --name x --scopes", "--scopes"),
        ("keys create --name x --channels fax", "must be one or more of email, sms, push"),
        ("keys create --name x --highest-priority urgent", "'high', 'medium', 'low'"),
        ("keys create --name x --expires-days 0", "--expires-days"),
        ("keys create --name x --tenant /", "--tenant"),
        ("keys create --name x --mode rehearsal", "'live', 'test'"),
        ("keys revoke nk_live_abcdefgh_0123", "must be a key's id"),
        ("keys revoke", "ID"),
        ("send --text x", "give one of --email, --phone, --push-token and --chat"),
        ("send --phone +14155552671 --email a@example.com", "give only one of"),
        ("send --phone +14155552671 --priority urgent", "'high', 'medium', 'low'"),
        ("send --phone +14155552671 --ttl soon", "--ttl"),
        ("send --phone +14155552671 --wait 0", "--wait"),
        ("send --phone +14155552671 --wait 5 --dry-run", "--dry-run"),
        ("send --phone +14155552671 --wait --dry-run", "--dry-run"),
        ("send --phone +14155552671 --idempotency-key é", "--idempotency-key"),
        ("send --phone +14155552671 --tenant -", "--tenant"),
        ("status", "ID"),
        ("status 42", "ntf_ and a UUID"),
        ("status NTF_01890000-0000-7000-8000-000000000000", "ntf_ and a UUID"),
        ("lanes pause", "LANE"),
        ("lanes pause email", "email.high, email.medium"),
        ("lanes pause EMAIL.low", "must be one of"),
        ("lanes resume fax.low", "must be one of"),
        ("lanes stop email.low", "No such command"),
        ("bench --rate 0", "--rate"),
        ("bench --duration 601", "--duration"),
        ("bench --mix email.low=0", "must be LANE or LANE=WEIGHT"),
        ("bench --batch 1001", "--batch"),
        ("bench --email a@example.com", "--email needs --live"),
        ("config set", "No such command"),
        ("snd", "No such command"),
    ],
)
def test_wrong_usage_is_named(arguments, named):
    ended = CliRunner().invoke(main, arguments.split())
    assert ended.exit_code == 2, ended.output
    assert named in ended.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_help_that_the_list_promises(name):
    """`notifier --help` names each command; each tells its usage."""
    ended = CliRunner().invoke(main, [name, "--help"])
    assert ended.exit_code == 0, ended.output
    assert f"Usage: main {name}" in ended.output
    assert name in CliRunner().invoke(main, ["--help"]).output
