"""The page that lists the metrics is current."""

from notifier.telemetry.metrics import TABLE
from tests.metric_pages import PAGE, rendered


def test_the_page_of_metrics_is_current():
    """`python -m tests.metric_pages` writes it anew."""
    page = PAGE.read_text()
    assert page == rendered(page)
    assert all(f"`{metric.name}`" in page for metric in TABLE)
