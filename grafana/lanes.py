"""Lanes and workers: who has the threads, who waits, and why threads idle."""

from grafana.overview import quantile
from grafana.panels import Dashboard, Panel

_LANE = 'job=~"$job",channel=~"$channel",priority=~"$priority"'
_QUEUE = 'job=~"$job",queue=~".+[.]$channel[.]$priority"'
_CHANNEL = 'job=~"$job",channel=~"$channel"'
_JOB = 'job=~"$job"'
_BY_LANE = "{{channel}}.{{priority}}"

LANES = Dashboard(
    uid="notifier-lanes",
    title="notifier: Lanes and workers",
    about="Who has the threads, who waits for one, and why threads idle.",
    rows={
        "Threads by lane": [
            Panel(
                title="Budgets",
                about="Threads that each lane is due, stacked: they move to where work is.",
                queries={_BY_LANE: f"sum by (channel, priority) (notifier_budget_threads{{{_LANE}}})"},
                stacked=True,
            ),
            Panel(
                title="Running",
                about="Threads that work on each lane. A lane may borrow what others leave.",
                queries={_BY_LANE: f"sum by (channel, priority) (notifier_running_threads{{{_LANE}}})"},
                stacked=True,
            ),
        ],
        "Workers": [
            Panel(
                title="Utilisation",
                about="The share of living threads that work on a message.",
                queries={
                    "busy": f'sum(notifier_worker_threads{{{_JOB},state="busy"}}) / '
                    f'sum(notifier_worker_threads{{{_JOB},state="alive"}})'
                },
                unit="percentunit",
                width=8,
                most=1,
            ),
            Panel(
                title="Idle threads by reason",
                about="Threads that had nothing they might start, and why: empty is a lack of work; docs/scheduling.md"
                " explains the others.",
                queries={
                    "{{reason}}": "sum by (reason) "
                    f"(rate(notifier_idle_thread_seconds_total{{{_JOB}}}[$__rate_interval]))"
                },
                width=8,
                stacked=True,
            ),
            Panel(
                title="Threads",
                about="Configured, alive and busy. More alive than configured: some stand in for hung calls.",
                queries={"{{state}}": f"sum by (state) (notifier_worker_threads{{{_JOB}}})"},
                width=8,
            ),
            Panel(
                title="Processes",
                about="Processes that report, by role.",
                queries={"{{role}}": f"sum by (role) (notifier_processes{{{_JOB}}})"},
                width=8,
            ),
            Panel(
                title="Without progress",
                about="For how long nothing has started or ended in the worst worker though it has work.",
                queries={"{{job}}": f"max by (job) (notifier_worker_stalled_seconds{{{_JOB}}})"},
                unit="s",
                width=8,
                warns=(60, 120),
            ),
            Panel(
                title="Versions",
                about="What runs where; two at a time only during a rolling upgrade.",
                queries={"{{version}}": f"count by (version) (notifier_build_info{{{_JOB}}})"},
                width=8,
            ),
        ],
        "What waits": [
            Panel(
                title="Oldest that waits",
                about="Age of the oldest notification of each queue that waits for its turn.",
                queries={"{{queue}}": f"max by (queue) (notifier_oldest_message_age_seconds{{{_QUEUE}}})"},
                unit="s",
            ),
            Panel(
                title="Queue wait, p99",
                about="From when a notification was queued (again) to its claim by a thread.",
                queries={_BY_LANE: quantile(0.99, "notifier_queue_wait_seconds", _LANE, "channel, priority")},
                unit="s",
            ),
            Panel(
                title="Ready",
                about="Messages at the broker that no worker has.",
                queries={"{{queue}}": f'sum by (queue) (notifier_queue_messages{{{_QUEUE},state="ready"}})'},
                stacked=True,
            ),
            Panel(
                title="Unacked",
                about="Messages that workers have and have not settled: waiting there, or running.",
                queries={
                    "{{queue}}": f'sum by (queue) (notifier_queue_messages{{{_QUEUE},state="unacked"}})'
                },
                stacked=True,
            ),
        ],
        "What moves": [
            Panel(
                title="Budget moves",
                about="Times that budgets were changed, per minute.",
                queries={
                    "{{channel}}.{{priority}} {{direction}}": "60 * sum by (channel, priority, direction) "
                    f"(rate(notifier_budget_moves_total{{{_LANE}}}[$__rate_interval]))"
                },
            ),
            Panel(
                title="Waits for a permit, p95",
                about="How long a lane's next message waited for its rate limit. Nothing here: no limit was reached.",
                queries={
                    "{{channel}} {{provider}}": quantile(
                        0.95, "notifier_permit_wait_seconds", _CHANNEL, "channel, provider"
                    )
                },
                unit="s",
            ),
        ],
    },
)
