"""Every metric there is: its name, kind, labels, unit and meaning. `docs/metrics.md` is made from this table.

Labels come from closed sets (lanes, accounts of Settings, routes, codes), never from a request. Whoever has
something to tell hands it to a `Tally`; prometheus_client is not imported here, because it chooses its mode then.
"""

from dataclasses import dataclass
from enum import StrEnum

_LANE = ("channel", "priority")
_ACCOUNT = ("channel", "provider")
#: Seconds. 10 and 60 are the bounds of the goals for high (docs/metrics.md).
_WAITS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_CALLS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
_SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


class Kind(StrEnum):
    """What may be done with a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Join(StrEnum):
    """How the processes of one launch become one value, while they live (prometheus_client's modes)."""

    SUM = "livesum"
    MAX = "livemax"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One family; equal only to itself, so that it is a cheap key."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()
    join: Join = Join.SUM


def _counter(name: str, meaning: str, *labels: str, unit: str = "") -> Metric:
    return Metric(name, Kind.COUNTER, meaning, labels, unit)


def _gauge(name: str, meaning: str, *labels: str, unit: str = "", join: Join = Join.SUM) -> Metric:
    return Metric(name, Kind.GAUGE, meaning, labels, unit, join=join)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str, unit: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, meaning, labels, unit, buckets)


# The door.
REQUESTS = _counter(
    "notifier_requests_total", "HTTP requests answered, by path template.", "route", "method", "code"
)
REQUEST_SECONDS = _histogram(
    "notifier_request_duration_seconds",
    "From a request's headers to the end of its answer, by path template.",
    _CALLS,
    "route",
    unit="seconds",
)
ACCEPTED = _counter("notifier_accepted_total", "Notifications durably kept.", *_LANE)
#: Of a group written in one transaction.
GROUP_SIZE = _histogram(
    "notifier_commit_group_size",
    "Notifications written together: accept, claim, record.",
    _SIZES,
    "kind",
    unit="notifications",
)

# Attempts.
DELIVERIES = _counter(
    "notifier_deliveries_total",
    "Attempts that ended, by outcome; reason is none where it was accepted.",
    *_LANE,
    "provider",
    "outcome",
    "reason",
)
QUEUE_WAIT = _histogram(
    "notifier_queue_wait_seconds",
    "From when a notification was queued (again) to its claim by a thread.",
    _WAITS,
    *_LANE,
    unit="seconds",
)
SEND_SECONDS = _histogram(
    "notifier_send_duration_seconds", "One call to a provider.", _CALLS, *_ACCOUNT, unit="seconds"
)
END_TO_END = _histogram(
    "notifier_end_to_end_seconds",
    "From when a notification was accepted, or its send_at, to its provider's acceptance.",
    _WAITS,
    *_LANE,
    unit="seconds",
)
DELIVERED_SECONDS = _histogram(
    "notifier_end_to_end_delivered_seconds",
    "From when a notification was accepted, or its send_at, to the receipt that says that it is delivered.",
    _WAITS,
    *_LANE,
    unit="seconds",
)
RETRIES = _counter("notifier_retries_total", "Attempts after which another is due.", *_LANE, "reason")
DEAD_LETTERS = _counter(
    "notifier_dead_letters_total", "Notifications that finally failed or expired.", "channel", "reason"
)
POSSIBLE_DUPLICATES = _counter(
    "notifier_possible_duplicates_total",
    "Attempts made although an earlier one may have got through.",
)

# Limits and breakers.
PERMIT_WAIT = _histogram(
    "notifier_permit_wait_seconds",
    "How long a lane's next message waited for a permit of a rate limit.",
    _CALLS,
    *_ACCOUNT,
    unit="seconds",
)
BREAKER = _gauge(
    "notifier_breaker_state",
    "0: the account is used; 1: its breaker is open; 2: disabled by an operator.",
    *_ACCOUNT,
    join=Join.MAX,
)
BREAKER_MOVES = _counter(
    "notifier_breaker_moves_total",
    "Moves of an account's breaker: to open, to half_open (its probe is made), to closed. Each once in the fleet.",
    *_ACCOUNT,
    "to",
)

# Threads.
THREADS = _gauge(
    "notifier_worker_threads",
    "Worker threads that were configured, that are alive, that work on a message.",
    "state",
    unit="threads",
)
BUDGET = _gauge("notifier_budget_threads", "Threads that a lane is due now.", *_LANE, unit="threads")
RUNNING = _gauge("notifier_running_threads", "Threads that work on a lane now.", *_LANE, unit="threads")
BUDGET_MOVES = _counter(
    "notifier_budget_moves_total",
    "Times that a lane's budget was changed, by direction (up, down).",
    *_LANE,
    "direction",
)
IDLE_SECONDS = _counter(
    "notifier_idle_thread_seconds_total",
    "Thread-seconds without work, by reason (docs/scheduling.md names them).",
    "reason",
    unit="seconds",
)
STALLED = _gauge(
    "notifier_worker_stalled_seconds",
    "Since a worker with work to do last started or ended any; 0 while it has none. The worst process.",
    unit="seconds",
    join=Join.MAX,
)

# What waits.
QUEUE_MESSAGES = _gauge(
    "notifier_queue_messages",
    "Messages of a queue: ready at the broker (this process's part), or unacked here.",
    "queue",
    "state",
    unit="messages",
)
OLDEST_MESSAGE = _gauge(
    "notifier_oldest_message_age_seconds",
    "Age of the oldest notification that waits for its turn; 0 when none does.",
    "queue",
    unit="seconds",
    join=Join.MAX,
)
PENDING = _gauge(
    "notifier_pending_notifications",
    "Notifications that are scheduled, queued or being sent, as the relay last counted.",
    unit="notifications",
    join=Join.MAX,
)
OUTBOX_OLDEST = _gauge(
    "notifier_outbox_oldest_seconds",
    "Age of the oldest row that is owed to the broker; 0 when nothing is.",
    unit="seconds",
    join=Join.MAX,
)
FORGOTTEN = _counter(
    "notifier_notifications_forgotten_total",
    "Final notifications deleted because they are older than the retention, alone or with their partition.",
    unit="notifications",
)
PARTITIONS = _counter(
    "notifier_partitions_total",
    "Partitions of notifications made ahead and dropped behind.",
    "state",
    unit="partitions",
)
RELAY_LAG = _gauge(
    "notifier_relay_lag_seconds",
    "How long the first due retry or scheduled send has been due; 0 when nothing is late.",
    unit="seconds",
    join=Join.MAX,
)

# The service itself.
PROCESSES = _gauge(
    "notifier_processes",
    "Processes that report, by role (http, worker, relay, dev).",
    "role",
    unit="processes",
)
LOG_LINES_DROPPED = _counter("notifier_log_lines_dropped_total", "Log lines that nothing took.", unit="lines")
BUILD = _gauge("notifier_build_info", "1, with the version as its label.", "version", join=Join.MAX)

#: All of them, in this order.
TABLE: tuple[Metric, ...] = tuple(found for found in list(globals().values()) if isinstance(found, Metric))
