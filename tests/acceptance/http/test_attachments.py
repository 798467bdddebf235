"""Files that go with an e-mail, through the door: how large a request may be, and what is kept."""

import asyncio
import base64
import dataclasses
import gzip
import json
import random

import pytest

from notifier.domain.lanes import Channel
from notifier.rendering.content import render_content
from notifier.storage.engine import reading
from notifier.storage.provider_states import ProviderKey
from notifier.storage.tables import notifications
from tests.acceptance.http.conftest import CONFIG

LIMIT = CONFIG.body_limit
TEN_MB = 10 * 1024 * 1024
DRY_RUN = "/v1/notifications?dry_run=true"


@pytest.fixture
def config():
    """One place for large bodies, waited for 1.5 s."""
    return dataclasses.replace(CONFIG, large_bodies=1, body_deadline=3.0, read_deadline=20.0)


@pytest.fixture
def patient(config):
    """For what takes its time on a crowded machine."""
    return dataclasses.replace(config, body_deadline=60.0)


def file(data, name="a.bin"):
    return {
        "filename": name,
        "content_type": "application/octet-stream",
        "data": base64.b64encode(data).decode(),
    }


def mail(*files, **content):
    said = {"subject": "s", "text": "t", "attachments": list(files)} | content
    return {"channel": "email", "to": {"email": "ada@example.com"}, "content": said}


def kept(door):
    with reading(door.engine) as connection:
        return connection.execute(notifications.select()).one()


class TestPatient:
    """With time to spare."""

    @pytest.fixture
    def config(self, patient):
        return patient

    async def test_ten_megabytes_are_kept_to_the_byte(self, door):
        """As large as is allowed, in two files; the same key gives the same answer again."""
        sizes = (TEN_MB - 1000, 1000)
        data = [random.Random(size).randbytes(size) for size in sizes]
        body = json.dumps(mail(file(data[0], "größe.bin"), file(data[1])))
        for replayed in (None, "true"):
            answer = await door.post(body, headers={"Idempotency-Key": "k"})
            assert answer.status == 202, answer.body
            assert answer.headers.get("Idempotency-Replayed") == replayed
        content = render_content(kept(door).content)
        assert [base64.b64decode(one.data) for one in content.attachments] == data
        assert [one.filename for one in content.attachments] == ["größe.bin", "a.bin"]

    async def test_a_packed_body_may_be_as_large_unpacked(self, door):
        """Its length on the wire says nothing."""
        body = gzip.compress(json.dumps(mail(file(bytes(3_000_000)))).encode())
        assert len(body) < LIMIT
        answer = await door.post(body, headers={"Content-Encoding": "gzip"})
        assert answer.status == 202, answer.body

    async def test_a_dry_run_checks_files_and_keeps_nothing(self, door):
        """Right ones are 200, wrong ones 422."""
        assert (await door.post(json.dumps(mail(file(bytes(500_000)))), path=DRY_RUN)).status == 200
        wrong = await door.post(json.dumps(mail(file(bytes(500_000), "a.exe"))), path=DRY_RUN)
        assert wrong.status == 422
        assert [one["pointer"] for one in wrong.json()["errors"]] == ["/content/attachments/0/filename"]
        assert door.rows() == 0

    @pytest.mark.parametrize(
        "body",
        [
            json.dumps(mail(text="x" * LIMIT)),
            json.dumps(mail(file(b"x" * LIMIT), text="x" * LIMIT)),
            json.dumps(mail(file(b"x" * LIMIT)) | {"tags": ["x"] * LIMIT}),
            json.dumps(mail() | {"content": {"attachments": [{"data": ["x" * LIMIT]}]}}),
            json.dumps(mail() | {"content": {"attachments": "x" * LIMIT}}),
            json.dumps(mail() | {"attachments": [file(b"x" * LIMIT)]}),
            "[" * (LIMIT + 1),
            " " * (LIMIT + 1),
            json.dumps(mail(file(bytes(15 * 1024 * 1024)))),
        ],
        ids=["text", "text beside a file", "tags", "data a list", "a text", "elsewhere", "deep", "blanks", "20 MB"],
    )  # fmt: skip
    async def test_only_files_make_a_body_larger(self, door, body):
        """413 for whatever is above the usual limit beside their data, and above the largest with it."""
        answer = await door.post(body)
        assert (answer.status, answer.json()["code"]) == (413, "body_too_large")
        assert door.rows() == 0

    async def test_a_batch_may_hold_files_within_its_own_limit(self, door):
        """Each item as by itself."""
        items = [mail(file(b"x" * 400_000)), mail(file(b"x", "a/b"))]
        answer = await door.post(json.dumps({"items": items}), path="/v1/notifications/batch")
        assert (answer.status, answer.json()["accepted"], answer.json()["rejected"]) == (202, 1, 1)


async def test_large_bodies_wait_for_one_another_and_others_do_not(door):
    """A place is taken beyond the usual limit and given back with the answer: memory is bounded."""
    head = (
        f"POST /v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {door.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {10 * LIMIT}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(head.encode() + b" " * (2 * LIMIT))
    await writer.drain()
    large = json.dumps(mail(file(bytes(LIMIT))))
    async with asyncio.timeout(10):
        while (refused := await door.post(large)).status == 202:
            pass  # until the stalled one has come as far as the limit
    assert (refused.status, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"]
    assert (await door.post(json.dumps(mail(file(b"x"))))).status == 202
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()
    assert (await door.post(large)).status == 202, "its place is free again"


async def test_who_has_no_key_keeps_no_caller_with_files_waiting(door):
    """A receipt's sender is known by its body only: however slow it is, its place is none of the callers'."""
    door.readers[ProviderKey(Channel.SMS, "twilio")] = lambda _: []
    head = "POST /v1/receipts/twilio HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n"
    stalled = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(6)]
    for _, writer in stalled:
        writer.write(head.encode() + b"\x1f\x8b")
        await writer.drain()
    reads = [asyncio.create_task(reader.readexactly(12)) for reader, _ in stalled]
    async with asyncio.timeout(20):
        while sum(one.done() for one in reads) < 2:  # who found no place is refused first
            await asyncio.wait([one for one in reads if not one.done()], return_when=asyncio.FIRST_COMPLETED)
        assert (await door.post(json.dumps(mail(file(bytes(LIMIT)))))).status == 202
        answers = sorted(one[9:12] for one in await asyncio.gather(*reads))
    assert answers == [b"408"] * 4 + [b"503"] * 2, "they have places of their own"
    for _, writer in stalled:
        writer.close()
