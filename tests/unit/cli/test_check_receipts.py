"""Doctor says of each account whether its receipts come here, and which receipts_url it wants."""

from urllib.parse import urlencode

import pytest

from notifier.cli.check_receipts import check_receipts
from notifier.domain.lanes import Channel
from notifier.providers.registry import named_urls

ROUTE = "/v1/receipts/twilio"
HERE = f"https://notify.example.com{ROUTE}"
KEY = "SK1:HUNTER22@?from=Acme&account=AC" + "0" * 32


def found(text, public_url=None, channel=Channel.SMS):
    return [
        finding
        for url in named_urls(channel, text.split())
        for finding in check_receipts(channel, url, public_url)
    ]


def told(url):
    return urlencode({"receipts_url": url})


def test_what_reports_here_is_well():
    (one,) = found(f"twilio://AC1:HUNTER22@?from=Acme&{told(HERE + '?way=proxy')}")
    assert (one.check, one.state, one.detail) == ("sms receipts", "ok", f"twilio reports to {ROUTE}")


@pytest.mark.parametrize(
    ("public_url", "wanted"),
    [
        (None, f"https://YOUR-HOST{ROUTE}"),
        ("https://notify.example.com/", HERE),
        ("https://a.example", f"https://a.example{ROUTE}"),
    ],
)
def test_what_reports_nothing_is_told_what_it_needs(public_url, wanted):
    (one,) = found("twilio://AC1:HUNTER22@?from=Acme", public_url)
    assert one.state == "ok", "receipts are nobody's duty"
    assert "the option receipts_url" in one.detail
    assert one.detail.endswith(wanted)


def test_an_api_key_needs_the_token_that_signs():
    (one,) = found(f"twilio://{KEY}&{told(HERE)}")
    assert "the option auth_token" in one.detail
    assert found(f"twilio://{KEY}&{told(HERE)}&auth_token=HUNTER22")[0].detail.endswith(ROUTE)


@pytest.mark.parametrize(
    ("url", "said"),
    [("https://notify.example.com/hooks", "another path"), (HERE.replace("https", "http"), "unencrypted")],
)
def test_what_leads_elsewhere_is_warned_of(url, said):
    (one,) = found(f"twilio://AC1:HUNTER22@?from=Acme&{told(url)}")
    assert one.state == "warning"
    assert said in one.detail
    assert one.advice
    assert "HUNTER22" not in one.detail + one.advice


def test_each_of_two_accounts_has_its_own_route():
    """The name that a second account of one kind gets is not in its URL."""
    urls = f"twilio://AC1:A@?from=Acme&{told(HERE)} twilio://AC2:B@?from=Acme&{told(HERE)}"
    first, second = found(urls)
    assert (first.state, second.state) == ("ok", "warning")
    assert f"{ROUTE}-2" in second.detail


def test_of_a_provider_that_reports_nothing_nothing_is_said():
    assert found("console://", channel=Channel.EMAIL) == []
