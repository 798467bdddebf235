"""A real door on a real socket: aiohttp, intake and SQLite; only the queue behind it is left out."""

import asyncio
import contextlib
import dataclasses
import io
import json
import pathlib
import shutil
from datetime import UTC, datetime

import aiohttp
import pytest
from sqlalchemy import update

from notifier.domain.keys import new_key
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.feedback.receipts import ReceiptDesk
from notifier.http.app import build_app
from notifier.http.config import HttpConfig
from notifier.http.parts import DoorParts
from notifier.http.server import listen, serve_on
from notifier.intake.accept import Intake
from notifier.intake.admission import Admission, Limits
from notifier.intake.groups import GroupWriter
from notifier.intake.quotas import no_quotas
from notifier.storage import api_keys
from notifier.storage.engine import Use, make_engine, writing
from notifier.storage.tables import notifications
from notifier.telemetry.tally import Tally

CONFIG = HttpConfig(
    version="1.2.3",
    providers={
        Channel.EMAIL: ("smtp-main", "smtp-spare"),
        Channel.SMS: ("console",),
        Channel.PUSH: ("console",),
    },
    linger=0.0,
    drain=2.0,
    key_ttl=0.0,
    health_ttl=0.0,
)


@dataclasses.dataclass
class Answer:
    """What came back: the status, the headers and the bytes."""

    status: int
    headers: object
    body: bytes

    def json(self):
        return json.loads(self.body)


class Door:
    """A running door with one key of every scope, and everything a test may turn."""

    def __init__(self, url, config, *, wait=2.0):
        self.url = url
        self.config = config
        self.engine = make_engine(url, Use(name="door", pool_size=10))
        self.admission = Admission(Limits())
        self.rung = []
        self.tally = Tally()
        writer = GroupWriter(self.engine, tally=self.tally)
        self.intake = Intake(writer, self.admission, self.rung.extend, wait=wait)
        self.broker_up = True
        self.captured = None
        self.links = UnsubscribeLinks()
        self.quotas = no_quotas()
        #: By account, what judges and reads its receipts.
        self.readers = {}
        self.stop = asyncio.Event()
        self.key = self.new_key()

    def new_key(self, *, tenant="acme", mode=Mode.LIVE, scopes=("send", "read"), **more):
        key_id, text, digest = new_key(mode)
        api_keys.add(
            self.engine,
            key_id=key_id,
            key_hash=digest,
            name="test",
            tenant=tenant,
            mode=mode,
            scopes=scopes,
            **more,
        )
        return text

    async def start(self):
        self.intake.start()
        parts = DoorParts(
            engine=self.engine,
            intake=self.intake,
            now=lambda: datetime.now(UTC),
            broker_up=lambda: self.broker_up,
            backlog_full=lambda: self.admission.full,
            captured=self.captured,
            links=self.links,
            quotas=self.quotas,
            receipts=ReceiptDesk(self.engine, self.readers),
            tally=self.tally,
        )
        self.app = build_app(parts, self.config)
        sock = listen("127.0.0.1", 0)
        self.port = sock.getsockname()[1]
        self.serving = asyncio.create_task(serve_on(sock, self.app, self.config, self.stop))
        self.client = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}", auto_decompress=False)

    async def close(self):
        await self.client.close()
        self.stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(self.serving, 10)
        self.intake.stop()
        self.engine.dispose()

    async def ask(self, method, path, *, key=None, headers=None, **more):
        """One request with the door's own key unless another is named ("" for none)."""
        key = self.key if key is None else key
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        sent |= headers or {}
        async with self.client.request(method, path, headers=sent, **more) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def post(self, body, *, path="/v1/notifications", headers=None, key=None):
        """A POST of these bytes as JSON."""
        headers = {"Content-Type": "application/json"} | (headers or {})
        if isinstance(body, str | bytes) and len(body) > 1_000_000:
            body = io.BytesIO(body.encode() if isinstance(body, str) else body)
        return await self.ask("POST", path, key=key, headers=headers, data=body)

    async def raw(self, sent, *, deadline=5):
        """Send bytes as they are and read until the door closes; b"" if it does so without a word."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            await writer.drain()
            async with asyncio.timeout(deadline):
                return await _until_closed(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def set_rows(self, **values):
        """Change every kept notification, as the back half would."""
        with writing(self.engine) as connection:
            connection.execute(update(notifications).values(**values))

    def lose_storage(self):
        """Take the database away, as a dead disk or server would."""
        self.engine.dispose()
        path = pathlib.Path(self.engine.url.database)
        path.rename(path.with_suffix(".away"))
        path.mkdir()

    def find_storage(self):
        """Bring the database back."""
        path = pathlib.Path(self.engine.url.database)
        path.rmdir()
        path.with_suffix(".away").rename(path)

    def rows(self):
        """How many notifications are kept."""
        with self.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM notifications").scalar_one()


async def _until_closed(reader):
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.fixture
def config():
    """The door's settings; a test module may override this."""
    return CONFIG


@pytest.fixture
def wait():
    """Seconds a request waits for its commit: many, for a crowded machine is no broken one."""
    return 20.0


@pytest.fixture
def links():
    """The links to unsubscribe: none, unless a test module overrides this."""
    return UnsubscribeLinks()


@pytest.fixture
def quotas():
    """No tenant is limited, unless a test module overrides this."""
    return no_quotas()


@pytest.fixture
async def door(migrated_file, tmp_path, config, wait, links, quotas):
    """A door that serves until the test ends."""
    path = tmp_path / "notifier.db"
    shutil.copy(migrated_file, path)
    made = Door(f"sqlite:///{path}", config, wait=wait)
    made.links, made.quotas = links, quotas
    await made.start()
    yield made
    await made.close()
