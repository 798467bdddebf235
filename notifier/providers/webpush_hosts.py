"""Whose endpoints are sent to: pure.

An endpoint comes from whoever hands in a subscription, so only known push services are called unless the account
says otherwise (OWASP, "Server-Side Request Forgery Prevention": allow lists before block lists).
"""

#: Chrome and others on FCM, Firefox, Safari, Edge on Windows.
KNOWN = (
    "fcm.googleapis.com",
    "jmt17.google.com",
    "*.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)


def patterns_of(said: str | None) -> tuple[str, ...]:
    """The option `hosts` as patterns; the known ones where it says nothing."""
    return KNOWN if said is None else tuple(said.split(","))


def is_allowed(host: str, patterns: tuple[str, ...]) -> bool:
    """Whether `host` is one of them; ``*.example.com`` is every name below example.com, ``*`` any."""
    name = host.lower().rstrip(".")
    return any(
        pattern == "*" or (name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern)
        for pattern in patterns
    )
