"""Settings: every one with its default, its range, its unit and the reason it exists.

The comments are the operator's manual: `.env.example` repeats them word for word (a test holds it).
"""

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields

from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.quotas import Quota
from notifier.settings.conclusions import Conclusions
from notifier.settings.names import shown, variable
from notifier.settings.rules import Answers, Retries, answer_rules, retry_rules
from notifier.settings.values import (
    broker,
    database,
    figures,
    hours,
    matching,
    one_of,
    providers,
    public_address,
    quotas,
    rates,
    ratio,
    seconds,
    secrets,
    sender,
    setting,
    whole,
)
from notifier.telemetry.signals import CRASH_POINTS

_HOST = matching(r"[A-Za-z0-9.:_-]{1,253}", "a host name or IP address")
_CONSOLE = ("console://",)
#: What a figure may be given for: a priority, or one lane; of a channel without lanes a check says so.
_NAMES = tuple(lane.name for lane in Lane.all(Channel))
_LANES = (*(str(priority) for priority in Priority), *_NAMES)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Settings(Conclusions):
    """Everything that can be set, read once at the start; `load_settings` has checked it."""

    #: The database's URL: sqlite:///FILE for one machine, postgresql+psycopg2://… for servers. Holds the truth.
    #: Secret: NOTIFIER_DATABASE_URL_FILE names a file that holds it instead.
    database_url: str = setting("sqlite:///notifier.db", database())
    #: Connections to the database a process may open. More than its threads can use only burdens the server.
    database_pool_size: int = setting(10, whole(1, 200))
    #: The broker's URL: embedded:// lives in one process (notifier dev); or amqp://…, amqps://…, several nodes
    #: of one cluster separated by ;. Secret: NOTIFIER_BROKER_URL_FILE names a file that holds it instead.
    broker_url: str = setting("embedded://", broker())
    #: File with the certificates of the authority that signed an amqps:// broker's; empty: the system's authorities.
    broker_ca_file: str | None = setting(
        None, matching(r"[^\x00-\x1f]{1,4096}", "the path of a file of certificates (PEM)", optional=True)
    )
    #: What the queues' names begin with: <prefix>.<channel>.<priority>. A new prefix is a new set of queues,
    #: which is the only way to change what a RabbitMQ queue was declared with.
    queue_prefix: str = setting(
        "notifier.v1",
        matching(
            r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*(?<!.{65})",
            "lower-case words of letters, digits, - and _ joined by dots, at most 64 characters",
        ),
    )
    #: RabbitMQ's kind of queue, quorum or classic. Quorum queues survive the loss of a node.
    queue_type: str = setting("quorum", one_of("quorum", "classic"))
    #: Deliveries RabbitMQ makes of one message before it goes to the dead-letter queue; each lost connection
    #: counts one for everything prefetched, so a low limit turns restarts into dead letters.
    delivery_limit: int = setting(50, whole(5, 10_000))
    #: Seconds until a published message must be confirmed by the broker; after them the relay publishes it again.
    publish_confirm_seconds: float = setting(5.0, seconds(0.1, 60))
    #: Notification ids the embedded queue holds for each lane; the rest waits in the outbox.
    embedded_queue_limit: int = setting(1000, whole(1, 1_000_000))

    #: Address the HTTP server binds. Loopback unless you mean to serve others.
    http_host: str = setting("127.0.0.1", _HOST)
    #: Port of the HTTP server; 0 takes any free one and says which.
    http_port: int = setting(8080, whole(0, 65_535))
    #: Connections one HTTP process keeps open; above it the longest idle one is closed.
    http_connections_limit: int = setting(5000, whole(10, 1_000_000))
    #: Seconds within which a request's headers must have arrived; a slow sender must not hold a connection.
    header_deadline_seconds: float = setting(10.0, seconds(0.1, 300))
    #: Seconds within which a request's body must have arrived, for the same reason.
    body_deadline_seconds: float = setting(10.0, seconds(0.1, 300))
    #: Bytes a request's body may have; a longer one is answered 413 before it is read.
    body_limit_bytes: int = setting(262_144, whole(1024, 104_857_600))
    #: Bytes a body with attachments may have (10 MB are 13.4 in base64); without their data NOTIFIER_BODY_LIMIT_BYTES.
    attachments_body_limit_bytes: int = setting(15_728_640, whole(1024, 104_857_600))
    #: Bodies above NOTIFIER_BODY_LIMIT_BYTES one HTTP process reads and keeps at once; the next ones wait. Bounds memory,
    #: and the time that other requests wait for their commit: one of 13 MB takes up to a second.
    large_bodies_limit: int = setting(2, whole(1, 1000))
    #: Bytes a batch's body may have.
    batch_body_limit_bytes: int = setting(5_242_880, whole(1024, 1_073_741_824))
    #: Seconds a stopping HTTP process still accepts after it has said "not ready", so that balancers notice first.
    stop_accepting_seconds: float = setting(2.0, seconds(0, 60))
    #: Seconds for which an answer of /readyz may be reused; a health check must neither lie nor load the database.
    health_fresh_seconds: float = setting(2.0, seconds(0, 60))
    #: Rows one page of a list examines before it ends early with its cursor; bounds the work of a rare filter.
    page_examine_limit: int = setting(10_000, whole(250, 1_000_000))
    #: Seconds one request waits for its commit, or for the first request with its Idempotency-Key; then 503 or 409.
    accept_wait_seconds: float = setting(2.0, seconds(0.1, 60))
    #: Requests waiting for their commit in one process; the next is answered 503 at once. Bounds memory.
    accept_waiting_limit: int = setting(10_000, whole(1, 1_000_000))
    #: Pending notifications above which low, then medium, then high priority is answered 503 backlog_full.
    backlog_limit: int = setting(5_000_000, whole(1, 1_000_000_000))
    #: Bytes the database may have on disk: at 80 % low priority is refused, at 88 % medium, at 95 % high. 0: no budget.
    database_budget_bytes: int = setting(0, whole(0, 1 << 60))
    #: Hours for which an Idempotency-Key answers with the first answer.
    idempotency_hours: float = setting(24.0, hours(0.001, 720))
    #: Seconds a high notification is worth sending, unless its request says a ttl; then it ends as expired.
    ttl_high_seconds: int = setting(3600, whole(1, 31_536_000))
    #: The same for medium: 24 hours.
    ttl_medium_seconds: int = setting(86_400, whole(1, 31_536_000))
    #: The same for low: 72 hours.
    ttl_low_seconds: int = setting(259_200, whole(1, 31_536_000))
    #: Threads of one worker process, each sending one notification at a time; dramatiq's --threads goes before it.
    worker_threads: int = setting(32, whole(1, 1024))
    #: Shares of thread-seconds that lanes get when all are busy, by priority, or for one lane by its name:
    #: high=4 medium=2 low=1 email.high=8. What is not named keeps its default.
    lane_weights: tuple[tuple[str, float], ...] = setting(
        (("high", 4.0), ("medium", 2.0), ("low", 1.0)), figures(0.01, 1000, _LANES, "weights")
    )
    #: Threads that a lane with a message waiting gets at least now and then, however busy the others are.
    lane_minimums: tuple[tuple[str, float], ...] = setting(
        (("high", 1.0), ("medium", 1.0), ("low", 1.0)),
        figures(0, 1000, _LANES, "numbers of threads", whole=True),
    )
    #: Threads kept for a priority while it would wait too long without: one in so many, a quarter of all together
    #: at the most; 0 keeps none. They idle only while calls are long.
    lane_reserves: tuple[tuple[str, float], ...] = setting(
        (("high", 8.0), ("medium", 16.0)), figures(0, 1024, ("high", "medium"), "whole numbers", whole=True)
    )
    #: Percent of the threads that no channel may take while others were active in the last ten minutes and need them.
    bulkhead_percent: int = setting(25, whole(0, 90))
    #: E-mail providers in order of preference, separated by spaces: smtp+starttls://user:pass@host:587,
    #: smtp://host:25 (plain), ses://KEY:SECRET@eu-west-1, sendgrid://:API_KEY@, console:// (prints). ?rate=14/s (also /m, /h)
    #: is what the account may send over all processes, &burst=5 how many at once (0.2 s worth unless said). Secret: NOTIFIER_EMAIL_PROVIDERS_FILE names a file instead.
    email_providers: tuple[str, ...] = setting(_CONSOLE, providers())
    #: SMS providers, likewise: twilio://ACCOUNT_SID:AUTH_TOKEN@?from=%2B15005550006, vonage://KEY:SECRET@?from=Acme,
    #: console:// (prints). Secret: NOTIFIER_SMS_PROVIDERS_FILE names a file instead.
    sms_providers: tuple[str, ...] = setting(_CONSOLE, providers())
    #: Push providers, likewise, one for each platform: fcm://, apns://, webpush:// (docs/providers), console://. Secret: NOTIFIER_PUSH_PROVIDERS_FILE names a file instead.
    push_providers: tuple[str, ...] = setting(_CONSOLE, providers())
    #: Chats, each URL one destination by its ?name=, without fail-over between them: webhook+https://HOST/PATH?name=ops&secret=whsec_…,
    #: apprise://?name=dev&url_file=/etc/notifier/dev.url (docs/providers), console://?name=ops. Empty: there is no
    #: channel chat and none of its lanes. Secret: NOTIFIER_CHAT_PROVIDERS_FILE names a file instead.
    chat_providers: tuple[str, ...] = setting((), providers(optional=True))
    #: Rates of single lanes over all processes, needed besides their provider's: email.high=50/m email.low=10/m.
    lane_rates: tuple[tuple[str, float], ...] = setting((), rates(_NAMES))
    #: Notifications that a tenant may send, so many at once: acme=100/m other=5/s *=1000/m (* is each other tenant).
    #: Beyond it the door answers 429; what came in before waits its turn as a due time. Empty: none is limited.
    tenant_rates: tuple[tuple[str, Quota], ...] = setting((), quotas())
    #: Seconds' worth of a limit that a process takes from the database at once. More means fewer statements (one
    #: each 0.8 of it, for each limit in use) and a looser bound: burst + rate x (window + these seconds).
    rate_lease_seconds: float = setting(0.25, seconds(0.05, 5))
    #: Percent of a limit that all workers together use while the database is away; each takes its part of it.
    rate_fallback_percent: int = setting(80, whole(1, 100))
    #: What a provider's "too fast" does to its limit besides the wait it asks for: halve or keep its rate.
    rate_after_throttle: str = setting("halve", one_of("halve", "keep"))
    #: Seconds in which a halved rate comes back by the whole: from half, half of them.
    rate_recovery_seconds: float = setting(300.0, seconds(1, 86_400))
    #: Sender of e-mails, unless the provider's URL says ?from=….
    email_from: str = setting("notifier@localhost", sender())
    #: Where mail readers reach this service, https://notify.example.com: e-mails with a topic then carry a link by
    #: which their readers leave it with one click (RFC 8058). Empty: none does.
    public_url: str | None = setting(None, public_address())
    #: What those links and the console's sessions are sealed with: 32 characters at least, the same on all hosts (openssl
    #: rand -hex 32); of several, separated by blanks, the first seals, all are honoured. Empty: sessions end with `serve`.
    #: Secret: NOTIFIER_UNSUBSCRIBE_SECRET_FILE names a file that holds it instead.
    unsubscribe_secret: tuple[str, ...] = setting((), secrets(32))
    #: Sender of SMS, a number or a name, unless the provider's URL names one; empty: every URL must.
    sms_from: str | None = setting(
        None,
        matching(
            r"\+?[A-Za-z0-9 ._-]{1,16}", "a number in E.164 or a name of up to 16 characters", optional=True
        ),
    )
    #: Seconds a provider may take to accept a connection; below every provider timeout.
    connect_timeout_seconds: float = setting(5.0, seconds(0.05, 120))
    #: Seconds a whole call to a provider may take. Past it the attempt is Uncertain if the request was written,
    #: else Deferred: a slow provider must not hold a thread for ever.
    provider_timeout_seconds: float = setting(20.0, seconds(0.1, 600))
    #: The same for SMTP, whose servers may check a message before they answer. Counts where an SMTP provider is set.
    smtp_timeout_seconds: float = setting(30.0, seconds(0.1, 600))
    #: Seconds a stopping worker has to finish what is in flight: the provider timeout and the drain margin at least.
    drain_seconds: float = setting(40.0, seconds(0.2, 900))
    #: Seconds a claim belongs to its worker: the provider timeout and the lease margin at least, and more than the
    #: drain; RabbitMQ's consumer timeout (30 minutes) stays far above. After it another worker may send again.
    lease_seconds: float = setting(60.0, seconds(0.3, 900))
    #: Seconds of the drain above the provider timeout, for storing outcomes and acknowledging.
    drain_margin_seconds: float = setting(10.0, seconds(0.1, 300))
    #: Seconds of the lease above the provider timeout, for everything before and after the call.
    lease_margin_seconds: float = setting(20.0, seconds(0.1, 300))
    #: A send starts only while the provider timeout and these seconds of its lease are left, else the claim is given
    #: back; below the lease margin, so that a fresh claim can always start.
    send_margin_seconds: float = setting(10.0, seconds(0.05, 300))

    #: Seconds before the first retry of a high notification; each further wait doubles, with full jitter.
    retry_high_base_seconds: float = setting(1.0, seconds(0.01, 86_400))
    #: The longest such wait in seconds.
    retry_high_cap_seconds: float = setting(60.0, seconds(0.01, 604_800))
    #: The same two for medium.
    retry_medium_base_seconds: float = setting(10.0, seconds(0.01, 86_400))
    #: The longest wait of medium in seconds: 10 minutes.
    retry_medium_cap_seconds: float = setting(600.0, seconds(0.01, 604_800))
    #: The same two for low.
    retry_low_base_seconds: float = setting(60.0, seconds(0.01, 86_400))
    #: The longest wait of low in seconds: 1 hour.
    retry_low_cap_seconds: float = setting(3600.0, seconds(0.01, 604_800))
    #: Percent of a provider's recent calls that fail, or are slow, from which on it is taken out for all workers.
    #: Refusals of a recipient or a content never count; five failures in a row are enough, wrong credentials one.
    breaker_percent: int = setting(50, whole(1, 100))
    #: Seconds that are looked back at for it; it takes twenty calls in them.
    breaker_window_seconds: float = setting(30.0, seconds(1, 3600))
    #: Seconds from which on a call is slow.
    breaker_slow_seconds: float = setting(10.0, seconds(0.01, 300))
    #: Seconds until one call probes whether a provider that was taken out is well again; each that fails doubles them.
    breaker_wait_seconds: float = setting(5.0, seconds(0.05, 3600))
    #: The longest such wait in seconds.
    breaker_longest_wait_seconds: float = setting(60.0, seconds(0.05, 86_400))
    #: Waits for single reasons in place of those by priority, base:cap[:tries] in seconds: throttled=30:600, for one
    #: channel, priority or lane email.provider_timeout=5:60 high.throttled=1:30 sms.low.throttled=60:3600:10. The rule
    #: that says most holds. Tries end a notification as retries_exhausted; without them only its expiry does.
    retry_rules: Retries | None = setting(None, retry_rules())
    #: What a provider's code means, where that is not what the provider's table says: email:550 5.7.1=retry,
    #: sms:30007=permanent; a first word stands for all codes that begin with it.
    answer_rules: Answers | None = setting(None, answer_rules())
    #: Claims in a row that end without any outcome before a notification fails as poison.
    poison_claims: int = setting(3, whole(1, 100))
    #: Times a notification whose outcome is unknown is sent again; then it fails as uncertain.
    uncertain_resends: int = setting(2, whole(0, 100))

    #: Seconds between two looks of an idle relay; it also wakes on the next due time.
    relay_poll_seconds: float = setting(1.0, seconds(0.01, 60))
    #: Rows one step of the relay takes; bounds its transactions.
    relay_batch: int = setting(500, whole(1, 10_000))
    #: Seconds an outbox row is left to the process that wrote it; an older one is published by the relay.
    outbox_grace_seconds: float = setting(3.0, seconds(0.05, 300))
    #: Seconds after which a queued notification that others have overtaken is taken for lost by the broker.
    orphan_seconds: float = setting(60.0, seconds(0.1, 3600))
    #: Seconds between two such repeats for one notification; a needless repeat costs a claim that finds nothing.
    ring_again_seconds: float = setting(300.0, seconds(0.1, 86_400))
    #: Seconds between the beats each process writes to the database, and its claims with them.
    beat_seconds: float = setting(1.0, seconds(0.05, 30))
    #: Seconds for which a beat counts as life: claims that it names are not taken over.
    beat_fresh_seconds: float = setting(5.0, seconds(0.2, 300))
    #: Seconds without any relay's beat after which a worker process runs the relay's loop itself.
    relay_missing_seconds: float = setting(10.0, seconds(0.2, 300))
    #: Seconds the relay waits after the database's return before it takes claims back: living workers store first.
    database_return_seconds: float = setting(10.0, seconds(0.1, 300))

    #: Days for which a final failure, and an operation on failures, is kept for analysis and replay; then the relay
    #: forgets it, some at a time. 0 keeps them for ever, and with those that nobody replayed or discarded their
    #: notifications.
    failures_days: int = setting(30, whole(0, 3650))

    #: Days for which a final notification is kept at least, from its acceptance and from its end; then relays forget it,
    #: on PostgreSQL a partition of days at a time (docs/operating.md). What is not final, and what can still be replayed,
    #: stays. 0 keeps everything for ever.
    retention_days: int = setting(30, whole(0, 3650))

    #: Address at which metrics and probes are told (docs/metrics.md); they are not for the world.
    metrics_host: str = setting("127.0.0.1", _HOST)
    #: Port of a worker launch's, and of the first HTTP process's; taken, the next free one up to 9 above. 0: no metrics.
    metrics_port: int = setting(9191, whole(0, 65_526))
    #: Part, 0 to 1, of what comes without a traceparent that is traced (docs/tracing.md); what has one goes by its flag. Empty: none.
    trace_ratio: float | None = setting(None, ratio())
    #: The least severe events to log: debug, info, warning or error.
    log_level: str = setting("info", one_of("debug", "info", "warning", "error"))
    #: How events are logged: json (one line each), console (for people), or auto: console on a terminal, else json.
    log_format: str = setting("auto", one_of("json", "console", "auto"))
    #: Names a point at which the process kills itself. For tests of crashes only: refused in production; empty: none.
    crash_at: str = setting("", one_of(*sorted(CRASH_POINTS), optional=True))

    def shown(self) -> dict[str, str]:
        """Every setting's variable and value, without secrets."""
        return {variable(one.name): shown(one, getattr(self, one.name)) for one in each()}

    def __repr__(self) -> str:
        values = (f"{one.name}={shown(one, getattr(self, one.name))!r}" for one in each())
        return f"Settings({', '.join(values)})"


def each() -> Iterator[Field[object]]:
    """Every setting's field, in order."""
    yield from fields(Settings)
