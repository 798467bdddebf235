"""A suppression can be named: by a random id, given to it when somebody first looks.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suppressions", sa.Column("id", sa.Uuid()))
    op.create_index("ix_suppressions_id", "suppressions", ["id"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_suppressions_id", "suppressions")
    op.drop_column("suppressions", "id")
