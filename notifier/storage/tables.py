"""Every table. `alembic/versions` makes them; a test holds the two equal.

On PostgreSQL `notifications` is range-partitioned by its time-ordered id, so nothing refers to it by
a foreign key. A claim writes no indexed column, so it stays a heap-only update (HOT): the partial
indexes follow `finished_at`, `next_attempt_at` and `queued_at`, which a claim leaves alone.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
)

from notifier.storage.control_tables import (
    ended_sessions,
    lane_controls,
    operator_events,
    parked_receipts,
    provider_states,
    rate_limits,
    suppressions,
)
from notifier.storage.table_metadata import metadata
from notifier.storage.types import Hash, Id, Json, Name, UtcTime

__all__ = [
    "accepted", "api_keys", "attempts", "dead_letters", "ended_sessions", "gauges", "idempotency", "lane_controls", "metadata",
    "notifications", "operations", "operator_events", "outbox", "parked_receipts", "provider_states", "rate_limits",
    "suppressions", "workers",
]  # fmt: skip

notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message_version", SmallInteger, nullable=False),
    Column("tenant", Name, nullable=False),
    Column("mode", Name, nullable=False),
    Column("api_key", Name, nullable=False),
    Column("batch_id", Id),
    Column("channel", Name, nullable=False),
    Column("priority", Name, nullable=False),
    Column("status", Name, nullable=False),
    Column("reason", Name),
    Column("recipient", Json, nullable=False),
    Column("recipient_hash", Hash, nullable=False),
    Column("content", Json),
    Column("options", Json),
    Column("template_key", Name),
    Column("template_version", Integer),
    Column("template_locale", Name),
    Column("template_data", Json),
    Column("topic", Name),
    Column("dedup_key", Name),
    Column("reference", Name),
    Column("tags", Json),
    Column("metadata", Json),
    Column("on_uncertain", Name, nullable=False),
    Column("provider", Name),
    Column("units", Integer, nullable=False),
    Column("traceparent", Name),
    Column("request_id", Name),
    Column("created_at", UtcTime, nullable=False),
    Column("send_at", UtcTime),
    Column("expires_at", UtcTime, nullable=False),
    Column("queued_at", UtcTime),
    Column("next_attempt_at", UtcTime),
    Column("finished_at", UtcTime),
    # What a claim or its outcome writes; no index knows of it.
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("claim_id", BigInteger),
    Column("claimed_at", UtcTime),
    Column("claimed_provider", Name),
    Column("owner", Id),
    Column("lease_until", UtcTime),
    Column("claims_unended", SmallInteger, nullable=False, server_default="0"),
    Column("uncertain_count", SmallInteger, nullable=False, server_default="0"),
    Column("rung_at", UtcTime),
    Column("last_attempt", Json),
    Column("resent_from", Id),
    # The provider's id of the message, where its account has receipts; those that came.
    Column("provider_reference", Name),
    Column("receipts", Json),
    postgresql_partition_by="RANGE (id)",
)
_unfinished = notifications.c.finished_at.is_(None)
Index(
    "ix_notifications_due",
    notifications.c.next_attempt_at,
    postgresql_where=_unfinished & notifications.c.next_attempt_at.is_not(None),
    sqlite_where=_unfinished & notifications.c.next_attempt_at.is_not(None),
)
Index(
    "ix_notifications_expiry",
    notifications.c.expires_at,
    postgresql_where=_unfinished,
    sqlite_where=_unfinished,
)
Index(
    "ix_notifications_lane",
    notifications.c.channel,
    notifications.c.priority,
    notifications.c.queued_at,
    postgresql_where=_unfinished,
    sqlite_where=_unfinished,
)
Index("ix_notifications_tenant", notifications.c.tenant, notifications.c.id)
Index(
    "ix_notifications_recipient",
    notifications.c.tenant,
    notifications.c.recipient_hash,
    notifications.c.id,
)
Index(
    "ix_notifications_reference",
    notifications.c.tenant,
    notifications.c.reference,
    notifications.c.id,
    postgresql_where=notifications.c.reference.is_not(None),
    sqlite_where=notifications.c.reference.is_not(None),
)
_reported = notifications.c.provider_reference.is_not(None)
Index(
    "ix_notifications_provider_reference",
    notifications.c.provider_reference,
    postgresql_where=_reported,
    sqlite_where=_reported,
)

attempts = Table(
    "attempts",
    metadata,
    Column("notification_id", Id, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("claim_id", BigInteger, primary_key=True),
    Column("tenant", Name, nullable=False),
    Column("attempt", Json, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("notification_id", Id, primary_key=True),
    Column("tenant", Name, nullable=False),
    Column("channel", Name, nullable=False),
    Column("priority", Name, nullable=False),
    Column("status", Name, nullable=False),
    Column("reason", Name, nullable=False),
    Column("provider", Name),
    Column("attempts", Integer, nullable=False),
    Column("last_attempt", Json),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime, nullable=False),
    # As `FailureState` has it; the operation that took it, and when that came to its end.
    Column("state", Name, nullable=False, server_default="open"),
    Column("operation_id", Id),
    Column("settled_at", UtcTime),
    Column("replayed_as", Id),
)
Index("ix_dead_letters_tenant", dead_letters.c.tenant, dead_letters.c.notification_id)
Index("ix_dead_letters_finished_at", dead_letters.c.finished_at)
Index(
    "ix_dead_letters_open",
    dead_letters.c.tenant,
    dead_letters.c.notification_id,
    postgresql_where=dead_letters.c.state == "open",
    sqlite_where=dead_letters.c.state == "open",
)
Index(
    "ix_dead_letters_replaying",
    dead_letters.c.operation_id,
    dead_letters.c.notification_id,
    postgresql_where=dead_letters.c.state == "replaying",
    sqlite_where=dead_letters.c.state == "replaying",
)

operations = Table(
    "operations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", Name, nullable=False),
    Column("kind", Name, nullable=False),
    Column("state", Name, nullable=False),
    # The id of the API key that asked; null for the command line, which needs none.
    Column("by", Name),
    Column("request_id", Name),
    Column("filter", Json, nullable=False),
    Column("at_most", Integer, nullable=False),
    # Of a replay only: how many a second, down which priority, worth sending for how many seconds.
    Column("rate", Float),
    Column("priority", Name),
    Column("ttl", Integer),
    Column("matched", Integer, nullable=False),
    Column("replayed", Integer, nullable=False, server_default="0"),
    Column("dropped", Integer, nullable=False, server_default="0"),
    Column("forgotten", Integer, nullable=False, server_default="0"),
    Column("discarded", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    # The last notification that it made: the next one waits for it.
    Column("last_released", Id),
    Column("released_at", UtcTime),
)
Index(
    "ix_operations_running",
    operations.c.id,
    postgresql_where=operations.c.state == "running",
    sqlite_where=operations.c.state == "running",
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("channel", Name, nullable=False),
    Column("priority", Name, nullable=False),
    # [[id in hex, units, message version], …]
    Column("bells", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    # When a relay may take the row: its maker publishes it at once and has until then.
    Column("due_at", UtcTime, nullable=False),
)
Index("ix_outbox_due_at", outbox.c.due_at)

idempotency = Table(
    "idempotency",
    metadata,
    Column("api_key", Name, primary_key=True),
    Column("route", Name, primary_key=True),
    Column("key", Name, primary_key=True),
    Column("body_hash", Hash, nullable=False),
    Column("answer", Text, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
Index("ix_idempotency_expires_at", idempotency.c.expires_at)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Name, primary_key=True),
    Column("hash", Hash, nullable=False),
    Column("name", Name, nullable=False),
    Column("tenant", Name, nullable=False),
    Column("mode", Name, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("channels", Json),
    Column("highest_priority", Name),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("last_used_at", UtcTime),
)

accepted = Table(
    "accepted",
    metadata,
    # A process that accepts; all zeros for those that are gone.
    Column("writer", Id, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("role", Name, nullable=False),
    Column("host", Name, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("beat_at", UtcTime, nullable=False),
    Column("lanes", Json, nullable=False),
    Column("begun", Json, nullable=False),
    Column("oldest_started", Json, nullable=False),
    Column("metrics_port", Integer),
    Column("report", Json, nullable=False),
    Column("stopped", Boolean, nullable=False),
    # Set once its claims were taken back after its death.
    Column("buried_at", UtcTime),
)

gauges = Table(
    "gauges",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
)
