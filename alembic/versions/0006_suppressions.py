"""Recipients that nothing is sent to any more.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
    op.create_table(
        "suppressions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient_hash", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Uuid()),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "channel", "recipient_hash", name="pk_suppressions"),
    )


def downgrade() -> None:
    op.drop_table("suppressions")
