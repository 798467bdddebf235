"""A Web Push subscription as browsers give it, and its parts."""

import base64

#: The base point of P-256 (NIST SP 800-186): a public key as good as any.
BASE_POINT = bytes.fromhex(
    "04"
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


P256DH, AUTH = b64url(BASE_POINT), b64url(bytes(range(16)))


def subscription(endpoint="https://push.example.com/send/abc", p256dh=P256DH, auth=AUTH, **more):
    return {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}, **more}
