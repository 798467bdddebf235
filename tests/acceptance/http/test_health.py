"""Promise 16: health is honest; the OpenAPI document is true; a stop loses no answer."""

import asyncio
import contextlib
import dataclasses
import json
import re
import socket
import sqlite3

import msgspec
import pytest

from notifier.http import operation_list
from notifier.http.answer_types import Alive, Ready, Root
from notifier.http.health import HEALTH
from notifier.http.server import let_in, listen
from tests.acceptance.http.conftest import CONFIG
from tests.acceptance.http.test_sending import body


async def ready(door, path="/readyz"):
    answer = await door.ask("GET", path, key="")
    return answer.status, msgspec.json.decode(answer.body, type=Ready)


async def test_health_needs_no_key_and_says_what_works(door):
    """`/`, `/livez`, `/readyz`, `/health`."""
    root = msgspec.json.decode((await door.ask("GET", "/", key="")).body, type=Root)
    assert (root.name, root.version) == ("notifier", "1.2.3")
    assert msgspec.json.decode((await door.ask("GET", "/livez", key="")).body, type=Alive).status == "alive"
    for path in ("/readyz", "/health"):
        assert await ready(door, path) == (200, Ready(status="ready", degraded=[]))
    status, told = await ready(door, "/readyz?verbose")
    assert (status, set(told.checks.values())) == (200, {"ok"})
    assert set(told.checks) == {"serving", "database", "migrations", "room"}
    assert (await door.ask("HEAD", "/readyz", key="")).status == 200


async def test_without_the_broker_it_is_ready_and_degraded(door):
    """It still accepts (promise 7), and says so."""
    door.broker_up = False
    assert await ready(door) == (200, Ready(status="ready", degraded=["broker"]))
    assert (await door.post(body())).status == 202


async def test_without_storage_it_is_not_ready(door):
    """503 at once, alive all the same, and ready again when storage is back."""
    assert (await ready(door))[0] == 200
    door.lose_storage()
    status, told = await ready(door, "/readyz?verbose=true")
    assert (status, told.status, told.checks["database"]) == (503, "not_ready", "failed")
    assert (await door.ask("GET", "/livez", key="")).status == 200
    door.find_storage()
    assert (await ready(door))[0] == 200


