"""Providers and failures: who is slow, who refuses, and what became of it."""

from grafana.overview import quantile
from grafana.panels import Dashboard, Panel

_LANE = 'job=~"$job",channel=~"$channel",priority=~"$priority"'
_CHANNEL = 'job=~"$job",channel=~"$channel"'
_JOB = 'job=~"$job"'
_ACCOUNT = "{{channel}} {{provider}}"
_EVERY = f"sum by (channel, provider) (rate(notifier_deliveries_total{{{_LANE}}}[$__rate_interval]))"
_FAILED = (
    "sum by (channel, provider) "
    f'(rate(notifier_deliveries_total{{{_LANE},outcome!="accepted"}}[$__rate_interval]))'
)


def _duration(share: float) -> Panel:
    return Panel(
        title=f"Calls, p{share * 100:g}",
        about="How long one call to each provider takes.",
        queries={_ACCOUNT: quantile(share, "notifier_send_duration_seconds", _CHANNEL, "channel, provider")},
        unit="s",
        width=8,
    )


def _delivered(share: float) -> Panel:
    return Panel(
        title=f"Until delivered, p{share * 100:g} by lane",
        about="From acceptance (or send_at) to the receipt that says that it arrived. Only for providers with receipts.",
        queries={
            "{{channel}}.{{priority}}": quantile(
                share, "notifier_end_to_end_delivered_seconds", _LANE, "channel, priority"
            )
        },
        unit="s",
    )


PROVIDERS = Dashboard(
    uid="notifier-providers",
    title="notifier: Providers and failures",
    about="Who is slow, who refuses, and what became of it.",
    rows={
        "Providers": [
            Panel(
                title="Breakers",
                about="Whether each account is used, out by its breaker, or disabled by an operator.",
                queries={
                    _ACCOUNT: f"max by (channel, provider) (notifier_breaker_state{{{_CHANNEL}}})",
                },
                kind="state-timeline",
                words={0: ("used", "green"), 1: ("open", "red"), 2: ("disabled", "blue")},
            ),
            Panel(
                title="Breaker moves",
                about="Times that each breaker opened, was probed (half_open) and closed, in each hour. A provider that"
                " comes and goes shows here even if no look at its state saw it open.",
                queries={
                    "{{channel}} {{provider}} {{to}}": "sum by (channel, provider, to) "
                    f"(increase(notifier_breaker_moves_total{{{_CHANNEL}}}[1h]))"
                },
            ),
            Panel(
                title="Attempts by provider",
                about="Attempts that ended, per second. unknown: the request named an account that there is not.",
                queries={_ACCOUNT: _EVERY},
                unit="ops",
                width=24,
                stacked=True,
            ),
            _duration(0.5),
            _duration(0.95),
            _duration(0.99),
            _delivered(0.5),
            _delivered(0.95),
        ],
        "Outcomes": [
            Panel(
                title="Outcomes by provider",
                about="accepted, deferred (tried again), refused (final), uncertain (nobody knows), per second.",
                queries={
                    "{{provider}} {{outcome}}": "sum by (provider, outcome) "
                    f"(rate(notifier_deliveries_total{{{_LANE}}}[$__rate_interval]))"
                },
                unit="ops",
                stacked=True,
            ),
            Panel(
                title="Share that failed, by provider",
                about="Attempts that the provider did not accept. Nothing here: none failed.",
                queries={_ACCOUNT: f"{_FAILED} / ({_EVERY} > 0)"},
                unit="percentunit",
                warns=(0.05, 0.2),
                most=1,
            ),
            Panel(
                title="Reasons",
                about="Why attempts were not accepted, per second.",
                queries={
                    "{{provider}} {{reason}}": "sum by (provider, reason) (rate("
                    f'notifier_deliveries_total{{{_LANE},outcome!="accepted"}}[$__rate_interval]))'
                },
                unit="ops",
                stacked=True,
            ),
            Panel(
                title="Retries",
                about="Attempts after which another is due, per second.",
                queries={
                    "{{channel}}.{{priority}} {{reason}}": "sum by (channel, priority, reason) "
                    f"(rate(notifier_retries_total{{{_LANE}}}[$__rate_interval]))"
                },
                unit="ops",
                stacked=True,
            ),
        ],
        "What finally failed": [
            Panel(
                title="Dead letters",
                about="Notifications that finally failed or expired, in each hour. `notifier failures` lists them.",
                queries={
                    "{{channel}} {{reason}}": "sum by (channel, reason) "
                    f"(increase(notifier_dead_letters_total{{{_CHANNEL}}}[1h]))"
                },
                stacked=True,
            ),
            Panel(
                title="Possible duplicates",
                about="Attempts made although an earlier one may have got through, in each hour.",
                queries={"possible": f"sum(increase(notifier_possible_duplicates_total{{{_JOB}}}[1h]))"},
            ),
        ],
    },
)
