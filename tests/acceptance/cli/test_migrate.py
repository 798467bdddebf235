"""`notifier migrate` brings any database to this version's schema, and says what it did."""

import stat
from pathlib import Path

import pytest

from notifier.storage.migrations import head


def test_an_empty_database_is_brought_to_the_newest_revision_and_then_left_alone(cli, database_url):
    """On both databases: from -> to; a second time nothing is done."""
    cli.env["NOTIFIER_DATABASE_URL"] = database_url
    assert cli.run("migrate").out == f"base -> {head()}\n"
    assert cli.run("migrate", "--json").json() == {"from": head(), "to": head()}
    assert cli.run("migrate").out == f"{head()}: nothing to do\n"


def test_it_goes_back_and_forth(cli, database_url):
    """Down to base leaves an empty database, which can be migrated again."""
    cli.env["NOTIFIER_DATABASE_URL"] = database_url
    cli.run("migrate")
    assert cli.run("migrate", "--down", "base", "--json").json() == {"from": head(), "to": "base"}
    assert "run: notifier migrate" in cli.run("keys", "list", code=1).err
    assert cli.run("migrate", "--to", head(), "--json").json() == {"from": "base", "to": head()}


def test_several_at_once_end_well(cli, database_url):
    """A deploy starts one on each host: whichever is first, all end with 0 and one schema stands."""
    cli.env["NOTIFIER_DATABASE_URL"] = database_url
    started = [cli.start("migrate", "--json") for _ in range(3)]
    ended = [(process.communicate(timeout=60), process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0, 0], ended
    assert cli.run("migrate", "--json").json() == {"from": head(), "to": head()}


def test_the_packaged_ini_is_found(cli):
    """`--ini` needs no database and prints a file that alembic can use."""
    path = Path(cli.run("migrate", "--ini").out.strip())
    assert "script_location" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--to", "no-such"], "--to"),
        (["--down", "no-such"], "--down"),
    ],
)
def test_wrong_usage_is_named(migrated, arguments, named):
    assert named in migrated.run("migrate", *arguments, code=2).err


def test_a_database_that_is_away_is_said_without_its_password(cli):
    cli.env["NOTIFIER_DATABASE_URL"] = "postgresql+psycopg2://ada:s3cret-word@127.0.0.1:1/notifier"
    ended = cli.run("migrate", code=1)
    assert "can't be migrated" in ended.err
    assert "s3cret-word" not in ended.err + ended.out


def test_a_folder_that_is_missing_is_said(cli):
    cli.env["NOTIFIER_DATABASE_URL"] = f"sqlite:///{cli.folder / 'nowhere' / 'notifier.db'}"
    assert "unable to open database file" in cli.run("migrate", code=1).err


def test_a_command_that_only_reads_makes_no_database_file(cli):
    cli.run("keys", "list", code=1)
    assert not [path for path in cli.folder.iterdir() if stat.S_ISREG(path.stat().st_mode)]
