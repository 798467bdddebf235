"""Failures one can work with: what became of each, and the operations that replay or discard them.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("dead_letters") as table:
        table.add_column(sa.Column("state", sa.Text(), nullable=False, server_default="open"))
        table.add_column(sa.Column("operation_id", sa.Uuid()))
        table.add_column(sa.Column("settled_at", _moment))
        table.add_column(sa.Column("replayed_as", sa.Uuid()))
    op.create_index("ix_dead_letters_finished_at", "dead_letters", ["finished_at"])
    for name, columns, where in (
        ("ix_dead_letters_open", ["tenant", "notification_id"], sa.text("state = 'open'")),
        ("ix_dead_letters_replaying", ["operation_id", "notification_id"], sa.text("state = 'replaying'")),
    ):
        op.create_index(name, "dead_letters", columns, postgresql_where=where, sqlite_where=where)
    op.create_table(
        "operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("filter", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("at_most", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Float()),
        sa.Column("priority", sa.Text()),
        sa.Column("ttl", sa.Integer()),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("replayed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("dropped", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("forgotten", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("discarded", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", _moment, nullable=False),
        sa.Column("finished_at", _moment),
        sa.Column("last_released", sa.Uuid()),
        sa.Column("released_at", _moment),
        sa.PrimaryKeyConstraint("id", name="pk_operations"),
    )
    running = sa.text("state = 'running'")
    op.create_index(
        "ix_operations_running", "operations", ["id"], postgresql_where=running, sqlite_where=running
    )


def downgrade() -> None:
    op.drop_table("operations")
    op.drop_index("ix_dead_letters_replaying", table_name="dead_letters")
    op.drop_index("ix_dead_letters_open", table_name="dead_letters")
    op.drop_index("ix_dead_letters_finished_at", table_name="dead_letters")
    with op.batch_alter_table("dead_letters") as table:
        for column in ("replayed_as", "settled_at", "operation_id", "state"):
            table.drop_column(column)
