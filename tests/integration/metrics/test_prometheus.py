"""A real Prometheus scrapes a real run over RabbitMQ and PostgreSQL: every panel and alert is evaluated there."""

import math
import re

import pytest

from notifier.domain.lifecycle import Mode, Status
from notifier.telemetry.metrics import TABLE
from tests.acceptance.fleet import email, post_many
from tests.integration.metrics.launches import MeasuredFleet, ask
from tests.nodes.prometheus import PrometheusNode, promtool
from tests.nodes.waiting import wait_until
from tests.unit.grafana.test_dashboards import PANELS, SELECTOR, SERIES
from tests.unit.grafana.test_monitoring import ROOT, RULES

#: E-mails a second that the account may send: fewer than are posted at once, so that permits are waited for.
RATE, EMAILS = 15, 45
#: What Grafana puts into a query.
VARIABLES = {"$job": ".*", "$channel": ".*", "$priority": ".*", "$__rate_interval": "1m"}


def forced(number):
    """What a test key sends: one in four is refused, deferred, throttled, or ends without a word."""
    local = ("bounce", "soft-bounce", "delivered", "timeout")[number % 4]
    return email(number, to={"email": f"{local}+{number}@simulator.notifier"})


class Run:
    """One door of two processes and two workers, with their Prometheus, and traffic of every ending."""

    def __init__(self, fleet):
        self.fleet = fleet
        fleet.settings["NOTIFIER_EMAIL_PROVIDERS"] += f"?rate={RATE}/s"
        fleet.settings["NOTIFIER_RETRY_HIGH_BASE_SECONDS"] = "0.1"
        fleet.settings["NOTIFIER_RETRY_MEDIUM_BASE_SECONDS"] = "0.1"
        fleet.settings["NOTIFIER_RETRY_LOW_BASE_SECONDS"] = "0.1"
        fleet.migrate()
        fleet.sink()
        fleet.serve(processes=2)
        wait_until(lambda: len(fleet.told_on) == 2, 30, "both probe ports")
        # Each tells the sum of both: one is scraped.
        door = fleet.told_on[0]
        fleet.work(processes=2, threads=4)
        fleet.wait_for_workers(2, 60)
        wait_until(fleet.worker_port, 30, "the port in the beats")
        self.ports = [door, fleet.worker_port()]
        self.sent = 0
        self.prometheus = PrometheusNode({"notifier": self.ports}, [ROOT / "grafana/alerts.yaml"])

    def traffic(self):
        """Once more of everything, to its end and into Prometheus."""
        post_many(self.fleet.ports, self.fleet.key(), [email(number) for number in range(EMAILS)])
        tests = [forced(number) for number in range(8)]
        post_many(self.fleet.ports, self.fleet.key(mode=Mode.TEST), tests)
        self.sent += EMAILS + len(tests)
        self.fleet.wait_for_final(self.sent, 90)
        wait_until(
            lambda: self.prometheus.value("sum(notifier_accepted_total)") == self.sent,
            20,
            "Prometheus to have seen it",
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory, module_postgres_url, module_rabbitmq_vhost_url):
    folder = tmp_path_factory.mktemp("prometheus")
    with MeasuredFleet(folder, module_postgres_url, module_rabbitmq_vhost_url) as fleet:
        found = Run(fleet)
        found.prometheus.start()
        try:
            wait_until(lambda: found.prometheus.value("sum(up)") == 2, 20, "both to be scraped")
            # Twice: what a counter began with is no growth.
            found.traffic()
            found.traffic()
            yield found
        finally:
            found.prometheus.stop()


def grafana_query(expression):
    """As Grafana would ask it with everything chosen."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def test_promtool_finds_no_fault_in_what_is_told(run):
    for port in run.ports:
        status, text = ask(port, "/metrics")
        assert status == 200
        assert promtool("check", "metrics", given=text.encode()) == ""


def test_a_real_run_shows_every_metric_and_no_other(run):
    """The table is what there is: nothing in it is dead, and nothing else is told."""
    names = run.prometheus.get("/api/v1/label/__name__/values")
    ours = {SERIES[name].name for name in names if name.startswith("notifier_")}
    assert ours == {metric.name for metric in TABLE}


def test_no_label_holds_anything_of_a_request(run):
    """Addresses, tenants, keys and ids: not in any series."""
    for port in run.ports:
        samples = [line for line in ask(port, "/metrics")[1].splitlines() if not line.startswith("#")]
        found = re.compile(r"@|example|reader\d|acceptance|nk_|ntf_[0-9a-f]{8}|default")
        assert [line for line in samples if found.search(line)] == []


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_shows_something(run, panel):
    """Every query of every panel gives a number in a run in which everything happened."""
    for expression in panel.queries.values():
        found = run.prometheus.query(grafana_query(expression))
        assert any(math.isfinite(float(one["value"][1])) for one in found), expression


def test_panels_agree_with_what_was_done(run):
    """Not just any number: sent, dead letters and threads are those of the run."""
    value = run.prometheus.value
    bounces, timeouts = 4, 4
    sent = 'sum(notifier_deliveries_total{outcome="accepted"})'
    wait_until(lambda: value(sent) == run.sent - bounces - timeouts, 60, "what was sent last")
    assert value('sum(notifier_dead_letters_total{reason="invalid_recipient"})') == bounces
    assert value('sum(notifier_dead_letters_total{reason="uncertain"})') == timeouts
    assert value("sum(notifier_end_to_end_seconds_count)") == run.sent - bounces - timeouts
    delivered = run.fleet.counts()[Status.DELIVERED]
    told = "sum(notifier_end_to_end_delivered_seconds_count)"
    wait_until(lambda: value(told) == delivered, 10, "the receipts that a relay matched last")
    assert value("notifier_possible_duplicates_total") == 2 * timeouts
    assert value('sum(notifier_worker_threads{state="alive"})') == 8
    assert value('sum(notifier_processes{role="http"})') == 2
    waited = value('sum(notifier_permit_wait_seconds_count{channel="email"})')
    assert waited is not None
    assert waited >= 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_is_evaluated_over_series_that_there_are(run, rule):
    """Prometheus takes it, and each of its selectors finds something."""
    wait_until(lambda: evaluated(run, rule["alert"])["health"] != "unknown", 60, "its evaluation")
    found = evaluated(run, rule["alert"])
    assert (found["health"], found.get("lastError", "")) == ("ok", "")
    for name, labels in SELECTOR.findall(rule["expr"]):
        assert run.prometheus.query(f"{name}{{{labels}}}"), f"{name}{{{labels}}}"


def evaluated(run, name):
    groups = run.prometheus.get("/api/v1/rules")["groups"]
    return next(one for group in groups for one in group["rules"] if one["name"] == name)


def test_the_alerts_fire_when_they_should_and_only_then():
    """The cases of grafana/alerts.test.yaml, by promtool."""
    promtool("check", "rules", str(ROOT / "grafana/alerts.yaml"))
    assert "SUCCESS" in promtool("test", "rules", str(ROOT / "grafana/alerts.test.yaml"))
    assert "SUCCESS" in promtool("check", "config", str(ROOT / "grafana/prometheus.yaml"))
