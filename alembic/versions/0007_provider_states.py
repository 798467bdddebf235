"""Which provider accounts are out: an open breaker, its one probe, an operator's word.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
    op.create_table(
        "provider_states",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("opened_at", moment),
        sa.Column("why", sa.Text()),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("open_until", moment),
        sa.Column("probe_owner", sa.Uuid()),
        sa.Column("probe_until", moment),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_by", sa.Text()),
        sa.Column("disabled_at", moment),
        sa.PrimaryKeyConstraint("channel", "name", name="pk_provider_states"),
    )


def downgrade() -> None:
    op.drop_table("provider_states")
