"""What `dramatiq benchmarks.worker` loads: the real worker, with `console://` answering at once.

Printing would measure the terminal. Only the module behind the scheme is another one; settings, registry,
account, router and everything else are the product's.
"""

from dataclasses import replace

from notifier.providers import schemes

_INSTANT = replace(schemes.SCHEMES["console"], module="benchmarks.instant_provider")
schemes.SCHEMES = {**schemes.SCHEMES, "console": _INSTANT}

from notifier.worker import broker  # noqa: E402 - the worker is made when its module is loaded

__all__ = ["broker"]
