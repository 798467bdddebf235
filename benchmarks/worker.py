"""What `dramatiq benchmarks.worker` loads: the real worker, with `console://` answering at once.

Printing would measure the terminal. Only the module behind the scheme is another one; settings, registry,
account, router and everything else are the product's.
"""

from notifier.providers import registry

registry._MODULES = {**registry._MODULES, "console": "benchmarks.instant_provider"}  # noqa: SLF001

from notifier.worker import broker  # noqa: E402 - the worker is made when its module is loaded

__all__ = ["broker"]
