"""Promise 2's left side: how many notifications were accepted, counted apart from them.

What stands already was accepted too: it is entered under the writer of all zeros.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ZEROS = "0" * 32


def upgrade() -> None:
    moment = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
    op.create_table(
        "accepted",
        sa.Column("writer", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("writer", name="pk_accepted"),
    )
    if op.get_context().dialect.name == "postgresql":
        writer, now = f"CAST('{_ZEROS}' AS uuid)", "now()"
    else:
        writer, now = f"'{_ZEROS}'", "CAST(strftime('%s', 'now') AS INTEGER) * 1000000"
    op.execute(
        sa.text(
            f"INSERT INTO accepted (writer, number, at) SELECT {writer}, count(*), {now} FROM notifications"  # noqa: S608 - only literals of this file
        )
    )


def downgrade() -> None:
    op.drop_table("accepted")
