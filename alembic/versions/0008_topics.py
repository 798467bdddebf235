"""A recipient may be suppressed for one topic only.

Revision ID: 0008
Revises: 0007
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEY = ("tenant", "channel", "recipient_hash")


def _table(key: Sequence[str], *more: sa.Column[str]) -> sa.Table:
    """As it stands: SQLite makes a new table of it, and can't be asked when the SQL is only printed."""
    moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
    return sa.Table(
        "suppressions",
        sa.MetaData(),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _KEY),
        *more,
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Uuid()),
        sa.Column("created_at", moment, nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_suppressions"),
    )


def _topic() -> sa.Column[str]:
    return sa.Column("topic", sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    with op.batch_alter_table("suppressions", copy_from=_table(_KEY)) as table:
        # '' is every topic: what was suppressed before stays so.
        table.add_column(_topic())
        table.drop_constraint("pk_suppressions", type_="primary")
        table.create_primary_key("pk_suppressions", [*_KEY, "topic"])


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM suppressions WHERE topic <> ''"))
    with op.batch_alter_table("suppressions", copy_from=_table([*_KEY, "topic"], _topic())) as table:
        table.drop_constraint("pk_suppressions", type_="primary")
        table.create_primary_key("pk_suppressions", list(_KEY))
        table.drop_column("topic")
