"""The console provider's line, and what it keeps for `notifier dev`."""

import io
import threading
from uuid import UUID

from notifier.domain.attachments import Attachment
from notifier.domain.lanes import Channel
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred
from notifier.domain.recipients import EmailAddress, Platform, PushToken
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.captured import Captured
from notifier.providers.console import Console, line_of
from notifier.providers.registry import parse_provider_url

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def outgoing(recipient=None, attempt=1, **content) -> Outgoing:
    return Outgoing(
        id=ID,
        recipient=recipient or EmailAddress("ada@example.com"),
        content=Content(**content),
        attempt=attempt,
    )


def test_one_line_per_message_whatever_it_holds():
    """Line ends and terminal sequences are escaped, long text is cut: a message can't forge a line."""
    line = line_of(
        Channel.EMAIL,
        outgoing(EmailAddress("ada@example.com", "A\x1b[2J"), subject="Hi\r\nemail forged", text="x" * 500),
    )
    assert line.isprintable()
    assert line.startswith(rf"email ntf_{ID} to A\x1b[2J <ada@example.com>: Hi\r\nemail forged | xxx")
    assert len(line) < 250


def test_a_push_token_is_shown_only_in_part():
    """Whoever holds a token may send to it."""
    line = line_of(Channel.PUSH, outgoing(PushToken("a" * 64, Platform.APNS), title="T", text="x"))
    assert "apns aaaaaaaaaaaa…: T | x" in line


def test_messages_are_kept_newest_first_up_to_the_limit():
    """The ring given by the defaults holds the last ones, for `GET /v1/dev/messages`."""
    captured = Captured(limit=2)
    defaults = ProviderDefaults(capture=captured, console_stream=io.StringIO())
    provider = parse_provider_url(Channel.EMAIL, "console://?name=dev", defaults).build()
    references = []
    for attempt in (1, 2, 3):
        outcome = provider.send(outgoing(subject="Hi", text="there", attempt=attempt), Deadline(5))
        assert isinstance(outcome, Accepted)
        references.append(outcome.reference)
    kept = [message.to_json() for message in captured.messages()]
    assert [message["attempt"] for message in kept] == [3, 2]
    assert [message["reference"] for message in kept] == references[:0:-1]
    assert kept[0]["to"] == {"email": "ada@example.com"}
    assert kept[0]["content"] == {"subject": "Hi", "text": "there"}
    assert (kept[0]["id"], kept[0]["provider"], kept[0]["channel"]) == (f"ntf_{ID}", "dev", "email")


def test_files_are_kept_without_their_bytes():
    """A thousand messages of 10 MB would fill the memory."""
    captured = Captured()
    attached = Attachment(filename="a.txt", content_type="text/plain", data="eHl6")
    provider = Console(Channel.EMAIL, stream=io.StringIO(), capture=captured)
    assert isinstance(provider.send(outgoing(text="x", attachments=(attached,)), Deadline(5)), Accepted)
    (kept,) = captured.messages()
    files = [{"filename": "a.txt", "content_type": "text/plain", "bytes": 3}]
    assert kept.to_json()["content"] == {"text": "x", "attachments": files}
    assert kept.outgoing.content.attachments == ()


def test_a_closed_or_narrow_stream_never_raises():
    """An output that is gone defers; one that knows only ASCII gets escapes."""
    closed = io.StringIO()
    closed.close()
    assert isinstance(Console(Channel.EMAIL, stream=closed).send(outgoing(text="x"), Deadline(5)), Deferred)
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="ascii")
    assert isinstance(Console(Channel.EMAIL, stream=narrow).send(outgoing(text="ü👋"), Deadline(5)), Accepted)
    assert raw.getvalue().endswith(b"\\xfc\\U0001f44b\n")


def test_threads_never_tear_a_line_nor_share_a_reference():
    """Many threads, one stream."""
    stream, references = io.StringIO(), []

    def work() -> None:
        provider = Console(Channel.EMAIL, stream=stream)
        references.extend(provider.send(outgoing(text="x"), Deadline(5)).reference for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(references)) == 200
    assert set(stream.getvalue().splitlines()) == {f"email ntf_{ID} to <ada@example.com>: x"}
