"""The state of rate limits on PostgreSQL: one row a limit, one statement a lease, the database's clock.

`notifier.domain.limits.lease` in SQL; a test holds the two equal. The statement's moment is from before it
waited for the row, so what it gives is never too much.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine, TextClause, func, select, text

from notifier.domain.limits import LEAST_PACE, MOST_DEBT, Ask, Bucket, Lease, Limit, pace_of
from notifier.storage.engine import one_statement, reading
from notifier.storage.tables import rate_limits
from notifier.storage.types import db_now

_LEASE: TextClause = text(
    """
    INSERT INTO rate_limits AS kept (name, end_at, blocked_until, pace, paced_at, granted)
    VALUES (
        :name,
        statement_timestamp() + make_interval(
            secs => greatest(:beginning, CASE WHEN :block > 0 THEN :block + :tolerance ELSE 0 END)
                + :debt * :interval * CASE WHEN :slow THEN 2 ELSE 1 END
        ),
        CASE WHEN :block > 0 THEN statement_timestamp() + make_interval(secs => :block) END,
        CASE WHEN :slow THEN 0.5 ELSE 1.0 END,
        statement_timestamp() + make_interval(secs => CASE WHEN :slow THEN :block ELSE 0 END),
        0
    )
    ON CONFLICT (name) DO UPDATE SET (end_at, blocked_until, pace, paced_at, granted) = (
        SELECT
            ends.ends + make_interval(secs => given.granted * paces.interval),
            nullif(blocks.until, '-infinity'), blocks.pace, blocks.paced_at, given.granted
        FROM (SELECT statement_timestamp() AS now) AS clock
        CROSS JOIN LATERAL (
            SELECT
                coalesce(kept.blocked_until, '-infinity') AS before,
                least(1.0, greatest(:least_pace, kept.pace + greatest(
                    0.0, extract(epoch FROM clock.now - kept.paced_at)::float8) / :recovery)) AS pace
        ) AS was
        CROSS JOIN LATERAL (
            SELECT greatest(
                was.before, CASE WHEN :block > 0 THEN clock.now + make_interval(secs => :block) END
            ) AS until, :block > 0 AND :slow AND was.before <= clock.now AS slows
        ) AS block
        CROSS JOIN LATERAL (
            SELECT
                block.until,
                CASE WHEN block.slows THEN greatest(:least_pace, was.pace / 2) ELSE kept.pace END AS pace,
                CASE WHEN block.slows THEN block.until ELSE kept.paced_at END AS paced_at
        ) AS blocks
        CROSS JOIN LATERAL (
            SELECT :interval / least(1.0, greatest(:least_pace, blocks.pace + greatest(
                0.0, extract(epoch FROM clock.now - blocks.paced_at)::float8) / :recovery)) AS interval
        ) AS paces
        CROSS JOIN LATERAL (
            SELECT greatest(
                least(kept.end_at, clock.now + make_interval(secs => :spent + :most_debt * paces.interval))
                    - make_interval(secs => CASE
                        WHEN :back > 0 AND abs(extract(epoch FROM kept.end_at)::float8 - :back_end) < 0.0000005
                        THEN :back * :back_interval ELSE 0 END),
                clock.now,
                CASE WHEN blocks.until > clock.now THEN blocks.until + make_interval(secs => :tolerance) END,
                CASE WHEN :empty THEN clock.now + make_interval(secs => :spent) END
            ) + make_interval(secs => :debt * paces.interval) AS ends
        ) AS ends
        CROSS JOIN LATERAL (
            SELECT greatest(0, least(:wanted, floor(
                (:horizon - extract(epoch FROM ends.ends - clock.now)::float8) / paces.interval + 0.000001
            ) + 1))::integer AS granted
        ) AS given
    )
    RETURNING
        granted, pace,
        extract(epoch FROM end_at)::float8 AS ends,
        extract(epoch FROM end_at - statement_timestamp())::float8 AS ahead,
        extract(epoch FROM statement_timestamp() - paced_at)::float8 AS paced_ago,
        greatest(0.0, coalesce(extract(epoch FROM blocked_until - statement_timestamp()), 0))::float8 AS blocked
    """
)


def lease(engine: Engine, limit: Limit, ask: Ask) -> Lease:
    """Take permits of `limit`; its row is made, with the burst spent, where it is missing. PostgreSQL only."""
    asked = {
        "name": limit.name,
        "interval": limit.interval,
        "tolerance": limit.tolerance,
        "horizon": limit.horizon,
        "beginning": limit.beginning,
        "spent": limit.spent,
        "recovery": limit.recovery,
        "least_pace": LEAST_PACE,
        "most_debt": MOST_DEBT,
        "wanted": ask.wanted,
        "debt": ask.debt,
        "block": float(ask.block),
        "slow": bool(ask.slow and ask.block),
        "empty": ask.empty,
        "back": ask.back,
        "back_end": ask.back_end,
        "back_interval": ask.back_interval,
    }
    with one_statement(engine) as connection:
        return _answer(limit, connection.execute(_LEASE, asked).one())


def _answer(limit: Limit, row: Any) -> Lease:
    paced = Bucket(end=0.0, pace=row.pace, paced_at=-row.paced_ago)
    interval = limit.interval / pace_of(limit, paced, 0.0)
    return Lease(
        granted=row.granted,
        first=row.ahead - row.granted * interval,
        interval=interval,
        wait=max(0.0, row.ahead - limit.horizon),
        blocked=row.blocked,
        end=row.ends,
    )


def blocked(engine: Engine, names: Collection[str]) -> dict[str, float]:
    """For how many seconds yet each of these limits is blocked, where it is."""
    table = rate_limits.c
    left = func.extract("epoch", table.blocked_until - db_now())
    statement = select(table.name, left.label("seconds")).where(
        table.name.in_(sorted(names)), table.blocked_until > db_now()
    )
    with reading(engine) as connection:
        return {row.name: float(row.seconds) for row in connection.execute(statement)}
