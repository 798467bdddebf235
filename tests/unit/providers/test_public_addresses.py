"""Where a URL from outside may lead: the block list as a table, and names that lead inside."""

import socket

import pytest

from notifier.providers.base import Deadline
from notifier.providers.public_addresses import (
    NotPublicError,
    WebTarget,
    is_public,
    resolve_public,
    target_of,
)

PUBLIC = """
1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1 223.255.255.255
2606:4700:4700::1111 2a00:1450:4001:800::200e ::ffff:8.8.8.8
"""
NOT_PUBLIC = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::808:808
64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:0:53aa:64c::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%lo fec0::1 ff02::1 ff0e::1
"""


@pytest.mark.parametrize("ip", PUBLIC.split())
def test_a_public_address_may_be_called(ip):
    assert is_public(ip)


@pytest.mark.parametrize("ip", [*NOT_PUBLIC.split(), "", "no address", "127.1", "2130706433", "0x7f000001"])
def test_no_other_address_may_be_called(ip):
    """Private, loopback, link-local (cloud metadata), documentation, multicast, reserved, and what wraps one of them."""
    assert not is_public(ip)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "①②⑦.0.0.1", "::1", "0"],
)
def test_a_name_that_leads_inside_is_not_called(host):
    """Whatever the spelling: it is the address that is judged."""
    with pytest.raises(NotPublicError):
        resolve_public(host, 443, Deadline(10))


def test_a_public_address_is_handed_back_to_connect_to():
    """The very one that was judged, so that nothing is looked up again."""
    assert resolve_public("1.1.1.1", 443, Deadline(5)) == [(socket.AF_INET, ("1.1.1.1", 443))]


def test_one_private_address_among_public_ones_is_enough(monkeypatch):
    """Else it would be a matter of luck which of them is called. (What a DNS server says no test may depend on.)"""

    def answer(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(NotPublicError):
        resolve_public("both.example", 443, Deadline(5))


def test_a_good_url_is_taken_apart():
    assert target_of("https://Push.example/v2/abc?x=1") == WebTarget("push.example", 443, "/v2/abc?x=1")
    assert target_of("https://push.example:8443", (443, 8443)) == WebTarget("push.example", 8443, "/")


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example/",
        "ftp://push.example/",
        "//push.example/",
        "https://",
        "https:///x",
        "https://user@push.example/",
        "https://user:pass@push.example/",
        "https://@push.example/",
        "https://push.example:8443/",
        "https://push.example:0/",
        "https://push.example:99999/",
        "https://push.example/#x",
        "https://push.example/a b",
        "https://push.example/a\r\nHost: x",
        "https://push.exämple/",
        "https://[::1",
    ],
)
def test_a_url_that_may_not_be_called_is_named_without_its_text(url):
    with pytest.raises(ValueError, match="must") as wrong:
        target_of(url)
    assert "push.ex" not in str(wrong.value)
