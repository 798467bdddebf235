"""`notifier keys`: API keys, made, listed and revoked."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from notifier.cli.support import fail, json_option, say, settings_or_exit
from notifier.cli.words import printable, table
from notifier.domain.keys import SCOPES, new_key
from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Mode

if TYPE_CHECKING:
    from notifier.storage.api_keys import KeyRow

_MAX_NAME = 100
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ID = re.compile(r"[a-z0-9]{8}", re.ASCII)
_DAY = 86_400


def check_tenant(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    """A tenant's name, as an option."""
    if not _TENANT.fullmatch(text):
        raise click.BadParameter("must be 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit")
    return text


def _name(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not 1 <= len(text.strip()) <= _MAX_NAME or not text.isprintable():
        raise click.BadParameter(f"must be 1 to {_MAX_NAME} printable characters")
    return text.strip()


def _key_id(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not _ID.fullmatch(text):
        raise click.BadParameter("must be a key's id, the 8 characters after its nk_live_ or nk_test_")
    return text


def _among(allowed: list[str]) -> Callable[[Any, Any, str | None], frozenset[str] | None]:
    """A list separated by commas, each one of `allowed`."""

    def check(_context: Any, _parameter: Any, text: str | None) -> frozenset[str] | None:
        if text is None:
            return None
        found = frozenset(part.strip() for part in text.split(","))
        if not found <= set(allowed):
            raise click.BadParameter(f"must be one or more of {', '.join(allowed)}, separated by commas")
        return found

    return check


@click.group()
def command() -> None:
    """Create, list and revoke API keys."""


@command.command()
@click.option("--name", required=True, callback=_name, help="Whose key it is, for your own list.")
@click.option(
    "--tenant", default="default", show_default=True, callback=check_tenant, help="Whose data it reaches."
)
@click.option(
    "--scopes",
    default="send,read",
    show_default=True,
    callback=_among(sorted(SCOPES)),
    help="What it may do: send, read, admin (all).",
)
@click.option(
    "--channels",
    callback=_among([one.value for one in Channel]),
    help="Only these channels: email,sms,push,chat.",
)
@click.option(
    "--highest-priority", type=click.Choice([one.value for one in Priority]), help="At most this priority."
)
@click.option(
    "--expires-days", type=click.IntRange(1, 36_500), help="Days until it ends; never unless given."
)
@click.option(
    "--mode",
    type=click.Choice([one.value for one in Mode]),
    default="live",
    show_default=True,
    help="Live sends for real; what a test key sends goes to the simulator, and nothing leaves.",
)
@json_option
def create(
    name: str,
    tenant: str,
    scopes: frozenset[str],
    channels: frozenset[str] | None,
    highest_priority: Priority | None,
    expires_days: int | None,
    mode: Mode,
    as_json: bool,
) -> None:
    """Make a key and show it: only now, for only its hash is kept."""
    key_id, text, digest = new_key(Mode(mode))
    from notifier.cli.database import database_or_exit
    from notifier.storage import api_keys

    with database_or_exit(settings_or_exit()) as engine:
        api_keys.add(
            engine,
            key_id=key_id,
            key_hash=digest,
            name=name,
            tenant=tenant,
            mode=Mode(mode),
            scopes=scopes,
            channels=None if channels is None else [Channel(one) for one in channels],
            highest_priority=None if highest_priority is None else Priority(highest_priority),
            lifetime=None if expires_days is None else expires_days * _DAY,
        )
    say(
        as_json,
        {"id": key_id, "key": text},
        f"{text}\n\nKept as {key_id}. The key is shown only now: keep it safe.",
    )


@command.command(name="list")
@json_option
def list_keys(as_json: bool) -> None:
    """List all keys, oldest first; never the keys themselves."""
    from notifier.cli.database import database_or_exit
    from notifier.storage import api_keys

    with database_or_exit(settings_or_exit()) as engine:
        rows = api_keys.every(engine)
    shown = [_shown(row) for row in rows]
    head = [
        "id",
        "state",
        "tenant",
        "mode",
        "scopes",
        "channels",
        "highest",
        "created",
        "expires",
        "last used",
        "name",
    ]
    lines = [[_cell(one[column.replace(" ", "_")]) for column in head] for one in shown]
    say(
        as_json,
        {"data": shown},
        table(head, lines) if rows else "no keys yet: notifier keys create --name NAME",
    )


@command.command()
@click.argument("key_id", metavar="ID", callback=_key_id)
@json_option
def revoke(key_id: str, as_json: bool) -> None:
    """End the key with this ID; every HTTP process refuses it within 2 seconds."""
    from notifier.cli.database import database_or_exit
    from notifier.storage import api_keys

    with database_or_exit(settings_or_exit()) as engine:
        known = api_keys.revoke(engine, key_id)
    if not known:
        fail(f"there is no key {key_id}: notifier keys list")
    say(as_json, {"id": key_id, "state": "revoked"}, f"{key_id} is revoked")


def _shown(row: "KeyRow") -> dict[str, Any]:
    state = "revoked" if row.revoked_at else "expired" if row.expired else "active"
    return {
        "id": row.id,
        "state": state,
        "tenant": row.tenant,
        "mode": str(row.mode),
        "scopes": sorted(row.scopes),
        "channels": None if row.channels is None else sorted(row.channels),
        "highest": row.highest_priority,
        "created": row.created_at.isoformat(timespec="seconds"),
        "expires": row.expires_at.isoformat(timespec="seconds") if row.expires_at else None,
        "last_used": row.last_used_at.isoformat(timespec="seconds") if row.last_used_at else None,
        "name": row.name,
    }


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return ",".join(value) if isinstance(value, list) else printable(str(value))
