"""The SMTP sink misbehaves as it is told from outside, and keeps what it says it keeps."""

import smtplib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nodes.smtp_control import SmtpControl

ROOT = Path(__file__).parents[2]
MESSAGE = "Message-ID: <{}@example.com>\r\n\r\nhello"


class Sink:
    """A running sink."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ledger"
        self.control = SmtpControl(folder / "control.json")
        command = [sys.executable, "-m", "tests.nodes.smtp", "--ledger", str(self.ledger)]
        self.process = subprocess.Popen(
            [*command, "--control", str(self.control.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().split()[1])

    def send(self, name: str, timeout: float = 10) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=timeout) as client:
            client.sendmail("a@example.com", ["b@example.com"], MESSAGE.format(name))

    def kept(self) -> list[str]:
        return [line.split("@")[0][1:] for line in self.ledger.read_text().splitlines()]

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def sink(tmp_path):
    """A sink in its own process."""
    made = Sink(tmp_path)
    yield made
    made.stop()


def test_it_refuses_as_told_and_behaves_again(sink):
    """A reply in place of the usual one; taken back, all is as before."""
    sink.control.set(reply={"RCPT": "451 4.3.0 later"})
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        sink.send("refused")
    sink.control.clear()
    sink.send("taken")
    assert sink.kept() == ["taken"]


def test_it_keeps_the_message_and_closes(sink):
    """The caller cannot know: the message is in the ledger and no answer came."""
    sink.control.set(close_after_accept=True, delay=[0.0, 0.01])
    with pytest.raises(smtplib.SMTPServerDisconnected):
        sink.send("kept")
    assert sink.kept() == ["kept"]


def test_it_keeps_the_message_and_trickles(sink):
    """Every byte resets a plain time-out; only a deadline for the whole ends it."""
    sink.control.set(trickle=True)
    with smtplib.SMTP("127.0.0.1", sink.port, timeout=10) as client:
        client.ehlo()
        client.mail("a@example.com")
        client.rcpt("b@example.com")
        client.putcmd("data")
        client.getreply()
        assert client.sock is not None
        client.sock.sendall(MESSAGE.format("kept").encode() + b"\r\n.\r\n")
        assert len(client.sock.recv(100)) == 1
        assert sink.kept() == ["kept"]
        client.sock.shutdown(socket.SHUT_RDWR)
        client.close()


def test_it_hangs_without_keeping(sink):
    """No answer to the final dot, and nothing kept."""
    sink.control.set(hang=True)
    with pytest.raises((smtplib.SMTPServerDisconnected, TimeoutError)):
        sink.send("hung", timeout=2)
    sink.control.clear()
    sink.send("after")
    assert sink.kept() == ["after"]


def test_it_drops_connections(sink):
    """Closed at once; nobody gets as far as a greeting's answer."""
    sink.control.set(drop=True)
    with pytest.raises((smtplib.SMTPException, ConnectionError, socket.timeout)):
        sink.send("dropped")
    sink.control.clear()
    sink.send("after")
    assert sink.kept() == ["after"]


def test_a_share_is_concerned(sink):
    """Some messages and not others."""
    sink.control.set(reply={"DATA": "451 4.3.0 later"}, share=0.5)
    refused = 0
    for number in range(30):
        try:
            sink.send(str(number))
        except smtplib.SMTPDataError:
            refused += 1
    assert 0 < refused < 30
    assert len(sink.kept()) == 30 - refused
