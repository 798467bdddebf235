"""The tables that say what may be sent now: pauses, suppressions, providers that are out, limits; what happened,
and what a provider reported of messages that nobody knows yet.

Small, and by hand or rule; `alembic/versions` makes them too.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, SmallInteger, Table, text

from notifier.storage.table_metadata import metadata
from notifier.storage.types import Hash, Id, Json, Name, UtcTime

lane_controls = Table(
    "lane_controls",
    metadata,
    # As `Lane.name` has it: email.high
    Column("lane", Name, primary_key=True),
    Column("paused", Boolean, nullable=False),
    # The id of the API key that said so; null for the command line, which needs none.
    Column("by", Name),
    Column("at", UtcTime, nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("tenant", Name, primary_key=True),
    Column("channel", Name, primary_key=True),
    Column("recipient_hash", Hash, primary_key=True),
    # '': every topic, and what has none
    Column("topic", Name, primary_key=True, server_default=text("''")),
    Column("reason", Name, nullable=False),
    # Who said so: "provider", by its answer to the notification; "recipient", by its link to unsubscribe;
    # "operator", by the interface.
    Column("source", Name, nullable=False),
    Column("notification_id", Id),
    Column("created_at", UtcTime, nullable=False),
    # Random, and null until somebody first looks: docs/decisions/0014.
    Column("id", Id),
)

Index("ix_suppressions_id", suppressions.c.id, unique=True)

provider_states = Table(
    "provider_states",
    metadata,
    Column("channel", Name, primary_key=True),
    Column("name", Name, primary_key=True),
    # The breaker; all null while it is closed, but for `openings`: so many in a row without a good probe.
    Column("opened_at", UtcTime),
    Column("why", Name),
    Column("openings", Integer, nullable=False),
    Column("open_until", UtcTime),
    Column("probe_owner", Id),
    Column("probe_until", UtcTime),
    # An operator's word; the API key that said so, null for the command line.
    Column("disabled", Boolean, nullable=False),
    Column("disabled_by", Name),
    Column("disabled_at", UtcTime),
)

operator_events = Table(
    "operator_events",
    metadata,
    # In the order of the commits.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", Name, nullable=False),
    Column("channel", Name, nullable=False),
    # A lane's, or an account's.
    Column("priority", Name),
    Column("provider", Name),
    # The API key that said so; null for the command line, and for a breaker.
    Column("by", Name),
    Column("reason", Name),
    Column("facts", Json, nullable=False),
)

parked_receipts = Table(
    "parked_receipts",
    metadata,
    Column("channel", Name, primary_key=True),
    Column("provider", Name, primary_key=True),
    Column("reference", Name, primary_key=True),
    Column("status", Name, primary_key=True),
    # '' for none
    Column("reason", Name, primary_key=True),
    Column("code", Name, primary_key=True),
    Column("received_at", UtcTime, nullable=False),
    # When its notification is looked for again, and how often it was.
    Column("look_at", UtcTime, nullable=False),
    Column("looks", SmallInteger, nullable=False),
    # Our own id, where the provider gave it back.
    Column("notification_id", Id),
)

Index("ix_parked_receipts_look_at", parked_receipts.c.look_at)
_named = parked_receipts.c.notification_id.is_not(None)
Index(
    "ix_parked_receipts_notification_id",
    parked_receipts.c.notification_id,
    postgresql_where=_named,
    sqlite_where=_named,
)

#: Of the console: logged out of before their time. Who copied such a session's cookie can do nothing with it.
ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("id", Name, primary_key=True),
    # When the session would be over anyway.
    Column("forget_at", UtcTime, nullable=False),
)

#: Unlogged on PostgreSQL: a crash empties it. Not used on SQLite, where one process keeps its limits in memory.
rate_limits = Table(
    "rate_limits",
    metadata,
    # email/ses for a provider account, lane/email.high for a lane
    Column("name", Name, primary_key=True),
    # The moment of the next permit, in GCRA's count.
    Column("end_at", UtcTime, nullable=False),
    Column("blocked_until", UtcTime),
    # The part of its rate that a throttled limit had at that moment.
    Column("pace", Float, nullable=False),
    Column("paced_at", UtcTime, nullable=False),
    # What the last statement gave, so that it can be told in the same statement.
    Column("granted", Integer, nullable=False),
)
