"""Receipts: the provider's id of a message, by which its notification is found; what came; what came too early.

The index is built beside the traffic on PostgreSQL. There is no CREATE INDEX CONCURRENTLY on a partitioned table, so
each partition gets its own that way, and the table's then only has to take them over. That can't happen inside a
transaction: broken off in between, the migration is simply run again.

Revision ID: 0011
Revises: 0010
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDEX = "ix_notifications_provider_reference"
_WHERE = "provider_reference IS NOT NULL"
_WITHOUT = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'notifications'::regclass AND NOT EXISTS (
  SELECT FROM pg_index x JOIN pg_inherits h ON h.inhrelid = x.indexrelid
  WHERE x.indrelid = c.oid AND h.inhparent = CAST(:name AS regclass)
) ORDER BY c.relname
"""
_json = sa.JSON().with_variant(JSONB(), "postgresql")
_moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def _partitions() -> list[str]:
    """Those that have no part of the index yet."""
    if context.is_offline_mode():
        return ["notifications_default"]
    found = op.get_bind().execute(sa.text(_WITHOUT), {"name": _INDEX})
    return [name for (name,) in found]


def _beside_the_traffic() -> Iterator[str]:
    yield "ALTER TABLE notifications ADD COLUMN IF NOT EXISTS provider_reference TEXT"
    yield "ALTER TABLE notifications ADD COLUMN IF NOT EXISTS receipts JSONB"
    # It waits for transactions that are older, and holds up nobody meanwhile.
    yield "SET lock_timeout = '10min'"
    yield "SET statement_timeout = 0"
    yield f"CREATE INDEX IF NOT EXISTS {_INDEX} ON ONLY notifications (provider_reference) WHERE {_WHERE}"
    for partition in _partitions():
        own = f"{partition}_provider_reference_idx"
        # Half built, by a run that was broken off, it would serve nobody and stay so.
        yield f"DROP INDEX CONCURRENTLY IF EXISTS {own}"
        yield f"CREATE INDEX CONCURRENTLY {own} ON {partition} (provider_reference) WHERE {_WHERE}"
        yield f"ALTER INDEX {_INDEX} ATTACH PARTITION {own}"
    yield "RESET lock_timeout"
    yield "RESET statement_timeout"


def _notifications() -> None:
    if op.get_context().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            for statement in _beside_the_traffic():
                op.execute(sa.text(statement))
        return
    op.add_column("notifications", sa.Column("provider_reference", sa.Text()))
    op.add_column("notifications", sa.Column("receipts", _json))
    op.create_index(_INDEX, "notifications", ["provider_reference"], sqlite_where=sa.text(_WHERE))


def upgrade() -> None:
    _notifications()
    key = ("channel", "provider", "reference", "status", "reason", "code")
    op.create_table(
        "parked_receipts",
        *(sa.Column(name, sa.Text(), nullable=False) for name in key),
        sa.Column("received_at", _moment, nullable=False),
        sa.Column("look_at", _moment, nullable=False),
        sa.Column("looks", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_parked_receipts"),
    )
    op.create_index("ix_parked_receipts_look_at", "parked_receipts", ["look_at"])


def downgrade() -> None:
    op.drop_table("parked_receipts")
    op.drop_index(_INDEX, "notifications")
    op.drop_column("notifications", "receipts")
    op.drop_column("notifications", "provider_reference")
