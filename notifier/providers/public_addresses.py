"""Which addresses a URL that came from outside may lead to: public ones only (OWASP API7:2023, SSRF).

A name is looked up here, every address of it is judged, and the connection goes to one of those: a second lookup
might answer otherwise (DNS rebinding). Addresses are judged, not the text: ``127.1`` and ``0x7f000001`` are names
for 127.0.0.1 to the system's resolver.
"""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from notifier.providers.base import Deadline
from notifier.providers.wire import Target, resolve

#: What Python calls global though nothing on the internet is to be found there, or it leads to an address inside:
#: protocol assignments, 6to4 relays (RFC 7526), multicast.
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4")
)
#: Global unicast (IANA, "IPv6 Address Space"). Outside of it lie loopback, private, link-local, site-local,
#: multicast, IPv4-compatible, NAT64 (64:ff9b::/96, 64:ff9b:1::/48) and segment routing (5f00::/16).
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
#: Within it: Teredo and other protocol assignments, documentation, 6to4. They hold IPv4 addresses, or nobody's.
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


class NotPublicError(OSError):
    """A name leads to an address that is not public. No address is in its text: it tells of the network inside."""


@dataclass(frozen=True, slots=True)
class WebTarget:
    """Where an https URL leads; `path` with its query, at least ``/``."""

    host: str
    port: int
    path: str


def is_public(ip: str) -> bool:
    """Whether `ip`, an address as `getaddrinfo` writes it, belongs to the public internet; False for no address."""
    try:
        found = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return found in _GLOBAL_6 and found.is_global and not any(found in net for net in _NOT_PUBLIC_6)
        found = found.ipv4_mapped
    return found.is_global and not any(found in net for net in _NOT_PUBLIC_4)


def resolve_public(host: str, port: int, deadline: Deadline) -> list[Target]:
    """The addresses of `host` to connect to, all of them judged; to be called for each connection.

    Raises `NotPublicError` if any of them is not public, `OSError` if there is none, `DeadlinePassed`.
    """
    found = resolve(host, port, deadline)
    if not all(is_public(str(address[0])) for _, address in found):
        raise NotPublicError("the host's address is not public")
    return found


def target_of(url: str, ports: Collection[int] = (443,)) -> WebTarget:
    """Where `url` leads; raises `ValueError`, without any of the URL in it, unless it is one we may call.

    https only, one of `ports`, a host in ASCII, no user, no password, no fragment.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", 443 if parts.port is None else parts.port
    except ValueError:
        raise ValueError("must be a whole URL") from None
    if parts.scheme != "https":
        raise ValueError("must begin with https://")
    if not host or not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("must have a host, and be ASCII without blanks or control characters")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("must have no user, no password and no fragment")
    if port not in ports:
        raise ValueError(f"must have one of the ports {', '.join(str(one) for one in sorted(ports))}")
    path = parts.path or "/"
    return WebTarget(host, port, f"{path}?{parts.query}" if parts.query else path)