async def test_unmigrated_it_is_not_ready(door):
    """A database of another revision can't be used."""
    with sqlite3.connect(door.engine.url.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'other'")
    connection.close()
    status, told = await ready(door, "/readyz?verbose")
    assert (status, told.checks["migrations"]) == (503, "failed")


async def test_full_it_is_not_ready(door):
    """When even high priority is turned away."""
    door.admission.level = type(door.admission.level)(pending=10**9)
    status, told = await ready(door, "/readyz?verbose")
    assert (status, told.checks["room"]) == (503, "failed")


class TestWithAnswersKeptForAMoment:
    """What storage said is believed for less than two seconds."""

    @pytest.fixture
    def config(self):
        return dataclasses.replace(CONFIG, health_ttl=1.0)

    async def test_health_does_not_lie_for_longer_than_that(self, door):
        """Storage goes away: not ready within 2 s."""
        assert (await ready(door))[0] == 200
        door.lose_storage()

        async def told():
            while (await ready(door))[0] != 503:
                pass

        await asyncio.wait_for(told(), 2.0)
        door.find_storage()


def test_the_health_answers_age_stays_below_two_seconds():
    """The default with the deadline of the question itself."""
    from notifier.http.config import HttpConfig

    assert HttpConfig().health_ttl + 1.0 <= 2.0
    assert HttpConfig().key_ttl <= 2.0


async def test_the_openapi_document_names_every_route(door):
    """OpenAPI 3.1, unauthenticated, with all paths, methods, refusals and the key."""
    answer = await door.ask("GET", "/openapi.json", key="")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    told = {(method.upper(), path) for path, entry in document["paths"].items() for method in entry}
    served = {
        (route.method, route.resource.canonical)
        for route in door.app.router.routes()
        if route.method not in {"HEAD", "PATCH"}
    }
    assert told == served
    for operation in operation_list.OPERATIONS:
        entry = document["paths"][operation.path][operation.method]
        assert bool(entry["security"]) == bool(operation.scope)
        assert {"500", str(operation.status)} <= set(entry["responses"])
        assert {"401", "403"} <= set(entry["responses"]) or not operation.scope
    for reference in set(re.findall(r'"#/([^"]+)"', json.dumps(document))):
        found = document
        for step in reference.split("/"):
            found = found[step]
    assert document["components"]["schemas"]["SendRequest"]["required"] == ["channel", "to", "content"]


async def test_captured_messages_are_seen_only_where_there_is_a_capture(door):
    """`GET /v1/dev/messages` exists in `notifier dev` alone."""
    assert (await door.ask("GET", "/v1/dev/messages")).status == 404


async def test_a_capture_is_shown(migrated_file, tmp_path):
    """With a capture, its messages; with a key only."""
    import shutil

    from tests.acceptance.http.conftest import Door

    shutil.copy(migrated_file, tmp_path / "notifier.db")
    door = Door(f"sqlite:///{tmp_path / 'notifier.db'}", CONFIG)
    door.captured = lambda: [{"id": "ntf_1"}]
    await door.start()
    try:
        assert (await door.ask("GET", "/v1/dev/messages")).json() == {"data": [{"id": "ntf_1"}]}
        assert (await door.ask("GET", "/v1/dev/messages", key="")).status == 401
    finally:
        await door.close()


class TestAtAStop:
    """Not ready first, still serving; then the running requests end, then it is gone."""

    @pytest.fixture
    def config(self):
        return dataclasses.replace(CONFIG, linger=1.0)

    async def test_it_is_not_ready_yet_still_takes_requests(self, door):
        """Between the signal and the end of listening: 503 on /readyz, 202 on new connections, each closed."""
        await door.ask("GET", "/livez")
        door.stop.set()
        status = 200
        while status != 503:
            status, told = await ready(door)
        assert told.status == "not_ready"
        answer = await door.post(body())
        assert (answer.status, answer.headers["Connection"]) == (202, "close")
        await asyncio.wait_for(door.serving, 5)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", door.port)

    async def test_a_request_under_way_gets_its_answer(self, door):
        """Its body arrives only after listening has ended: 202 all the same."""
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        sent = body()
        head = f"POST /v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        writer.write(head.encode() + sent[:10])
        await writer.drain()
        await door.ask("GET", "/livez")
        door.stop.set()
        while not await _refused(door.port):
            assert door.app[HEALTH].draining
        writer.write(sent[10:])
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert door.rows() == 1
        writer.close()
        await asyncio.wait_for(door.serving, 5)


class TestAtAStopWithoutAWait:
    """Whoever the kernel has let in is served, though the door has not seen him yet."""

    async def test_who_was_let_in_is_answered(self, door):
        """Connections that nobody has accepted at the moment of the signal: all hear their answer."""
        with contextlib.ExitStack() as stack:
            # Without a pause, so that the door's loop does not turn meanwhile.
            callers = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(20)]
            for caller in callers:
                stack.enter_context(caller)
                caller.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                caller.setblocking(False)
            door.stop.set()
            loop = asyncio.get_running_loop()
            heard = [await asyncio.wait_for(loop.sock_recv(caller, 15), 10) for caller in callers]
        assert heard == [b"HTTP/1.1 200 OK"] * 20
        await asyncio.wait_for(door.serving, 10)

    def test_those_who_wait_behind_the_socket_are_found(self):
        """All of them, and none is waited for."""
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(listen("127.0.0.1", 0))
            for _ in range(3):
                stack.enter_context(socket.create_connection(sock.getsockname()))
            found = [stack.enter_context(one) for one in let_in(sock)]
            assert [one.getblocking() for one in found] == [False] * 3
            assert list(let_in(sock)) == []


async def _refused(port):
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    writer.close()
    return False
