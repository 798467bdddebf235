"""The handing over of an outbox row to the broker, as a span; what was not just accepted asks storage for its trace.

Named by OpenTelemetry's conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.ids import notification_id
from notifier.storage import relaying
from notifier.storage.engine import reading
from notifier.storage.outbox import Bell, OutboxRow

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing


def published(tracing: "Tracing", row: OutboxRow, began: int, *, failed: bool) -> None:
    """From the offer to the broker's confirm, or to its refusal: then the row stays owed."""
    queue = row.lane.queue(tracing.prefix)
    facts: dict[str, str | int | float | bool] = {
        "messaging.system": tracing.system,
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
        "messaging.destination.name": queue,
        "messaging.batch.message_count": len(row.bells),
        "notifier.lane": row.lane.name,
    }
    if len(row.bells) == 1:
        facts["messaging.message.id"] = notification_id(row.bells[0].id)
    tracing.group(
        f"publish {queue}",
        tracing.producer,
        [bell.traceparent for bell in row.bells],
        facts,
        start=began,
        error="not_confirmed" if failed else None,
    )


def with_traces(engine: Engine, rows: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
    """The same rows, whose bells know the traces of their notifications; just accepted ones do already.

    With storage away they are published untraced.
    """
    unknown = [bell.id for row in rows for bell in row.bells if bell.traceparent is None]
    if not unknown:
        return rows
    try:
        with reading(engine) as connection:
            found = relaying.traceparents(connection, unknown)
    except SQLAlchemyError:
        return rows

    def known(bell: Bell) -> Bell:
        return bell if bell.traceparent else msgspec.structs.replace(bell, traceparent=found.get(bell.id))

    return [replace(row, bells=tuple(map(known, row.bells))) for row in rows]
