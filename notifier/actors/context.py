"""The message a worker thread is working on, for the actor that Dramatiq calls with bare values."""

import threading

import dramatiq

from notifier.queueing.broker import Proxy


class CurrentMessage(dramatiq.Middleware):
    """Keeps the proxy (with epoch, settlement and grant) of each thread's present message."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """The thread begins."""
        self._of_thread.proxy = message

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """The thread has ended with it."""
        self._of_thread.proxy = None

    def present(self) -> Proxy:
        """The proxy of the calling thread's message; raises `LookupError` outside of one."""
        proxy = getattr(self._of_thread, "proxy", None)
        if not isinstance(proxy, Proxy):
            raise LookupError(  # noqa: TRY004 - it is absent, not of a wrong type
                "no message of ours is being processed by this thread"
            )
        return proxy
