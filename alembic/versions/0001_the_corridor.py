"""The corridor: notifications with attempts and dead letters, outbox, keys, workers.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
_json = sa.JSON().with_variant(JSONB(), "postgresql")
_unfinished = sa.text("finished_at IS NULL")


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_version", sa.SmallInteger(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Uuid()),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("recipient", _json, nullable=False),
        sa.Column("recipient_hash", sa.Text(), nullable=False),
        sa.Column("content", _json),
        sa.Column("options", _json),
        sa.Column("template_key", sa.Text()),
        sa.Column("template_version", sa.Integer()),
        sa.Column("template_locale", sa.Text()),
        sa.Column("template_data", _json),
        sa.Column("topic", sa.Text()),
        sa.Column("dedup_key", sa.Text()),
        sa.Column("reference", sa.Text()),
        sa.Column("tags", _json),
        sa.Column("metadata", _json),
        sa.Column("on_uncertain", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text()),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("created_at", _moment, nullable=False),
        sa.Column("send_at", _moment),
        sa.Column("expires_at", _moment, nullable=False),
        sa.Column("queued_at", _moment),
        sa.Column("next_attempt_at", _moment),
        sa.Column("finished_at", _moment),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("claim_id", sa.BigInteger()),
        sa.Column("claimed_at", _moment),
        sa.Column("claimed_provider", sa.Text()),
        sa.Column("owner", sa.Uuid()),
        sa.Column("lease_until", _moment),
        sa.Column("claims_unended", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("uncertain_count", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("rung_at", _moment),
        sa.Column("last_attempt", _json),
        sa.Column("resent_from", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        postgresql_partition_by="RANGE (id)",
    )
    if op.get_context().dialect.name == "postgresql":
        # Room on every page lets a claim stay a heap-only update.
        op.execute(
            "CREATE TABLE notifications_default PARTITION OF notifications DEFAULT WITH (fillfactor = 70)"
        )


def _notification_indexes() -> None:
    waiting = sa.text("finished_at IS NULL AND next_attempt_at IS NOT NULL")
    for name, columns, where in (
        ("ix_notifications_due", ["next_attempt_at"], waiting),
        ("ix_notifications_expiry", ["expires_at"], _unfinished),
        ("ix_notifications_lane", ["channel", "priority", "queued_at"], _unfinished),
        ("ix_notifications_tenant", ["tenant", "id"], None),
        ("ix_notifications_recipient", ["tenant", "recipient_hash", "id"], None),
        ("ix_notifications_reference", ["tenant", "reference", "id"], sa.text("reference IS NOT NULL")),
    ):
        op.create_index(name, "notifications", columns, postgresql_where=where, sqlite_where=where)


def _endings() -> None:
    op.create_table(
        "attempts",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("attempt", _json, nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "n", "claim_id", name="pk_attempts"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_attempt", _json),
        sa.Column("created_at", _moment, nullable=False),
        sa.Column("finished_at", _moment, nullable=False),
        sa.PrimaryKeyConstraint("notification_id", name="pk_dead_letters"),
    )
    op.create_index("ix_dead_letters_tenant", "dead_letters", ["tenant", "notification_id"])


def _intake() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("bells", _json, nullable=False),
        sa.Column("created_at", _moment, nullable=False),
        sa.Column("due_at", _moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])
    op.create_table(
        "idempotency",
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("expires_at", _moment, nullable=False),
        sa.PrimaryKeyConstraint("api_key", "route", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_expires_at", "idempotency", ["expires_at"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("scopes", _json, nullable=False),
        sa.Column("channels", _json),
        sa.Column("highest_priority", sa.Text()),
        sa.Column("created_at", _moment, nullable=False),
        sa.Column("expires_at", _moment),
        sa.Column("revoked_at", _moment),
        sa.Column("last_used_at", _moment),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )


def _processes() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", _moment, nullable=False),
        sa.Column("beat_at", _moment, nullable=False),
        sa.Column("lanes", _json, nullable=False),
        sa.Column("begun", _json, nullable=False),
        sa.Column("oldest_started", _json, nullable=False),
        sa.Column("metrics_port", sa.Integer()),
        sa.Column("report", _json, nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("buried_at", _moment),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "gauges",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("at", _moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_gauges"),
    )


def upgrade() -> None:
    _notifications()
    _notification_indexes()
    _endings()
    _intake()
    _processes()


def downgrade() -> None:
    for table in (
        "gauges",
        "workers",
        "api_keys",
        "idempotency",
        "outbox",
        "dead_letters",
        "attempts",
        "notifications",
    ):
        op.drop_table(table)
