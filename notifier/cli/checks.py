"""What `notifier doctor` looks at: each check yields findings, and never a secret.

The checks of one neighbour stand in one file: `check_database`, `check_broker`, `check_providers`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from notifier.settings import SettingsError, load_settings, open_to_others


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, what was found, and what to do about it."""

    check: str
    state: State
    detail: str
    advice: str = ""


def ok(check: str, detail: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, detail)


def warning(check: str, detail: str, advice: str) -> Finding:
    """It works, but somebody should know."""
    return Finding(check, State.WARNING, detail, advice)


def failed(check: str, detail: str, advice: str) -> Finding:
    """It can't work."""
    return Finding(check, State.FAILED, detail, advice)


def check_settings() -> Iterator[Finding]:
    """Every wrong setting, and files of secrets that everybody may read."""
    try:
        settings = load_settings()
    except SettingsError as error:
        for name, allowed in error.problems:
            yield failed("settings", f"{name}: {allowed}", "correct it in the environment or in .env")
    else:
        where = "production: a server is on another machine" if settings.production else "on this machine"
        yield ok("settings", f"all are right ({where})")
    env_file = Path.cwd() / ".env"
    if open_to_others(env_file):
        yield warning(".env", "every user of this machine may read it", "run: chmod 600 .env")
