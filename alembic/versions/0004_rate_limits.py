"""The state of rate limits, shared by all processes; SQLite has one process, which keeps it in memory.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
    on_postgresql = op.get_context().dialect.name == "postgresql"
    op.create_table(
        "rate_limits",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("end_at", moment, nullable=False),
        sa.Column("blocked_until", moment),
        sa.Column("pace", sa.Float(), nullable=False),
        sa.Column("paced_at", moment, nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rate_limits"),
        # Four times a second and process, and worth a second: no log is written for it, and a crash empties it.
        prefixes=["UNLOGGED"] if on_postgresql else [],
    )


def downgrade() -> None:
    op.drop_table("rate_limits")
