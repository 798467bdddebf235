"""The alerts' runbooks and cases, and the `monitoring` profile of compose.yaml: files that name one another."""

import re
from pathlib import Path

import pytest
import yaml

from notifier.settings import Settings

ROOT = Path(__file__).parents[3]
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "grafana/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
CASES = [
    case
    for test in yaml.safe_load((ROOT / "grafana/alerts.test.yaml").read_text())["tests"]
    for case in test["alert_rule_test"]
]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def anchors(page):
    """The headings' anchors, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_symptom_and_has_cases(rule):
    """A runbook that exists and names the alert; a case in which it fires, and, but for the slowest, one in which not."""
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert anchor in anchors(ROOT / page)
    assert rule["alert"] in (ROOT / page).read_text()
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    cases = [case for case in CASES if case["alertname"] == rule["alert"]]
    assert any(case["exp_alerts"] for case in cases)
    assert rule["alert"] == "NotifierHighIsVerySlow" or not all(case["exp_alerts"] for case in cases)


def test_every_link_within_the_runbooks_leads_somewhere():
    page = ROOT / "docs/troubleshooting.md"
    assert set(re.findall(r"\]\(#([^)]+)\)", page.read_text())) <= anchors(page)


def mounts(service):
    return dict(one.removesuffix(":ro").split(":") for one in COMPOSE["services"][service]["volumes"])


def test_the_monitoring_profile_uses_the_files_that_are_tested():
    """Dashboards, provisioning, rules and scrape targets are those of this repository, at the places they name."""
    services = COMPOSE["services"]
    assert [name for name, one in services.items() if one["profiles"] == ["monitoring"]] == [
        "prometheus",
        "grafana",
    ]
    for service in services:
        for source in mounts(service):
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), source
    inside = mounts("grafana")
    dashboards = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/notifier.yaml").read_text())
    assert dashboards["providers"][0]["options"]["path"] == inside["./grafana/dashboards"]
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yaml").read_text())
    listening = next(one for one in services["prometheus"]["command"] if "listen-address" in one)
    assert sources["datasources"][0]["url"] == f"http://{listening.partition('=')[2]}"
    config = yaml.safe_load((ROOT / "grafana/prometheus.yaml").read_text())
    folder = Path(mounts("prometheus")["./grafana/prometheus.yaml"]).parent
    assert [str(folder / one) for one in config["rule_files"]] == [
        mounts("prometheus")["./grafana/alerts.yaml"]
    ]
    usual = f"{Settings().metrics_host}:{Settings().metrics_port}"
    assert usual in config["scrape_configs"][0]["static_configs"][0]["targets"]


def test_what_monitors_is_not_open_to_the_world():
    """Both bind this machine only, on the host's network, where metrics are told."""
    for service in COMPOSE["services"].values():
        assert service["network_mode"] == "host"
        assert "ports" not in service
        said = [*service.get("command", []), *service.get("environment", {}).values()]
        assert any("127.0.0.1" in one for one in said)
        assert "0.0.0.0" not in "".join(said)
