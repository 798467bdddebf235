"""Everything in one process, for `notifier dev`."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dramatiq

from notifier.bootstrap.back import make_back
from notifier.bootstrap.front import make_door, make_front
from notifier.bootstrap.metrics import make_metrics, new_tally
from notifier.bootstrap.probing import probe_socket, probed
from notifier.bootstrap.relays import make_relay, run_in_thread
from notifier.bootstrap.roads import make_broker
from notifier.domain.keys import SCOPES, new_key
from notifier.domain.lifecycle import Mode
from notifier.http.app import build_app
from notifier.http.server import serve_on
from notifier.providers.captured import Captured
from notifier.queueing.embedded import EmbeddedBroker
from notifier.settings import Settings
from notifier.storage import api_keys, migrations

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing

_KEY_NAME = "notifier dev"
_STOP_SECONDS = 45


class DevService:
    """Front, relay and worker on one broker; `key` and `test_key` are this start's development keys."""

    def __init__(self, settings: Settings, tracing: "Tracing | None" = None) -> None:
        self._tracing = tracing
        migrations.upgrade(settings.database_url)
        self._settings = settings
        self._captured = Captured()
        self._broker = make_broker(settings)
        tally = new_tally(settings)
        self._front = make_front(settings, self._broker, tally, tracing=tracing)
        self._relay = make_relay(settings, self._broker, tally, tracing)
        self._back = make_back(settings, self._broker, capture=self._captured, tally=tally, tracing=tracing)
        self._metrics = make_metrics(settings, "dev", tally, back=self._back, storage=True)
        self._parts, config = make_door(settings, self._front, self._messages)
        # Nobody balances between development servers, so nobody needs to notice first.
        self._config = replace(config, linger=0.0)
        self._worker = dramatiq.Worker(self._broker.broker, worker_timeout=100)
        self.key = self.test_key = ""

    def _messages(self) -> list[dict[str, Any]]:
        return [message.to_json() for message in self._captured.messages()]

    def start(self) -> None:
        """Begin to accept, relay and send."""
        self._front.start()
        self._end_old_keys()
        self.key, self.test_key = self._new_key(Mode.LIVE), self._new_key(Mode.TEST)
        if isinstance(self._broker.broker, EmbeddedBroker):
            self._broker.broker.on_room = self._relay.relay.wake
        self._relay_thread = run_in_thread(self._relay)
        self._worker.start()
        self._metrics.start()

    def _end_old_keys(self) -> None:
        """Development keys live as long as their start."""
        for key in api_keys.every(self._front.engine):
            if key.name == _KEY_NAME and key.revoked_at is None:
                api_keys.revoke(self._front.engine, key.id)

    def _new_key(self, mode: Mode) -> str:
        key_id, text, digest = new_key(mode)
        api_keys.add(
            self._front.engine,
            key_id=key_id,
            key_hash=digest,
            name=_KEY_NAME,
            tenant="default",
            mode=mode,
            scopes=SCOPES,
        )
        return text

    @contextlib.asynccontextmanager
    async def serving(self, sock: socket.socket, stop: asyncio.Event) -> AsyncIterator[str]:
        """Serve on the socket inside the block; gives the address to call."""
        host, port = sock.getsockname()[:2]
        app = build_app(self._parts, self._config)
        leave = asyncio.Event()
        server = asyncio.create_task(serve_on(sock, app, self._config, leave))
        watch = asyncio.create_task(stop.wait())
        try:
            async with probed(probe_socket(self._settings), app, self._metrics.told):
                yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
        finally:
            watch.cancel()
            leave.set()
            await server

    def stop(self) -> None:
        """Finish what runs, store it, let go."""
        self._worker.stop(timeout=_STOP_SECONDS * 1000)
        self._relay.relay.stop()
        self._relay_thread.join(10.0)
        self._relay.stop()
        self._front.stop()
        if self._tracing is not None:
            self._tracing.stop()
        self._metrics.stop()
        self._broker.broker.close()
