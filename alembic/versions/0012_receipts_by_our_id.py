"""Receipts that came too early keep the id of ours that the provider gave back.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INDEX = "ix_parked_receipts_notification_id"


def upgrade() -> None:
    op.add_column("parked_receipts", sa.Column("notification_id", sa.Uuid()))
    # Ten thousand rows of an account at the most, so this holds up nobody.
    named = sa.text("notification_id IS NOT NULL")
    op.create_index(
        _INDEX, "parked_receipts", ["notification_id"], postgresql_where=named, sqlite_where=named
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "parked_receipts")
    op.drop_column("parked_receipts", "notification_id")
