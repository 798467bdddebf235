"""How every provider's connection is protected: TLS 1.2 or newer, the certificate verified."""

import ssl
from collections.abc import Sequence


def tls_context(ca_file: str | None, *, verify: bool = True, protocols: Sequence[str] = ()) -> ssl.SSLContext:
    """Verified against the system's authorities or those of `ca_file`; raises `OSError` if that can't be read.

    `protocols` are offered by ALPN (RFC 7301).
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
