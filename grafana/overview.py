"""Overview: is it well? Rates, errors and waits against the goals, by lane."""

from grafana.panels import Dashboard, Panel

_LANE = 'job=~"$job",channel=~"$channel",priority=~"$priority"'
_CHANNEL = 'job=~"$job",channel=~"$channel"'
_JOB = 'job=~"$job"'
_BY_LANE = "{{channel}}.{{priority}}"


def _rate(metric: str, labels: str = _LANE, by: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{{{labels}}}[$__rate_interval]))"


def _within(seconds: int) -> str:
    """The share of high that is sent within so many seconds; without any, all of it."""
    high = 'job=~"$job",channel=~"$channel",priority="high"'
    within = _rate("notifier_end_to_end_seconds_bucket", f'{high},le="{seconds}.0"')
    every = _rate("notifier_end_to_end_seconds_count", high)
    return f"({within} / ({every} > 0)) or vector(1)"


def quantile(share: float, metric: str, labels: str, by: str) -> str:
    """A quantile over all processes."""
    return (
        f"histogram_quantile({share:g}, sum by ({by}, le) "
        f"(rate({metric}_bucket{{{labels}}}[$__rate_interval])))"
    )


_SENT = f'{_LANE},outcome="accepted"'
OVERVIEW = Dashboard(
    uid="notifier-overview",
    title="notifier: Overview",
    about="Is it well? What comes in, what goes out, what fails, and how long it takes.",
    rows={
        "Now": [
            Panel(
                title="Accepted",
                about="Notifications durably kept, per second.",
                queries={"accepted": _rate("notifier_accepted_total")},
                unit="ops",
                kind="stat",
                width=4,
            ),
            Panel(
                title="Sent",
                about="Notifications that a provider has accepted, per second.",
                queries={"sent": _rate("notifier_deliveries_total", _SENT)},
                unit="ops",
                kind="stat",
                width=4,
            ),
            Panel(
                title="Attempts that failed",
                about="The share of attempts that no provider accepted. 0 without any attempt.",
                queries={
                    "failed": f"(1 - {_rate('notifier_deliveries_total', _SENT)} / "
                    f"({_rate('notifier_deliveries_total')} > 0)) or vector(0)"
                },
                unit="percentunit",
                kind="stat",
                width=4,
                warns=(0.05, 0.2),
            ),
            Panel(
                title="High within 10 s",
                about="The share of high sent within 10 s of its acceptance; the goal is 90 %. 1 without any.",
                queries={"share": _within(10)},
                unit="percentunit",
                kind="stat",
                width=4,
                warns=(0.95, 0.9),
                falling=True,
            ),
            Panel(
                title="Pending",
                about="Notifications that are scheduled, queued or being sent.",
                queries={"pending": f"max(notifier_pending_notifications{{{_JOB}}})"},
                kind="stat",
                width=4,
            ),
            Panel(
                title="Oldest that waits",
                about="Age of the oldest notification that waits for its turn.",
                queries={
                    "oldest": "max(notifier_oldest_message_age_seconds"
                    f'{{{_JOB},queue=~".+[.]$channel[.]$priority"}})'
                },
                unit="s",
                kind="stat",
                width=4,
                warns=(60, 600),
            ),
        ],
        "Rates": [
            Panel(
                title="Accepted by lane",
                about="Notifications durably kept, per second and lane.",
                queries={_BY_LANE: _rate("notifier_accepted_total", by="channel, priority")},
                unit="ops",
                stacked=True,
            ),
            Panel(
                title="Sent by lane",
                about="Notifications that a provider has accepted, per second and lane.",
                queries={_BY_LANE: _rate("notifier_deliveries_total", _SENT, "channel, priority")},
                unit="ops",
                stacked=True,
            ),
        ],
        "Waits against the goals": [
            Panel(
                title="End to end, p99 by lane",
                about="From acceptance (or send_at) to the provider's acceptance, retries included.",
                queries={_BY_LANE: quantile(0.99, "notifier_end_to_end_seconds", _LANE, "channel, priority")},
                unit="s",
                warns=(10, 60),
            ),
            Panel(
                title="High within its goals",
                about="Shares of high sent within 10 s (goal: 90 %) and 60 s (goal: 99 %). 1 without any.",
                queries={"within 10 s": _within(10), "within 60 s": _within(60)},
                unit="percentunit",
                warns=(0.99, 0.9),
                falling=True,
                most=1,
            ),
        ],
        "Errors": [
            Panel(
                title="Attempts that failed, by reason",
                about="Attempts that no provider accepted, per second. Nothing here: nothing failed.",
                queries={
                    "{{outcome}} {{reason}}": _rate(
                        "notifier_deliveries_total", f'{_LANE},outcome!="accepted"', "outcome, reason"
                    )
                },
                unit="ops",
                stacked=True,
            ),
            Panel(
                title="Dead letters",
                about="Notifications that finally failed or expired, in each five minutes.",
                queries={
                    "{{channel}} {{reason}}": "sum by (channel, reason) "
                    f"(increase(notifier_dead_letters_total{{{_CHANNEL}}}[5m]))"
                },
                stacked=True,
            ),
        ],
        "The door": [
            Panel(
                title="Requests by code",
                about="HTTP requests answered, per second.",
                queries={"{{code}}": _rate("notifier_requests_total", _JOB, "code")},
                unit="reqps",
                stacked=True,
            ),
            Panel(
                title="Requests, p99 by route",
                about="From a request's headers to the end of its answer.",
                queries={
                    "{{route}}": quantile(0.99, "notifier_request_duration_seconds", _JOB, "route"),
                },
                unit="s",
            ),
        ],
        "From storage to the broker": [
            Panel(
                title="Outbox and relay",
                about="Age of the oldest row owed to the broker, and how late the first due retry or scheduled"
                " send is. Both are near 0 unless the broker is away or no relay runs.",
                queries={
                    "oldest in the outbox": f"max(notifier_outbox_oldest_seconds{{{_JOB}}})",
                    "relay's lag": f"max(notifier_relay_lag_seconds{{{_JOB}}})",
                },
                unit="s",
                width=12,
                warns=(30, 120),
            ),
            Panel(
                title="Notifications per commit",
                about="The mean size of groups that are written together. Under load they grow by themselves.",
                queries={
                    "{{kind}}": f"{_rate('notifier_commit_group_size_sum', _JOB, 'kind')} / "
                    f"{_rate('notifier_commit_group_size_count', _JOB, 'kind')}"
                },
                width=12,
            ),
            Panel(
                title="Partitions and retention",
                about="Partitions of notifications made ahead and dropped behind (PostgreSQL), and final notifications that"
                " were forgotten because they are older than the retention, in each hour.",
                queries={
                    "{{state}}": f"sum by (state) (increase(notifier_partitions_total{{{_JOB}}}[1h]))",
                    "forgotten": f"sum(increase(notifier_notifications_forgotten_total{{{_JOB}}}[1h]))",
                },
                width=12,
            ),
            Panel(
                title="Log lines dropped",
                about="Lines that nothing took, in each five minutes: the log's reader is too slow.",
                queries={"dropped": f"sum(increase(notifier_log_lines_dropped_total{{{_JOB}}}[5m]))"},
                width=12,
            ),
        ],
    },
)
