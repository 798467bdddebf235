"""The attempts of a notification: the last one lives in its row, the earlier ones here."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.storage.engine import reading
from notifier.storage.tables import attempts, notifications


def of(engine: Engine, tenant: str, wanted: UUID) -> list[dict[str, Any]]:
    """Every attempt in order, as the API shows it: n, provider, started_at, duration_ms, outcome, …"""
    earlier = (
        select(attempts.c.attempt)
        .where(attempts.c.notification_id == wanted, attempts.c.tenant == tenant)
        .order_by(attempts.c.n)
    )
    last = select(notifications.c.last_attempt).where(
        notifications.c.id == wanted, notifications.c.tenant == tenant
    )
    with reading(engine) as connection:
        # The last one first: if it moves between the two questions it is seen twice, never missed.
        latest = connection.execute(last).scalar_one_or_none()
        found = [row.attempt for row in connection.execute(earlier)]
    if latest is not None and latest not in found:
        found.append(latest)
    for attempt in found:
        attempt.pop("claim_id", None)
    found.sort(key=lambda attempt: (int(attempt["n"]), str(attempt["started_at"])))
    return found


def keep(connection: Connection, tenant: str, wanted: UUID, claim_id: int, attempt: dict[str, Any]) -> None:
    """Add one attempt that does not become the row's last one; adding it twice changes nothing."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(attempts).values(
        notification_id=wanted, n=attempt["n"], claim_id=claim_id, tenant=tenant, attempt=attempt
    )
    connection.execute(statement.on_conflict_do_nothing())


#: The answer of an attempt whose process died before it stored an outcome.
ENDED_UNHEARD = "the sending process ended before it stored an outcome"


def is_placeholder(attempt: dict[str, Any]) -> bool:
    """Whether this stands only until its process, frozen and not dead, tells how the attempt ended."""
    return attempt.get("duration_ms") is None and attempt.get("answer") == ENDED_UNHEARD


def is_kept(connection: Connection, wanted: UUID, claim_id: int) -> bool:
    """Whether the outcome of this claim is among the earlier attempts."""
    statement = select(attempts.c.attempt).where(
        attempts.c.notification_id == wanted, attempts.c.claim_id == claim_id
    )
    return any(not is_placeholder(row.attempt) for row in connection.execute(statement))


def keep_late(
    connection: Connection, tenant: str, wanted: UUID, claim_id: int, attempt: dict[str, Any]
) -> None:
    """Add an outcome that came after its claim was given up, in the place of the placeholder if there is one."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(attempts).values(
        notification_id=wanted, n=attempt["n"], claim_id=claim_id, tenant=tenant, attempt=attempt
    )
    key = ["notification_id", "n", "claim_id"]
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_={"attempt": attempt}))
