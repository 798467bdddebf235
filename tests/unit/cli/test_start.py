"""A command starts quickly: what is heavy is imported only by what needs it."""

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "aiohttp", "dramatiq", "alembic", "pika", "environs", "rich", "phonenumbers")


def imported_by(code):
    """Which heavy libraries a fresh interpreter has after `code`."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*[n for n in {HEAVY!r} if n in sys.modules])"],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.split()


def test_the_list_of_commands_needs_nothing_heavy():
    assert imported_by("import notifier.cli.main") == []


@pytest.mark.parametrize(
    "name", ["migrate", "send", "status", "lanes", "keys", "bench", "doctor", "reconcile", "config"]
)
def test_the_help_of_a_command_needs_nothing_heavy(name):
    assert imported_by(f"import notifier.cli.{name}") == []
