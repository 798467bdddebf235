"""API keys: only the hash of a key is kept; the key itself is shown once, when it is made."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, insert, select, update

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Mode
from notifier.storage.engine import reading, writing
from notifier.storage.tables import api_keys
from notifier.storage.types import db_now, db_now_plus


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key as it stands. `hash` is the SHA-256 of the whole key; None means any channel or priority."""

    id: str
    hash: bytes
    name: str
    tenant: str
    mode: Mode
    scopes: frozenset[str]
    channels: frozenset[Channel] | None
    highest_priority: Priority | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    expired: bool


def add(
    engine: Engine,
    *,
    key_id: str,
    key_hash: bytes,
    name: str,
    tenant: str,
    mode: Mode,
    scopes: Collection[str],
    channels: Collection[Channel] | None = None,
    highest_priority: Priority | None = None,
    lifetime: float | None = None,
) -> None:
    """Keep a new key; `lifetime` in seconds, None for ever."""
    with writing(engine) as connection:
        connection.execute(
            insert(api_keys).values(
                id=key_id,
                hash=key_hash.hex(),
                name=name,
                tenant=tenant,
                mode=str(mode),
                scopes=sorted(scopes),
                channels=None if channels is None else sorted(str(channel) for channel in channels),
                highest_priority=None if highest_priority is None else str(highest_priority),
                created_at=db_now(),
                expires_at=None if lifetime is None else db_now_plus(lifetime),
            )
        )


_expired = (api_keys.c.expires_at.is_not(None) & (api_keys.c.expires_at <= db_now())).label("expired")


def find(engine: Engine, key_id: str) -> KeyRow | None:
    """The key with this id, revoked and expired ones included."""
    with reading(engine) as connection:
        statement = select(api_keys, _expired).where(api_keys.c.id == key_id)
        row = connection.execute(statement).mappings().one_or_none()
    return _row(row) if row else None


def every(engine: Engine) -> list[KeyRow]:
    """All keys, oldest first."""
    with reading(engine) as connection:
        statement = select(api_keys, _expired).order_by(api_keys.c.created_at, api_keys.c.id)
        return [_row(row) for row in connection.execute(statement).mappings()]


def revoke(engine: Engine, key_id: str) -> bool:
    """End a key at once; False if there is none. Revoking twice keeps the first moment."""
    with writing(engine) as connection:
        table = api_keys.c
        known = connection.execute(select(table.id).where(table.id == key_id)).first() is not None
        connection.execute(
            update(api_keys).where(table.id == key_id, table.revoked_at.is_(None)).values(revoked_at=db_now())
        )
        return known


def touch(engine: Engine, key_id: str) -> None:
    """Remember that the key was used now."""
    with writing(engine) as connection:
        connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=db_now()))


def _row(row: object) -> KeyRow:
    values = dict(row)  # type: ignore[call-overload]
    channels, highest = values["channels"], values["highest_priority"]
    return KeyRow(
        id=values["id"],
        hash=bytes.fromhex(values["hash"]),
        name=values["name"],
        tenant=values["tenant"],
        mode=Mode(values["mode"]),
        scopes=frozenset(values["scopes"]),
        channels=None if channels is None else frozenset(Channel(name) for name in channels),
        highest_priority=None if highest is None else Priority(highest),
        created_at=values["created_at"],
        expires_at=values["expires_at"],
        revoked_at=values["revoked_at"],
        last_used_at=values["last_used_at"],
        expired=bool(values["expired"]),
    )
