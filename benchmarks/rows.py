"""Millions of notifications, made by the database itself: spread over the days of a retention, most of them final.

Indexes are dropped meanwhile and built afterwards, as one does who loads a table: a tenth of the time.
"""

from datetime import timedelta

from sqlalchemy import Engine, text

from notifier.domain.partitions import Stretch, days
from notifier.storage import accepting, partitions
from notifier.storage.tables import notifications

#: Days over which rows are spread, and who they belong to.
SPREAD, TENANT = 30, "default"
#: Of a hundred rows so many are final; half of the rest waits for its turn, the other half for its time.
FINAL = 92

_FILL = """
INSERT INTO notifications (id, message_version, tenant, mode, api_key, channel, priority, status, recipient,
  recipient_hash, content, on_uncertain, units, created_at, expires_at, queued_at, next_attempt_at, send_at, finished_at,
  attempt, last_attempt)
SELECT (lpad(to_hex(ms), 12, '0') || '7' || substr(noise, 1, 3) || '8' || substr(noise, 4, 15))::uuid, 1, :tenant, 'live',
  'key', (array['email', 'sms', 'push'])[1 + n % 3], (array['high', 'medium', 'low'])[1 + n / 3 % 3],
  CASE WHEN n % 100 < :final THEN 'sent' WHEN n % 2 = 0 THEN 'queued' ELSE 'scheduled' END,
  '{"address": "ada@example.com", "kind": "email"}', noise,
  '{"subject": "Hello", "text": "An order of yours is under way."}', 'resend', 1,
  to_timestamp(ms / 1000.0), now() + interval '20 days',
  CASE WHEN n % 100 < :final OR n % 2 = 0 THEN to_timestamp(ms / 1000.0) END,
  CASE WHEN n % 100 >= :final AND n % 2 = 1 THEN now() + interval '10 days' END,
  CASE WHEN n % 100 >= :final AND n % 2 = 1 THEN now() + interval '10 days' END,
  CASE WHEN n % 100 < :final THEN to_timestamp(ms / 1000.0 + 1) END, CASE WHEN n % 100 < :final THEN 1 ELSE 0 END,
  CASE WHEN n % 100 < :final THEN jsonb_build_object('n', 1, 'provider', 'console', 'outcome', 'accepted',
    'started_at', to_timestamp(ms / 1000.0), 'duration_ms', 5) END
FROM (SELECT n, md5(n::text) AS noise, :first + n * :span / :rows AS ms FROM generate_series(1, :rows) n) AS made
"""


def fill(engine: Engine, rows: int) -> None:
    """So many rows over the last `SPREAD` days, in the partitions that relays would have made; analysed."""
    with engine.connect() as connection:
        now = accepting.database_time(connection)
        connection.rollback()
        begin = (now - timedelta(days=SPREAD)).replace(hour=0, minute=0, second=0, microsecond=0)
        while begin < now + timedelta(days=3):
            stretch = Stretch(begin, begin + timedelta(days=days(SPREAD)))
            partitions.make(connection, stretch)
            begin = stretch.end
        first = int((now - timedelta(days=SPREAD)).timestamp() * 1000)
        values = {
            "rows": rows,
            "first": first,
            "span": SPREAD * 86_400_000 - 60_000,
            "tenant": TENANT,
            "final": FINAL,
        }
        with connection.begin():
            connection.execute(
                text("SET LOCAL statement_timeout = 0; SET LOCAL maintenance_work_mem = '512MB'")
            )
            for index in notifications.indexes:
                index.drop(connection)
            connection.execute(text(_FILL), values)
            for index in notifications.indexes:
                index.create(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM (ANALYZE) notifications"))
        connection.execute(text("CHECKPOINT"))
